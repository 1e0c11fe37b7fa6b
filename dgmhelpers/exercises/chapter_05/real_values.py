"""05.3, a mixture of Gaussians in logs."""

import math

import torch
from torch import Generator

from dgmhelpers.exercises.compare import close, named, tensor
from dgmhelpers.exercises.feedback import exercise


@exercise(
    "05.3",
    minutes=15,
    asks="a function mixture_log_density(x, logits, mean, log_std) that returns a tensor (B,)",
    hints=[
        "First the log-density of x under each Gaussian, (B, M): −½((x − μ)/s)² − log s − ½ log 2π.",
        "The log-weights are logits.log_softmax(-1).",
        "Add the two and take torch.logsumexp over the components: nothing is exponentiated that could underflow.",
    ],
    praise="finite forty and a thousand standard deviations away, where the density itself is 0 in any floating point",
)
def _mixture_log_density(answer):
    """Ordinary values, values a thousand standard deviations away, and components of almost no width."""
    g = Generator().manual_seed(9)
    near, far, narrow = (torch.randn(4, 4, 3, generator=g, dtype=torch.double) for _ in range(3))
    far[0, :, 0] = torch.tensor([40.0, -1000.0, 300.0, 60.0])
    narrow[3] -= 30
    narrow[0] = narrow[2] + 1e-12
    for which, (points, logits, mean, log_std) in [("", near), ("far", far), ("narrow", narrow)]:
        x = points[:, 0]                                                                        # (B,)
        got = answer(x.clone(), logits.clone(), mean.clone(), log_std.clone())
        got = tensor(got, x.shape, "one log-density a value")
        square = ((x[:, None] - mean) / log_std.exp()).square() / 2                             # (B, M)
        weight, half = logits.log_softmax(-1), math.log(2 * math.pi) / 2
        each = -square - log_std - half
        right = (weight + each).logsumexp(-1)
        if close(got, right):
            continue
        if not got.isfinite().all():
            if which == "far":
                return "far from every mean the result is not finite: the density underflows; use torch.logsumexp"
            return "with narrow components the result is not finite: stay in logs throughout"
        as_variance = -(x[:, None] - mean).square() / 2 / log_std.exp() - log_std / 2 - half
        mistakes = {
            "the weights do not sum to one: the logits need a log_softmax": (logits + each).logsumexp(-1),
            "the weights are missing": each.logsumexp(-1),
            "every component got the same weight: use the logits": each.logsumexp(-1) - math.log(3),
            "the mean of the log-densities is a lower bound: average the densities": (weight.exp() * each).sum(-1),
            "the term −log s is missing, so the narrow components do not integrate to one": (
                weight - square - half
            ).logsumexp(-1),
            "the constant ½ log 2π is missing: the density integrates to √(2π)": right + half,
            "log_std is the log of the standard deviation, not of the variance": (weight + as_variance).logsumexp(-1),
            "the sign is wrong: this is minus the log-density": -right,
            "that is the density, not its log": right.exp(),
        }
        return named(mistakes, got) or (
            f"the first value has log-density {right[0]:.4f}, yours is {float(got[0]):.4f}: each Gaussian in "
            "logs, plus its log-weight, then logsumexp over the components"
        )
    return None
