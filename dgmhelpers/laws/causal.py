"""Causal language models, as an audit takes them: what a network says of the next token, and what is drawn from it."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor


def causal_lm(
    model: Any, vocab: int, length: int, *, start: int | list[int] = 0, generate: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """What :func:`audit` takes, from a causal language model of the Hugging Face kind::

        laws.audit(**laws.causal_lm(model, vocab=5, length=4))

    An example is the ``length`` tokens that follow ``start``. The model is called as ``model(tokens)`` and returns
    logits ``(B, T, vocab)``, or something that has them as ``.logits``; those at position t are of token t + 1. If it
    takes ``labels=`` and gives a ``.loss``, that is audited as well (a mean over tokens in nats, -100 left out); and so
    is ``model.generate``, if it has one.

    Args:
        vocab: number of tokens. Make it, and the length, so small that ``vocab ** length`` is below 65,536.
        start: the token, or tokens, before the first: a language model needs one to condition on.
        generate: arguments of ``model.generate``; by default plain sampling, ``do_sample=True, top_k=0, top_p=1``.
    """
    first = torch.as_tensor(start).reshape(-1).long()
    m = len(first)

    def whole(x: Tensor) -> Tensor:
        return torch.cat([first.expand(len(x), m), x.long()], 1)                   # (B, m + length)

    def logits(x: Tensor) -> Tensor:
        found = model(whole(x))
        found = getattr(found, "logits", found)
        return found[:, m - 1 : -1, :vocab]                                        # of the token that comes next

    functions: dict[str, Any] = {"logits": logits, "event_shape": (length,), "levels": vocab}
    if _has_loss(model, whole, length):

        def loss(x: Tensor) -> Tensor:
            tokens = whole(x)
            labels = tokens.clone()
            labels[:, :m] = -100
            return length * model(tokens, labels=labels).loss

        functions["loss"] = loss
    if callable(getattr(model, "generate", None)):
        more = {"do_sample": True, "top_k": 0, "top_p": 1.0} if generate is None else dict(generate)

        def sample(n: int) -> Tensor:
            tokens = first.expand(n, m)
            drawn = model.generate(tokens, attention_mask=torch.ones_like(tokens), max_new_tokens=length,
                                   min_new_tokens=length, **more)
            return drawn[:, m:]

        functions["sample"] = sample
    return functions


@torch.no_grad()
def _has_loss(model: Any, whole, length: int) -> bool:
    tokens = whole(torch.zeros(1, length))
    was = getattr(model, "training", False)
    try:
        if hasattr(model, "eval"):
            model.eval()
        return getattr(model(tokens, labels=tokens), "loss", None) is not None
    except TypeError:
        return False
    finally:
        if hasattr(model, "train"):
            model.train(was)
