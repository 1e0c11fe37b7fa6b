"""Checkers for chapter 04, NADE and MADE."""

import math
from functools import cache
from itertools import product

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from dgmhelpers.exercises.feedback import exercise
from dgmhelpers.masks import past

NOTHING = "not answered yet: your function returns nothing"
CLOSE = 1e-8
ENOUGH = 0.1  # nats by which an order must beat raster in 04.7


@exercise(
    "04.1",
    asks="a function parameters(D, H) that returns two whole numbers",
    hints=[
        "How many columns of W does network k use? Only the pixels before place k have one.",
        "Network k holds (k − 1)H + H + H + 1 numbers: columns, hidden bias, output row, output bias. Sum over k.",
        "NADE holds W and V once, HD each, one b for every pixel and one c of length H.",
    ],
    praise="separate networks grow like D²H/2, NADE like 2DH: their ratio is about D/4, as it is for multiplications",
)
def _count_parameters(answer):
    for D, H in [(784, 500), (9, 4), (1, 7), (30, 2)]:
        got = answer(D, H)
        if got is None:
            return NOTHING
        if not isinstance(got, (tuple, list)) or len(got) != 2:
            return f"for D = {D}, H = {H} expected two numbers (separate networks, NADE), got {got!r}"
        separate, shared = got
        columns = H * D * (D - 1) // 2
        if shared != 2 * D * H + D + H:
            if shared == 2 * D * H + D + D * H:
                return "NADE has one hidden bias c of length H that all places share, not one a place"
            if shared == 2 * D * H:
                return "NADE's biases are missing: D numbers b and H numbers c"
            return f"NADE's count is wrong for D = {D}, H = {H}: you say {shared}"
        if separate != columns + 2 * D * H + D:
            if separate == columns + D * H + D:
                return "the separate networks lack something of length H each: a hidden bias and an output row are two"
            if separate == D * (2 * D * H + D + H) or separate == D * D * H + 2 * D * H + D:
                return "network k does not look at all D pixels: only the k − 1 before it have a column"
            if separate == H * D * (D + 1) // 2 + 2 * D * H + D:
                return "network k has k − 1 columns, not k: a pixel must not see itself"
            return f"the count of separate networks is wrong for D = {D}, H = {H}: you say {separate}"
    return None


@exercise(
    "04.2",
    asks="a function conditional(x, past, i, W, V, b, c) that returns a probability",
    hints=[
        "The hidden layer starts from c, before any pixel is known.",
        "Every pixel j of the past adds its column W[:, j] times its value x[j].",
        "Squash twice: h = σ(a), then p = σ(b[i] + V[i] · h).",
    ],
    praise="and the recursion is this loop, never started again from c",
)
def _nade_conditional(answer):
    for seed, (D, H) in enumerate([(6, 4), (5, 3), (8, 2)]):
        W, V, b, c = _weights(D, H, seed)
        g = Generator().manual_seed(100 + seed)
        order = torch.randperm(D, generator=g).tolist()
        x = torch.randint(2, (D,), generator=g).double()
        x[order[0]] = 1.0
        for k in (2, D - 1, 0):
            past_, i = order[:k], order[k]
            x[i] = 1.0
            got = answer(x.clone(), list(past_), i, W.clone(), V.clone(), b.clone(), c.clone())
            if got is None:
                return NOTHING
            got = float(got)
            a = c + W[:, past_] @ x[past_]
            if _near(got, _p(b[i] + V[i] @ a.sigmoid())):
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
                if _near(got, _p(logit)):
                    return f"{case}: {what}"
            if _near(got, b[i] + V[i] @ a.sigmoid()):
                return f"{case}: that is the logit; the probability is its σ"
            if _near(got, 1 - _p(b[i] + V[i] @ a.sigmoid())):
                return f"{case}: that is the probability of 0, not of 1"
            return f"{case}: expected {_p(b[i] + V[i] @ a.sigmoid()):.4f}, got {got:.4f}"
    return None


@exercise(
    "04.3",
    asks="a function repaired_masks(degrees, D) that returns two boolean masks",
    hints=[
        "Multiply the two masks of your colleague: which entries of the diagonal are not zero?",
        "A unit of degree m knows the pixels at places 1 … m. Which outputs may it feed?",
        "Along a path: place of the pixel ≤ degree, and degree < place of the output. One of the two is strict.",
    ],
    praise="the strict inequality stands at the output, and nowhere else",
)
def _repair_masks(answer):
    for D, degrees in [(5, [1, 2, 3, 4]), (6, [3, 1, 5, 2, 4, 1, 3]), (4, [1, 1, 3, 2])]:
        m = torch.tensor(degrees)
        got = answer(m.clone(), D)
        if got is None:
            return NOTHING
        if not isinstance(got, (tuple, list)) or len(got) != 2:
            return "expected two masks: first layer (H, D), output (D, H)"
        first, last = (torch.as_tensor(mask).bool() for mask in got)
        H = len(degrees)
        if first.shape != (H, D) or last.shape != (D, H):
            shapes = f"{tuple(first.shape)} and {tuple(last.shape)}"
            return f"for D = {D}, H = {H} the shapes are {shapes}, not (H, D) and (D, H)"
        reached = last.double() @ first.double() > 0
        allowed = past(torch.arange(D))
        own = (reached & torch.eye(D).bool()).any(1)
        if own.any():
            return f"an output still peeks: the one at place {int(own.nonzero()[0]) + 1} sees its own pixel"
        if (reached & ~allowed).any():
            i, j = (reached & ~allowed).nonzero()[0].tolist()
            return f"the output at place {i + 1} sees place {j + 1}, which is in its future"
        lost = allowed & ~reached
        if lost.any():
            i, j = lost.nonzero()[-1].tolist()
            why = "two strict inequalities are one too many" if lost[1, 0] else "the wrong one is strict"
            return f"no output peeks, but the one at place {i + 1} is blind to place {j + 1}: {why}"
        if not torch.equal(first, m[:, None] >= torch.arange(1, D + 1)[None, :]):
            return "the paths are right, but a unit of degree m should know exactly the places 1 … m"
    return None


@exercise(
    "04.4",
    asks="a function blind_places(degrees, D) that returns a list of places between 1 and D",
    hints=[
        "The output at place k uses the units of degree below k. What is the furthest place they know together?",
        "It sees the places up to the largest degree below k. It should see up to k − 1.",
    ],
    praise="so D − 1 units, one of each degree, suffice, and no fewer do without direct connections",
)
def _blind_places(answer):
    cases = [([1, 2, 3, 4], 5), ([1, 4, 4], 6), ([3], 4), ([], 3), ([2, 2, 5, 6], 8), ([1], 1)]
    for degrees, D in cases:
        got = answer(list(degrees), D)
        if got is None:
            return NOTHING
        got = list(got)
        right = [d for d in range(2, D + 1) if d - 1 not in degrees]
        if got == right:
            continue
        case = f"degrees {degrees}, D = {D}"
        if got == [d for d in range(1, D + 1) if d - 1 not in degrees]:
            return f"{case}: the first output has no past, so there is nothing for it to miss"
        missing = [m for m in range(1, D) if m not in degrees]
        if got in (missing, [*missing, D]):
            return f"{case}: these are the missing degrees; the output that misses degree m stands at place m + 1"
        if got == [d for d in range(2, D + 1) if not any(m < d for m in degrees)]:
            return f"{case}: those see nothing at all; an output that sees only part of its past is blind too"
        if sorted(got) == right:
            return f"{case}: the right places, but not in order"
        return f"{case}: expected {right}, got {got}"
    return None


@exercise(
    "04.5",
    asks="a function mixture_log_prob(logits, x) that returns a tensor (B,)",
    hints=[
        "First compute each order's log p of each image, shape (S, B): a sum over pixels.",
        "The mixture is the mean of the probabilities; stay in logs with torch.logsumexp.",
        "logsumexp over the orders gives the log of the sum; what turns a sum into a mean?",
    ],
    praise="sums over pixels first, log-mean-exp over orders after: the other way round is no density",
)
def _mixture(answer):
    x = torch.tensor(list(product([0.0, 1.0], repeat=4)), dtype=torch.double)
    g = Generator().manual_seed(5)
    small = 2 * torch.randn(3, len(x), 4, generator=g, dtype=torch.double)
    many = torch.randint(2, (5, 784), generator=g).double()
    large = 3 * torch.randn(8, 5, 784, generator=g, dtype=torch.double)
    for logits, images in [(small, x), (large, many), (small[:1], x)]:
        got = answer(logits.clone(), images.clone())
        if got is None:
            return NOTHING
        if not isinstance(got, Tensor) or got.shape != images.shape[:1]:
            shape = tuple(got.shape) if isinstance(got, Tensor) else type(got).__name__
            return f"expected one value an image, shape ({len(images)},), got {shape}"
        each = -F.binary_cross_entropy_with_logits(logits, images.expand_as(logits), reduction="none")  # (S, B, D)
        joint, S = each.sum(-1), len(logits)
        right = joint.logsumexp(0) - math.log(S)
        if torch.allclose(got, right, rtol=0, atol=1e-6):
            continue
        if not got.isfinite().all():
            return "for 784 pixels the result is not finite: exp of a log-probability underflows; use torch.logsumexp"
        mistakes = {
            "this is the mean of the log-probabilities, a lower bound: average the probabilities": joint.mean(0),
            "this averages the logits: the sum over all images is not one": _score(logits.mean(0), images),
            "this averages the pixels' probabilities before multiplying them: not a density, no order is left": (
                each.logsumexp(0) - math.log(S)
            ).sum(-1),
            "this is the log of the sum over orders; the mean is smaller by log S": joint.logsumexp(0),
            "this is the best order for each image, which is above the mixture": joint.max(0).values,
            "the sign is wrong: this is the negative log-likelihood": -right,
        }
        for what, value in mistakes.items():
            if torch.allclose(got, value, rtol=0, atol=1e-6):
                return what
        if S == 1:
            return "with a single order the mixture is that order, and yours is not"
        return f"the first image has log p = {right[0]:.4f}, yours is {float(got[0]):.4f}"
    return None


@exercise(
    "04.6",
    asks="a function gradient(x, W, V, b, c) that returns a tensor (H, D)",
    hints=[
        "The derivative of log p(x_k | x_{<k}) by its logit is x_k − p_k.",
        "δ_k = (x_k − p_k) V[k] ⊙ h_k ⊙ (1 − h_k) is the derivative of the k-th term by a_k.",
        "Column k of W is in a_{k+1}, …, a_D, multiplied by x_k: its gradient is x_k times the sum of δ_l over l > k.",
        "Run k from D − 1 down to 0, write x_k times the sum so far, then add δ_k to the sum.",
    ],
    praise="one pass forward, one pass back, and only one hidden layer in memory: this is how the package trains NADE",
)
def _nade_gradient(answer):
    for seed, (D, H) in enumerate([(5, 3), (7, 4), (1, 2)]):
        W, V, b, c = _weights(D, H, 10 + seed)
        x = torch.randint(2, (D,), generator=Generator().manual_seed(seed)).double()
        x[0] = 1.0
        got = answer(x.clone(), W.clone(), V.clone(), b.clone(), c.clone())
        if got is None:
            return NOTHING
        got = torch.as_tensor(got)
        if got.shape != W.shape:
            return f"expected a gradient of W's shape {tuple(W.shape)}, got {tuple(got.shape)}"
        before = torch.stack([c + W[:, :k] @ x[:k] for k in range(D)])                          # (D, H)
        h = before.sigmoid()
        p = (b + (V * h).sum(1)).sigmoid()                                                      # (D,)
        delta = (x - p)[:, None] * V * h * (1 - h)                                              # (D, H)
        total = delta.sum(0) - delta.cumsum(0)                                                  # sum over l > k
        right = (x[:, None] * total).T
        if torch.allclose(got.double(), right, rtol=0, atol=CLOSE):
            continue
        following = torch.cat([delta[1:], torch.zeros_like(delta[:1])])
        flat = (x - p)[:, None] * V
        mistakes = {
            "the sign is wrong: this is the gradient of the negative log-likelihood": -right,
            "the sum starts at l = k: column k does not enter a_k, which knows only the pixels before k": (
                x[:, None] * (total + delta)
            ).T,
            "only the next conditional is counted: column k enters every later hidden layer": (
                x[:, None] * following
            ).T,
            "the factor x_k is missing: a black pixel adds no column, so its column gets no gradient": total.T,
            "the derivative of σ in the hidden layer, h(1 − h), is missing": (
                x[:, None] * (flat.sum(0) - flat.cumsum(0))
            ).T,
        }
        for what, value in mistakes.items():
            if torch.allclose(got.double(), value, rtol=0, atol=CLOSE):
                return what
        worst = int((got.double() - right).abs().sum(0).argmax())
        return f"for D = {D}, H = {H} your gradient differs most in column {worst}; autograd will tell you the values"
    return None


@exercise(
    "04.7",
    asks="a list of the 64 positions 0 … 63 in the order you choose",
    hints=[
        "Try some: columns, spirals, the reverse of raster. Which pixels are uncertain, which nearly constant?",
        "What if the pixels that vary most are asked first? Or those in the middle of the image?",
    ],
    praise="now reverse your order and check that: if it loses, your conjecture should say why",
)
def _best_order(answer):
    order = torch.as_tensor(answer).flatten()
    if len(order) != 64 or not torch.equal(order.long().sort().values, torch.arange(64)):
        return f"an order must list each of the positions 0 … 63 once; yours has {len(order)} entries"
    mine, raster = _order_nats(tuple(order.long().tolist())), _order_nats(tuple(range(64)))
    gain = raster - mine
    if gain >= ENOUGH:
        return None
    if abs(gain) < 1e-9:
        return "this is raster order itself"
    if gain < 0:
        return f"it needs {-gain:.2f} nats more than raster order does: worse (the reverse might be better)"
    return f"it is {gain:.2f} nats better than raster; {ENOUGH:g} are asked for"


@exercise(
    "04.8",
    asks="a function agnostic_loss(nats, known) that returns a tensor (B,)",
    hints=[
        "Only the unknown pixels count; with k known there are D − k of them.",
        "Their mean estimates one term of the chain. How many terms has the chain?",
        "The weight of their sum is D / (D − k), a number for each image: k may differ from row to row.",
    ],
    praise="right on average, over places and orders, and one pass of the network an image",
)
def _agnostic_loss(answer):
    g = Generator().manual_seed(8)
    for D, kept in [(4, [1, 2, 3]), (6, [0, 5, 2, 4]), (5, [0])]:
        nats = torch.rand(len(kept), D, generator=g, dtype=torch.double) + 0.1
        k = torch.tensor(kept)[:, None]                                                         # (B, 1)
        known = torch.rand(len(kept), D, generator=g).argsort(1) < k                            # (B, D)
        got = answer(nats.clone(), known.clone())
        if got is None:
            return NOTHING
        unknown = nats.masked_fill(known, 0).sum(1)
        left = (D - k)[:, 0]
        right = unknown * D / left
        if not isinstance(got, Tensor) or got.shape != right.shape:
            if isinstance(got, Tensor) and got.numel() == 1 and _near(float(got), right.mean()):
                return "that is the mean over the batch; return one estimate an image, shape (B,)"
            shape = tuple(got.shape) if isinstance(got, Tensor) else type(got).__name__
            return f"expected one estimate an image, shape ({len(kept)},), got {shape}"
        if torch.allclose(got.double(), right, rtol=0, atol=CLOSE):
            continue
        case = f"for D = {D} and {kept} pixels known"
        mistakes = {
            "the weight is missing: the sum leaves out the terms of the chain that came before": unknown,
            "that is the mean over the unknown pixels, one term of the chain; the chain has D": unknown / left,
            "all pixels are counted: a known pixel has nothing left to predict": nats.sum(1) * D / left,
            "the known pixels are counted, and the unknown are not": (nats.sum(1) - unknown) * D / left,
            "the weight is off by one: k pixels known means place k + 1, so D − k are left, not D − k + 1": (
                unknown * D / (left + 1)
            ),
            "the weight belongs to the unknown pixels, D / (D − k), not to the k known": unknown * D / k[:, 0],
            "each image has a k of its own, and so a weight of its own": unknown * D / left.double().mean(),
            "the sign is wrong: nats are already minus log-probabilities": -right,
        }
        for what, value in mistakes.items():
            if torch.allclose(got.double(), value.double(), rtol=0, atol=CLOSE):
                return f"{case}: {what}"
        return f"{case}: the first image's estimate is {right[0]:.4f}, yours is {float(got[0]):.4f}"
    return None


@exercise(
    "04.9",
    asks="a function mixture_log_density(x, logits, mean, log_std) that returns a tensor (B,)",
    hints=[
        "First the log-density of x under each Gaussian, (B, M): −½((x − μ)/s)² − log s − ½ log 2π.",
        "The log-weights are logits.log_softmax(-1).",
        "Add the two and take torch.logsumexp over the components: nothing is exponentiated that could underflow.",
    ],
    praise="finite forty and a thousand standard deviations away, where the density itself is 0 in any floating point",
)
def _mixture_log_density(answer):
    g = Generator().manual_seed(9)
    near, far, narrow = (torch.randn(4, 4, 3, generator=g, dtype=torch.double) for _ in range(3))
    far[0, :, 0] = torch.tensor([40.0, -1000.0, 300.0, 60.0])
    narrow[3] -= 30
    narrow[0] = narrow[2] + 1e-12
    for which, (points, logits, mean, log_std) in [("", near), ("far", far), ("narrow", narrow)]:
        x = points[:, 0]                                                                        # (B,)
        got = answer(x.clone(), logits.clone(), mean.clone(), log_std.clone())
        if got is None:
            return NOTHING
        if not isinstance(got, Tensor) or got.shape != x.shape:
            shape = tuple(got.shape) if isinstance(got, Tensor) else type(got).__name__
            return f"expected one log-density a value, shape ({len(x)},), got {shape}"
        square = ((x[:, None] - mean) / log_std.exp()).square() / 2                             # (B, M)
        weight, half = logits.log_softmax(-1), math.log(2 * math.pi) / 2
        each = -square - log_std - half
        right = (weight + each).logsumexp(-1)
        if torch.allclose(got.double(), right, rtol=1e-9, atol=CLOSE):
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
        for what, value in mistakes.items():
            if torch.allclose(got.double(), value, rtol=1e-9, atol=CLOSE):
                return what
        return f"the first value has log-density {right[0]:.4f}, yours is {float(got[0]):.4f}"
    return None


@cache
def _order_nats(order: tuple[int, ...]) -> float:
    """Test nats of an FVBN on binary-digits8 in this order: full batches, a small penalty, no random numbers."""
    from dgmhelpers import data

    digits = data.load("binary-digits8").flat()
    mask = past(torch.tensor(order)).float()
    weight, bias = torch.zeros(64, 64, requires_grad=True), torch.zeros(64, requires_grad=True)
    optimiser = torch.optim.Adam([weight, bias], lr=0.05)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 200)
    for _ in range(200):
        loss = -_score(F.linear(digits.train, weight * mask, bias), digits.train).mean()
        optimiser.zero_grad()
        (loss + 5e-4 * (weight * mask).square().sum()).backward()
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        return -_score(F.linear(digits.test, weight * mask, bias), digits.test).double().mean().item()


def _weights(D: int, H: int, seed: int) -> list[Tensor]:
    g = Generator().manual_seed(seed)
    return [torch.randn(shape, generator=g, dtype=torch.double) for shape in [(H, D), (D, H), (D,), (H,)]]


def _score(logits: Tensor, x: Tensor) -> Tensor:
    return -F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(-1)


def _p(logit) -> float:
    return float(torch.as_tensor(logit).sigmoid())


def _near(got: float, value) -> bool:
    return abs(got - float(value)) < 1e-6
