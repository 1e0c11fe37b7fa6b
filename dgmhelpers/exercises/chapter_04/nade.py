"""04.1, what sharing saves, and 04.2, one conditional of NADE."""

import torch
from torch import Generator

from dgmhelpers.exercises.chapter_04.shared import weights
from dgmhelpers.exercises.compare import close, number, parts, whole
from dgmhelpers.exercises.feedback import exercise, nothing


@exercise(
    "04.1",
    minutes=10,
    asks="a function parameters(D, H) that returns two whole numbers",
    hints=[
        "How many columns of W does network k use? Only the pixels before place k have one.",
        "Network k holds (k − 1)H + H + H + 1 numbers: columns, hidden bias, output row, output bias. Sum over k.",
        "NADE holds W and V once, HD each, one b for every pixel and one c of length H.",
    ],
    praise="separate networks grow like D²H/2, NADE like 2DH: their ratio is about D/4, as it is for multiplications",
)
def _count_parameters(answer):
    """Both counts for four sizes, and the slips: a column too many, a bias forgotten, one bias a place."""
    for D, H in [(784, 500), (9, 4), (1, 7), (30, 2)]:
        got = answer(D, H)
        if got is None:
            return nothing()
        separate, shared = map(whole, parts(got, 2, "two numbers (separate networks, NADE)"))
        columns = H * D * (D - 1) // 2
        if shared != 2 * D * H + D + H:
            if shared == 2 * D * H + D + D * H:
                return "NADE has one hidden bias c of length H that all places share, not one a place"
            if shared == 2 * D * H:
                return "NADE's biases are missing: D numbers b and H numbers c"
            return (
                f"NADE's count is wrong for D = {D}, H = {H}: you say {shared}; W and V once, b and c once, and "
                "no more"
            )
        if separate != columns + 2 * D * H + D:
            if separate == columns + D * H + D:
                return "the separate networks lack something of length H each: a hidden bias and an output row are two"
            if separate == D * (2 * D * H + D + H) or separate == D * D * H + 2 * D * H + D:
                return "network k does not look at all D pixels: only the k − 1 before it have a column"
            if separate == H * D * (D + 1) // 2 + 2 * D * H + D:
                return "network k has k − 1 columns, not k: a pixel must not see itself"
            return (
                f"the count of separate networks is wrong for D = {D}, H = {H}: you say {separate}; network k has "
                "k − 1 columns, a hidden bias and an output row, of length H each, and one output bias"
            )
    return None


@exercise(
    "04.2",
    minutes=15,
    asks="a function conditional(x, past, i, W, V, b, c) that returns a probability",
    hints=[
        "The hidden layer starts from c, before any pixel is known.",
        "Every pixel j of the past adds its column W[:, j] times its value x[j].",
        "Squash twice: h = σ(a), then p = σ(b[i] + V[i] · h).",
    ],
    praise="and the recursion is this loop, never started again from c",
)
def _nade_conditional(answer):
    """Random weights and orders, with an empty, a short and a long past."""
    for seed, (D, H) in enumerate([(6, 4), (5, 3), (8, 2)]):
        W, V, b, c = weights(D, H, seed)
        g = Generator().manual_seed(100 + seed)
        order = torch.randperm(D, generator=g).tolist()
        x = torch.randint(2, (D,), generator=g).double()
        x[order[0]] = 1.0
        for k, value in ((2, 1.0), (D - 1, 0.0), (0, 1.0)):
            past_, i = order[:k], order[k]
            x[i] = value
            got = answer(x.clone(), list(past_), i, W.clone(), V.clone(), b.clone(), c.clone())
            if got is None:
                return nothing()
            got = number(got)
            a = c + W[:, past_] @ x[past_]
            if close(got, _p(b[i] + V[i] @ a.sigmoid())):
                continue
            case = f"for D = {D} with {k} pixels in the past"
            mistakes = {
                "it sees pixel i itself and not its past: the misprint of the slides": b[i]
                + V[i] @ (c + W[:, i] * x[i]).sigmoid(),
                "it sees pixel i itself besides its past, which is peeking": b[i]
                + V[i] @ (a + W[:, i] * x[i]).sigmoid(),
                "it sees every pixel: only those listed in `past` may matter": b[i] + V[i] @ (c + W @ x).sigmoid(),
                "the hidden bias c is missing": b[i] + V[i] @ (a - c).sigmoid(),
                "the output bias b[i] is missing": V[i] @ a.sigmoid(),
                "the hidden layer is not squashed: h = σ(a)": b[i] + V[i] @ a,
                "it takes the first pixels in raster order, not those listed in `past`": b[i]
                + V[i] @ (c + W[:, :k] @ x[:k]).sigmoid(),
            }
            for what, logit in mistakes.items():
                if close(got, _p(logit)):
                    return f"{case}: {what}"
            if close(got, b[i] + V[i] @ a.sigmoid()):
                return f"{case}: that is the logit; the probability is its σ"
            if close(got, 1 - _p(b[i] + V[i] @ a.sigmoid())):
                if value == 0:
                    return f"{case}: that is the probability of the value that pixel i has; p(x_i = 1) is asked for"
                return f"{case}: that is the probability of 0, not of 1"
            return (
                f"{case}: expected {_p(b[i] + V[i] @ a.sigmoid()):.4f}, got {got:.4f}; compare with c + Σ W[:, j] "
                "x[j] over the past, squashed, then b[i] + V[i] · h, squashed"
            )
    return None


def _p(logit) -> float:
    return float(torch.as_tensor(logit).sigmoid())
