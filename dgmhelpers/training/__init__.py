"""Training: one loop for every model with a ``loss``, and files that survive being interrupted."""

from dgmhelpers.training.checkpoints import CheckpointError
from dgmhelpers.training.fit import History, TrainingDiverged, fit

__all__ = ["CheckpointError", "History", "TrainingDiverged", "fit"]
