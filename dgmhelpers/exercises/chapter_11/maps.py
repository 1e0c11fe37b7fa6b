"""11.2, the way back through a coupling layer, and 11.6, research: unmixing two sources."""

import math

import torch
from torch import Generator, Tensor

from dgmhelpers.exercises.compare import close, named, tensor
from dgmhelpers.exercises.feedback import exercise

ENOUGH = 0.1    # Amari index
N = 4000        # mixtures in each case


@exercise(
    "11.2",
    minutes=15,
    asks="a function undo(z, keep, s, t) that returns x, (B, D)",
    hints=[
        "The entries where keep is true did not move.",
        "So s and t can be asked again: of z[:, keep].",
        "z_B = x_B · e^s + t. Take off t first, then multiply by e^(−s).",
    ],
    praise="one evaluation of s and t, as on the way there: sampling is as fast as scoring",
)
def _undo(answer):
    """Odd and even dimensions, keeps of unlike sizes that are no halves, an s and a t that are not invertible."""
    cases = [[True, False, True, False, False], [False, True], [False, False, True, True, True, False]]
    for seed, kept in enumerate(cases):
        g, keep = Generator().manual_seed(seed), torch.tensor(kept)
        D, inside = len(kept), int(keep.sum())
        W, V = (torch.randn(inside, D - inside, generator=g, dtype=torch.double) for _ in range(2))

        def s(a, W=W, inside=inside):
            return _alike(torch.sin(_asked(a, inside) @ W), a)

        def t(a, V=V, inside=inside):
            return _alike((_asked(a, inside) @ V).square(), a)

        x = torch.randn(4, D, generator=g, dtype=torch.double)
        z, a = x.clone(), x[:, keep]
        z[:, ~keep] = x[:, ~keep] * s(a).exp() + t(a)
        got = tensor(answer(z.clone(), keep.clone(), s, t), (4, D), "the restored examples x")
        if close(got, x):
            continue

        def moved(b, z=z, keep=keep):
            wrong = z.clone()
            wrong[:, ~keep] = b
            return wrong

        b = z[:, ~keep]
        mistakes = {
            "that is z itself: the entries outside keep have to go back": z,
            "that is the layer once more, not its inverse": moved(b * s(a).exp() + t(a)),
            "first take off t, then undo the scale: you did it in the other order": moved(b * (-s(a)).exp() - t(a)),
            "the scale is still there: divide by e^s after the shift": moved(b - t(a)),
            "the shift is still there: take off t before the scale": moved(b * (-s(a)).exp()),
            "after the shift divide by e^s; you multiplied": moved((b - t(a)) * s(a).exp()),
            "s is the log of the scale: divide by e^s, not by s": moved((b - t(a)) / s(a)),
        }
        return named(mistakes, got) or "what comes back is not x: undo the shift, then the scale, outside keep alone"
    return None


def _asked(a, inside: int) -> Tensor:
    """What a learner hands to s or t, as a float64 tensor."""
    a = torch.as_tensor(a, dtype=torch.double)
    if a.ndim < 1 or a.shape[-1] != inside:
        raise ValueError(f"s and t take the {inside} kept entries of each example, got shape {tuple(a.shape)}")
    return a


def _alike(found: Tensor, a):
    """What s or t says, as an array if it was asked with one, in the precision that it was asked in."""
    return found.to(a.dtype) if isinstance(a, Tensor) else found.numpy()


@exercise(
    "11.6",
    minutes=60,
    asks="a function unmix(x) that returns a matrix W, (2, 2)",
    hints=[
        "Make the outputs uncorrelated with variance 1 first. What freedom is left?",
        "A rotation: one angle. Which property of the outputs depends on it, heavy or light tails alike?",
        "Sums of independent numbers are closer to Gaussian than the numbers: maximise the distance from Gaussian.",
    ],
    praise="now halve N until it fails: how does the Amari index grow with 1/√N?",
)
def _unmix(answer):
    """Heavy tails, light tails, one of each, one Gaussian source; random mixtures, scored by the Amari index."""
    kinds = [("heavy", "heavy"), ("light", "light"), ("heavy", "light"), ("Gaussian", "light")]
    for seed, pair in enumerate(kinds):
        g = Generator().manual_seed(60 + seed)
        s = torch.stack([_source(kind, g) for kind in pair], 1)
        A = torch.randn(2, 2, generator=g, dtype=torch.double)
        while torch.linalg.cond(A) > 6:
            A = torch.randn(2, 2, generator=g, dtype=torch.double)
        x = s @ A.T + torch.randn(2, generator=g, dtype=torch.double)
        got = tensor(answer(x.clone()), (2, 2), "the matrix W")
        if not got.isfinite().all() or torch.linalg.det(got).abs() < 1e-9:
            return "W must be an invertible matrix of finite numbers"
        index = amari(got @ A)
        if index < ENOUGH:
            continue
        case = "with one Gaussian source" if "Gaussian" in pair else f"with {pair[0]} and {pair[1]} tails"
        y = (x - x.mean(0)) @ got.T
        correlation = torch.corrcoef(y.T)[0, 1].abs()
        if correlation > 0.1:
            return (f"{case} the outputs are still correlated ({correlation:.2f}), so they are not independent; the "
                    f"Amari index is {index:.2f}")
        return (f"{case} the outputs are uncorrelated and still mixed: the Amari index is {index:.2f}, and below "
                f"{ENOUGH:g} is asked for; being uncorrelated leaves a rotation free")
    return None


def _source(kind: str, g: Generator) -> Tensor:
    """N independent numbers of variance 1 about."""
    if kind == "Gaussian":
        return torch.randn(N, generator=g, dtype=torch.double)
    u = torch.rand(N, generator=g, dtype=torch.double) - 0.5
    return u * math.sqrt(12) if kind == "light" else -u.sign() * torch.log1p(-2 * u.abs()) / math.sqrt(2)


def amari(P: Tensor) -> float:
    """How far a matrix ``(2, 2)`` is from one entry in each row and column: 0 is such a matrix, 1 the worst."""
    P = P.abs()
    rows, columns = P / P.amax(1, keepdim=True), P / P.amax(0, keepdim=True)
    return ((rows.sum(1) - 1).mean() + (columns.sum(0) - 1).mean()).item() / 2
