"""Deep generative models, and the laws that check them.

The chapters of the book import this package, and so can you: models by hand in one file each, the laws that
they obey, the data they are trained on, and the weights that training gave::

    import dgmhelpers
    model = dgmhelpers.load("nade-binarized-mnist")
    print(dgmhelpers.laws.audit(my_own_model))

Submodules are imported on first use, so that ``import dgmhelpers`` costs nothing.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

    from dgmhelpers.protocols import Trained

__version__ = "0.1.0"

_SUBMODULES = (
    "adversarial",
    "autoregressive",
    "claims",
    "classical",
    "data",
    "decoding",
    "devices",
    "evaluation",
    "exercises",
    "flows",
    "latent",
    "laws",
    "layers",
    "likelihoods",
    "live",
    "masks",
    "protocols",
    "recipes",
    "sampling",
    "training",
    "viz",
)

__all__ = ["load", *_SUBMODULES]


def load(
    name: str | os.PathLike, device=None, *, model: type[nn.Module] | nn.Module | None = None
) -> Trained:  # fmt: skip
    """A trained model, ready to evaluate and to sample.

    Args:
        name: the recipe that made it, of those that ``python -m dgmhelpers list`` shows; or the path of a
            ``.safetensors`` file.
        device: where to put it; the project's device rule (CUDA, then MPS, then CPU) if not given.
        model: for a file, your own class, or a model that is built already: see
            :func:`dgmhelpers.training.checkpoints.load`.

    Raises:
        CheckpointError: if there is no such checkpoint, or it is damaged.
    """
    from dgmhelpers.training.checkpoints import load_named

    return load_named(name, device=device, model=model)  # type: ignore[return-value]


def __getattr__(name):
    if name in _SUBMODULES:
        return importlib.import_module(f"dgmhelpers.{name}")
    raise AttributeError(f"module 'dgmhelpers' has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *_SUBMODULES])
