"""Checkers for chapter 07, Blind spots."""

import math

import torch
from torch import Generator

from dgmhelpers.exercises.compare import close, mask, named, number, parts, tensor, whole
from dgmhelpers.exercises.feedback import exercise, nothing


@exercise(
    "07.1",
    minutes=10,
    asks="a function is_blind(u, r, kernel) that returns True or False",
    hints=[
        "How far to the right can one hop go, if the kernel has `kernel` columns? And which hops can go right at all?",
        "With s = kernel // 2: a hop that climbs goes s columns right at most; u rows up there are at most u of them.",
        "In the row itself there are no blind pixels: what is on the left is within reach of enough layers.",
    ],
    praise="a steeper triangle, and still one: no kernel of finite width closes it",
)
def _is_blind(answer):
    """Every place of the past within a few rows, for three kernels, against r > su."""
    for kernel in (3, 5, 7):
        s = kernel // 2
        for u in range(0, 5):
            for r in range(-6, 14):
                if u == 0 and r >= 0:
                    continue                                                       # not the past
                got = answer(u, r, kernel)
                if got is None:
                    return nothing()
                right = u >= 1 and r > s * u
                got = mask(got, (), "True or False").item()
                if got == right:
                    continue
                case = f"kernel {kernel}, {u} up, {r} to the right"
                if u == 0:
                    return f"{case}: a pixel to the left in the same row is never blind"
                if kernel > 3 and got == (r > u):
                    return f"{case}: that is the rule for 3 × 3; a hop of this kernel goes {s} columns to the right"
                if r == s * u:
                    return f"{case}: u climbing hops of {s} columns each get exactly there: it is seen"
                if r < 0:
                    return f"{case}: to the left every hop can go: it is seen"
                return (
                    f"{case}: it is {'blind' if right else 'seen'}: u rows up leave room for u hops of {s} "
                    "columns each"
                )
    return None


@exercise(
    "07.2",
    minutes=20,
    asks="a function blind_share(H, W, kernel) that returns a number between 0 and 1",
    hints=[
        "Exercise 6.4 counts for one pixel and kernels of 3 × 3. How many columns of row u does a wider one see?",
        "With s = kernel // 2, of the columns right of the pixel su are seen in row u, if there are that many.",
        "Add up over all pixels. Each pair of two pixels is one of a pixel and its past: how many pairs has the image?",
    ],
    praise="28 × 28 with kernels of 3 × 3: 0.22. A wider kernel closes part of it, and no depth closes any",
)
def _blind_share(answer):
    """Square, wide and high images, kernels of 3 to 7, against a count pair by pair."""
    for H, W, kernel in [(28, 28, 3), (5, 9, 3), (9, 5, 5), (6, 12, 7), (3, 3, 3), (4, 1, 3)]:
        got = answer(H, W, kernel)
        if got is None:
            return nothing()
        got, N, case = number(got, "a share"), H * W, f"{H} × {W}, kernels of {kernel} × {kernel}"
        pairs = N * (N - 1) // 2
        right = _blind_pairs(H, W, kernel // 2) / pairs
        if close(got, right):
            continue
        mistakes = {
            "that is how many pairs are blind: divide by the number of pairs": right * pairs,
            "that is the rule for 3 × 3; in row u a wider kernel sees more columns": _blind_pairs(H, W, 1) / pairs,
            "a kernel of side k goes k // 2 columns to the right, not k": _blind_pairs(H, W, kernel) / pairs,
            "a pixel has no past in itself: an image of N pixels has N (N − 1) / 2 pairs": 2 * right * pairs / N**2,
            "each pair counts once: of two pixels only one is the other's past": right / 2,
            "where all columns are seen nothing is blind: the terms must not be negative": sum(
                W - 1 - j - kernel // 2 * u for i in range(H) for j in range(W) for u in range(1, i + 1)) / pairs,
        }
        return f"{case}: {named(mistakes, got) or f'{right:.4f} of the pairs are blind, you say {got:.4f}'}"
    return None


def _blind_pairs(H: int, W: int, s: int) -> int:
    """Pairs of a pixel and one of its past that it cannot see: right of it by more than s columns a row."""
    places = [(i, j) for i in range(H) for j in range(W)]
    return sum(i > k and m - j > s * (i - k) for i, j in places for k, m in places)


@exercise(
    "07.3",
    minutes=20,
    asks="a function layers_needed(H, W, kernel) that returns a whole number",
    hints=[
        "With s = kernel // 2, how many columns to the side, and rows up, do n layers of two stacks reach?",
        "sn columns; and sn + 1 rows, as the shift gives one for nothing.",
        "The furthest pixel is W − 1 columns and H − 1 rows away. Round up; and there is at least one layer.",
    ],
    praise="28 × 28 takes 27 layers of 3 × 3 and 14 of 5 × 5: published models see less than the whole past, too",
)
def _layers_needed(answer):
    """Wide, high and tiny images, kernels of 3 and of 5."""
    for H, W, kernel in [(28, 28, 3), (28, 28, 5), (32, 32, 5), (9, 4, 3), (4, 9, 3), (2, 1, 3), (1, 1, 3), (12, 5, 5)]:
        got = answer(H, W, kernel)
        if got is None:
            return nothing()
        got, s = whole(got), kernel // 2
        right = max(1, math.ceil(max(W - 1, H - 2) / s))
        if got == right:
            continue
        case = f"{H} × {W}, kernels of {kernel} × {kernel}"
        if got == max(1, math.ceil(max(W - 1, H - 1) / s)):
            return f"{case}: you say {got}, but the shift gives one row for nothing"
        if got == max(1, max(W - 1, H - 2) // s):
            return f"{case}: you say {got}, which falls short: round up"
        if got == math.ceil(max(W - 1, H - 2, 0) / s):
            return f"{case}: there is at least one layer"
        if got == max(1, max(W - 1, H - 2)):
            return f"{case}: you say {got}; a layer of this kernel reaches {s} columns, not one"
        return f"{case}: to reach {W - 1} columns and {H - 1} rows takes {right}; you say {got}"
    return None


@exercise(
    "07.4",
    minutes=15,
    asks="a function stack_masks(kernel) that returns three boolean masks (kernel, kernel)",
    hints=[
        "In the order: vertical, horizontal of the first layer, horizontal of the later ones.",
        "Vertical: all rows above the centre, whole. Nothing of the centre's row.",
        "Horizontal: the centre's row, left of the centre; in later layers the centre as well.",
    ],
    praise="vertical and first horizontal together are mask A, and with the later one mask B",
)
def _stack_masks(answer):
    """The three masks of 3 × 3, 5 × 5 and 7 × 7, part by part."""
    for kernel in (3, 5, 7):
        got = answer(kernel)
        if got is None:
            return nothing()
        got = parts(got, 3, "three masks: vertical, horizontal first, horizontal later")
        vertical, first, later = (mask(each, (kernel, kernel), f"for kernel = {kernel} each mask") for each in got)
        c = kernel // 2
        if vertical[c + 1 :].any() or first[c + 1 :].any() or later[c + 1 :].any():
            return "a mask reaches below the centre: those rows are the future"
        if vertical[c].any():
            side = "right of" if vertical[c, c + 1 :].any() else "at or left of"
            return f"the vertical mask keeps something {side} the centre in its own row: that is the other stack's task"
        if not vertical[:c].all():
            return "the vertical mask loses part of the rows above: right of the centre, too, all of them is past"
        if first[:c].any() or later[:c].any():
            return "the horizontal masks look at rows above: that is the vertical stack's task"
        if first[c, c:].any():
            return "the first horizontal mask must not keep the pixel itself, nor anything right of it"
        if later[c, c + 1 :].any():
            return "the later horizontal mask keeps something right of the centre: that is the future"
        if not first[c, :c].all() or not later[c, :c].all():
            return "a horizontal mask loses part of what is on the left"
        if not later[c, c]:
            return "the later layers may look at their own place, where by then only the past has been gathered"
    return None


@exercise(
    "07.5",
    minutes=10,
    asks="a function rows_above(x) that returns a tensor of the shape of x",
    hints=[
        "Look at row 0 of what your colleague's function gives. Which row of the image is it?",
        "roll moves in a circle: the last row comes out on top. A row of zeros belongs there.",
        "torch.nn.functional.pad(x, (0, 0, 1, 0)) puts a row of zeros on top; the last row must then go.",
    ],
    praise="in a circle the first row would know the last: the whole image would leak, through one row",
)
def _rows_above(answer):
    """Batches with colours, of a single row, and of a single column."""
    g = Generator().manual_seed(5)
    for shape in [(2, 3, 5, 4), (1, 1, 1, 6), (3, 2, 4, 1)]:
        x = torch.rand(shape, generator=g, dtype=torch.double) + 0.1
        got = answer(x.clone())
        if got is None:
            return nothing()
        got = tensor(got, shape)
        right = torch.zeros_like(x)
        right[:, :, 1:] = x[:, :, :-1]
        if close(got, right):
            continue
        mistakes = {
            "the last row comes back on top: the first row of the image would see the future": x.roll(1, 2),
            "the image is not moved: every pixel's own row is in it, the pixel itself included": x,
            "that moves the columns: it is rows that are shifted": torch.zeros_like(x).index_copy(
                3, torch.arange(1, x.shape[3]), x[..., :-1]
            ),
        }
        up = torch.zeros_like(x)
        up[:, :, :-1] = x[:, :, 1:]
        mistakes["that moves the image up: each row would see the one below it"] = up
        return named(mistakes, got) or (
            f"for shape {shape} the rows are not those of the image, moved down by one under a row of zeros")
    return None


@exercise(
    "07.6",
    minutes=10,
    asks="a function posterior(log_p, prior) that returns a tensor (B, K)",
    hints=[
        "Bayes: p(c | x) is proportional to p(x | c) p(c). What makes the K numbers of an image sum to one?",
        "In logs: log p(x | c) + log p(c), then a softmax over the classes.",
        "An image's log p may be −600: its exponential is 0 in any floating point. softmax stays in logs.",
    ],
    praise="a generative model is a classifier for nothing, but at the price of one pass a class",
)
def _posterior(answer):
    """Likelihoods near one another and far, with an even and an uneven prior."""
    g = Generator().manual_seed(6)
    near = torch.randn(5, 3, generator=g, dtype=torch.double)
    far = near * 4 - torch.tensor([[900.0], [800], [1200], [2000], [750]]).double()
    uneven = torch.tensor([0.7, 0.2, 0.1]).double()
    for log_p, prior in [(near, torch.full((3,), 1 / 3).double()), (near, uneven), (far, uneven)]:
        got = answer(log_p.clone(), prior.clone())
        if got is None:
            return nothing()
        got = tensor(got, log_p.shape, "probabilities")
        right = (log_p + prior.log()).softmax(1)
        if close(got, right):
            continue
        if not got.isfinite().all():
            return "for log p of −900 the result is not finite: exp underflows, and 0 / 0 is left; stay in logs"
        mistakes = {
            "the prior is missing: a rare class needs more evidence": log_p.softmax(1),
            "the prior must enter as its log: log p(x | c) + log p(c)": (log_p + prior).softmax(1),
            "that sums to one over the images; it is the classes of each image that must": (
                log_p + prior.log()
            ).softmax(0),
            "that is the log of the posterior": right.log(),
            "the prior must be multiplied in before normalising": log_p.softmax(1) * prior,
        }
        return named(mistakes, got) or (
            f"the first image's probabilities should be {[round(p, 4) for p in right[0].tolist()]}")
    return None


@exercise(
    "07.7",
    minutes=60,
    asks="a function best_nats(H, W, up, right, stay, kernel) that returns a number",
    hints=[
        "Two cases: the source is seen, or it is blind. Exercise 07.1 tells which.",
        "Blind: the argument of the theorem gives HW log 2 for every kernel, as k·right > s·k·up for every k.",
        "Seen: with enough layers and width nothing stands between the model and the entropy.",
    ],
    praise="so a source on the diagonal costs nothing and its right neighbour everything: blindness has a sharp edge",
)
def _best_nats(answer):
    """Sources on the edge of what a kernel sees and just beyond, and one without noise."""
    cases = [(6, 6, 1, 3, 0.9, 3), (6, 6, 2, 2, 0.9, 3), (8, 8, 1, 2, 0.9, 5), (8, 8, 1, 3, 0.9, 5), (5, 7, 2, 3, 1, 3),
             (5, 7, 3, 2, 1, 3)]
    for H, W, up, right, stay, kernel in cases:
        got = answer(H, W, up, right, stay, kernel)
        if got is None:
            return nothing()
        copies, coins = (H - up) * (W - right), H * W * math.log(2)
        noise = sum(-p * math.log(p) for p in (stay, 1 - stay) if p > 0)
        entropy = coins - copies * (math.log(2) - noise)
        blind = right > kernel // 2 * up
        best = coins if blind else entropy
        got = number(got)
        if close(got, best):
            continue
        case = f"{H} × {W}, source {up} up and {right} to the right, kernels of {kernel} × {kernel}"
        if close(got, entropy if blind else coins):
            return f"{case}: this source is {'blind' if blind else 'seen'}: you took the other case"
        if close(got, best / math.log(2)):
            return f"{case}: that is in bits; nats are asked for"
        if not math.isfinite(got):
            return f"{case}: not finite; for stay = 1 the term (1 − s) log(1 − s) is 0"
        return (
            f"{case}: the source is {'blind' if blind else 'seen'}, so the best is {best:.4f} nats, and you say "
            f"{got:.4f}"
        )
    return None
