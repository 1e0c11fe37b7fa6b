"""Training: one loop for any objective, its two wrappers, EM, and files that survive.

``fit`` minimises a model's loss, ``fit_adversarial`` plays generator against discriminator; ``train`` runs an objective
of one's own (:mod:`dgmhelpers.training.loop` says how).
"""

from dgmhelpers.training import checkpoints as checkpoints
from dgmhelpers.training.adversarial import fit_adversarial
from dgmhelpers.training.checkpoints import CheckpointError
from dgmhelpers.training.em import em
from dgmhelpers.training.fit import fit
from dgmhelpers.training.guards import TrainingDiverged
from dgmhelpers.training.history import GameHistory, History, Record
from dgmhelpers.training.loop import train
from dgmhelpers.training.objective import LogProb, Objective
from dgmhelpers.training.players import Player

__all__ = ["CheckpointError", "GameHistory", "History", "LogProb", "Objective", "Player", "Record", "TrainingDiverged",
           "em", "fit", "fit_adversarial", "train"]
