"""Training: one loop for every model with a ``loss``, one for EM, and files that survive being interrupted."""

from dgmhelpers.training.checkpoints import CheckpointError
from dgmhelpers.training.em import em
from dgmhelpers.training.fit import History, TrainingDiverged, fit

__all__ = ["CheckpointError", "History", "TrainingDiverged", "em", "fit"]
