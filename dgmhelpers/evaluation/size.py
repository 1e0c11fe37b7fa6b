"""How large a model is: the parameters that masks leave alive."""

from typing import Any

from torch import Tensor, nn


def live_parameters(model: nn.Module) -> int:
    """Parameters with an effect: all of them but weights under a mask that is zero there.

    Masked are the weights that a module names (``masked_weights()``, pairs of weight and mask) and the ``weight`` of a
    module that has a ``mask``.
    """
    pairs: list[tuple[Tensor, Tensor]] = []
    for module in model.modules():
        named: Any = getattr(module, "masked_weights", None)
        pairs += named() if callable(named) else []
        weight, mask = getattr(module, "weight", None), getattr(module, "mask", None)
        if isinstance(weight, Tensor) and isinstance(mask, Tensor):
            pairs.append((weight, mask))
    dead = {id(weight): int((mask == 0).expand_as(weight).sum()) for weight, mask in pairs}
    return sum(p.numel() - dead.get(id(p), 0) for p in model.parameters())
