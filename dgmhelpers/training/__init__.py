"""Training: one loop for every model with a ``loss``, one for two players, EM, and files that survive."""

import warnings

# accelerate imports tqdm's bar for notebooks, which asks for ipywidgets where they are missing; ours is text
warnings.filterwarnings("ignore", message="IProgress not found")

from dgmhelpers.training.adversarial import GameHistory, fit_adversarial  # noqa: E402
from dgmhelpers.training.checkpoints import CheckpointError  # noqa: E402
from dgmhelpers.training.em import em  # noqa: E402
from dgmhelpers.training.fit import History, TrainingDiverged, fit  # noqa: E402

__all__ = ["CheckpointError", "GameHistory", "History", "TrainingDiverged", "em", "fit", "fit_adversarial"]
