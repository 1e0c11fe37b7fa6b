"""Checkers for chapter 03, The chain rule."""

import itertools
import math

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from dgmhelpers.exercises.feedback import exercise
from dgmhelpers.masks import past

NOTHING = "not answered yet: the function returns nothing. {}"


@exercise(
    "03.1",
    asks="a function free_parameters(D) that returns two integers",
    hints=[
        "For two bits the table has four entries. How many of them can you choose before the rest is forced?",
        (
            "In any order, of each pair of pixels one comes first: one weight for each pair. And each pixel "
            "has a bias."
        ),
    ],
    praise="at D = 9 that is 511 against 45: the saving is in the function, not in the chain rule",
)
def check_count(answer):
    for D in (1, 2, 3, 9, 40, 784):
        found = answer(D)
        if found is None:
            return NOTHING.format("It is to return two integers, for the table and for the FVBN")
        found = _pair(found)
        if found is None:
            return f"free_parameters({D}) should return two numbers: table, FVBN"
        table, fvbn = found
        if table == 2**D:
            return f"a table of {D} bits has 2^{D} entries, but they sum to one: the last one is not free"
        if fvbn == D * D + D or fvbn == D * D and D > 1:
            return "you counted the whole matrix of weights: only pixels that come before may be looked at"
        if fvbn == D * (D - 1) // 2:
            return "the weights are right, but each pixel has a bias as well"
        if table != 2**D - 1:
            return f"the table: for D = {D} you give {table}, and it is {_short(2**D - 1)}"
        if fvbn != D * (D + 1) // 2:
            return f"the FVBN: for D = {D} you give {fvbn}, and it is {D * (D + 1) // 2}"
    return None


@exercise(
    "03.2",
    asks="a function joint_from(question, order) that returns a table",
    hints=[
        "Loop over all x (itertools.product); the probability of one x is a product over the order.",
        (
            "`past` starts empty for every x and gets one more entry at each step: past[i] = x[i], after "
            "the question."
        ),
        "question gives the probability of a 1. What is the factor if x[i] is 0?",
    ],
    praise=(
        "any function whatever between 0 and 1 would have given a table that sums to one: that is the "
        "converse theorem"
    ),
)
def check_joint(answer):
    generator = Generator().manual_seed(3)
    for order in ([0], [0, 1, 2], [2, 0, 1], [3, 1, 0, 2]):
        D = len(order)
        seen = []
        answers = torch.rand(D, 3**D, generator=generator, dtype=torch.double)

        def question(i, past, seen=seen, answers=answers):
            code = sum((1 + int(past[j])) * 3**j for j in past)
            seen.append((i, frozenset(past)))
            return 0.05 + 0.9 * answers[i, code].item()

        got = answer(question, order)
        if got is None:
            return NOTHING.format("It is to return a table with one axis per bit")
        got = torch.as_tensor(got)
        if tuple(got.shape) != (2,) * D:
            return f"for {D} bits the table should have shape {(2,) * D}, yours has {tuple(got.shape)}"
        place = {i: k for k, i in enumerate(order)}
        for i, known in seen:
            if known != set(order[: place[i]]):
                return (
                    f"in the order {order}, question {i} was asked with the past {sorted(known)}; "
                    f"it should be {sorted(order[: place[i]])}, the bits before it in the order, each once"
                )
        right = _joint(question, order)
        if not torch.allclose(got.double(), right, atol=1e-5):
            if torch.allclose(got.double(), right.permute(*order), atol=1e-5) and D > 1:
                return (
                    "the axes are in the order of asking: table[x_0, x_1, …] wants them by the bits' own "
                    "numbers"
                )
            if abs(got.sum() - 1) > 1e-5:
                return (
                    f"your table sums to {got.sum():.4g}. question gives the probability of a 1: "
                    "where x[i] is 0 the factor is one minus that"
                )
            return (
                f"in the order {order} some entries are wrong, though they sum to one: which x does each "
                "factor belong to?"
            )
        if got.dtype != torch.double:
            return f"the numbers are right, but in {got.dtype}: make the table float64, or rounding shows"
    return None


@exercise(
    "03.3",
    asks="a function mask_of(order) that returns a D × D boolean mask",
    hints=[
        "Take the order 1, 2, 0. In which step is pixel 0 asked? And what is order[0]?",
        "order maps steps to pixels. You need the map from pixels to steps.",
    ],
    praise="`argsort` inverts a permutation. Test masks on orders that are not their own inverse",
)
def check_mask(answer):
    for order in ([0, 1, 2, 3], [3, 2, 1, 0], [1, 2, 0], [2, 0, 3, 1], [4, 1, 7, 0, 8, 3, 5, 2, 6]):
        order = torch.tensor(order)
        got = answer(order)
        if got is None:
            return NOTHING.format("It is to return a D × D boolean mask")
        got = torch.as_tensor(got).bool()
        right = past(order)
        if got.shape != right.shape:
            return (
                f"for {len(order)} pixels the mask should have shape {tuple(right.shape)}, yours has "
                f"{tuple(got.shape)}"
            )
        if torch.equal(got, right):
            continue
        name = order.tolist()
        if got.diagonal().any():
            return f"in the order {name} a pixel may see itself: the diagonal has to be empty"
        if torch.equal(got, torch.ones_like(right).tril(-1)):
            return f"that is the raster order's mask; for {name} it has to be another one"
        if torch.equal(got, right.T):
            return f"in the order {name} rows and columns are swapped: row i says what pixel i may look at"
        if torch.equal(got, order[None, :] < order[:, None]):
            return (
                f"that is the mask with the bug. In the order {name} it compares which pixel is asked in "
                "step i with which "
                "is asked in step j; compare *when* pixel i and pixel j are asked"
            )
        return (
            f"wrong for the order {name}: row {order[0]} should be empty, and row {order[-1]} full but for "
            "the diagonal"
        )
    return None


@exercise(
    "03.4",
    asks="a function ancestral(W, b, order, u) that returns images",
    hints=[
        "One loop over the order. Within it: one sum, one logistic function, one comparison with u[:, k].",
        "u[:, k] belongs to step k, and the bit it decides is x[:, order[k]].",
    ],
    praise=(
        "the same numbers u and the same weights give the same images for ever: that is how a sampler is "
        "tested"
    ),
)
def check_ancestral(answer):
    generator = Generator().manual_seed(4)
    for D, order in ((1, [0]), (5, [0, 1, 2, 3, 4]), (6, [2, 5, 0, 3, 1, 4])):
        W = 2 * torch.randn(D, D, generator=generator, dtype=torch.double)
        b = torch.randn(D, generator=generator, dtype=torch.double)
        u = torch.rand(200, D, generator=generator, dtype=torch.double)
        order = torch.tensor(order)
        kept = u.clone()
        got = answer(W.clone(), b.clone(), order.clone(), u)
        if got is None:
            return NOTHING.format("It is to return the images, of the shape of u")
        if not isinstance(got, Tensor) or got.shape != u.shape:
            return f"the images should be a tensor of shape {tuple(u.shape)}, you return {_shape(got)}"
        if not torch.equal(u, kept):
            return "you changed u: write the bits into a tensor of their own"
        got = got.double()
        if not ((got == 0) | (got == 1)).all():
            return "images are zeros and ones: compare u with the probability, do not return the probability"
        right = _ancestral(W, b, order, u)
        if torch.equal(got, right):
            continue
        if torch.equal(got, 1 - right) or torch.equal(got, _ancestral(W, b, order, u, flip=True)):
            return "the comparison is the wrong way round: the bit is 1 with probability p, so where u < p"
        alone = torch.sigmoid(b)
        if any(torch.equal(got, (v < alone).double()) for v in (u, u[:, order.argsort()])):
            return (
                "every bit is drawn from its bias alone: the sum over bits that are drawn already is missing"
            )
        if torch.equal(got, _ancestral(W, b, order, torch.full_like(u, 0.5))):
            return "you take the likelier value at every step. That is one image, not a draw: compare with u"
        if torch.equal(got, _ancestral(W, b, torch.arange(D), u)):
            return f"you draw in raster order, and the order is {order.tolist()}"
        by_position = torch.empty_like(u)
        by_position[:, :] = u[:, order]
        if torch.equal(got, _ancestral(W, b, order, by_position)):
            return "in step k use u[:, k]; you use u[:, i], where i is the pixel"
        if torch.equal(got, _ancestral(W.T, b, order, u)):
            return "rows and columns of W are swapped: W[i, j] is what pixel i makes of pixel j"
        return (
            f"wrong in the order {order.tolist()}: in step k, p = σ(b_i + Σ_j W_ij x_j) with i = order[k] "
            "and the bits drawn so far"
        )
    return None


@exercise(
    "03.5",
    asks="a function per_character(nats, length) that returns bits per character and perplexity",
    hints=[
        "First nats per character. Then: how many nats is one bit?",
        "If all of P symbols are equally likely, how many nats does one of them cost?",
    ],
    praise="1.5 nats a character are 2.16 bits, or a choice among 4.5 equally likely symbols",
)
def check_units(answer):
    for nats, length in ((math.log(2), 1), (96.0, 64), (300.0, 128), (10.0, 50)):
        found = answer(nats, length)
        if found is None:
            return NOTHING.format("It is to return two numbers: bits per character and perplexity")
        found = _pair(found)
        if found is None:
            return "return two numbers: bits per character, perplexity"
        bits, perplexity = map(float, found)
        each = nats / length
        if _close(bits, each * math.log(2)) and not _close(bits, each / math.log(2)):
            return (
                "there are more bits than nats, since a bit is the smaller unit (0.693 nats): divide by ln 2"
            )
        if length > 1 and (_close(bits, nats / math.log(2)) or _close(perplexity, math.exp(min(nats, 700)))):
            return "per character, please: the nats are those of a whole window of `length` symbols"
        if _close(bits, each):
            return "these are nats per character; a bit is ln 2 nats"
        if not _close(bits, each / math.log(2)):
            return (
                f"bits per character of {nats:.4g} nats in {length} symbols: you give {bits:.4g}, it is "
                f"{each / math.log(2):.4g}"
            )
        if _close(perplexity, 2**each) and not _close(perplexity, math.exp(each)):
            return (
                "the perplexity is 2 to the power of the *bits*, or e to the power of the nats: you took 2 "
                "to the power of the nats"
            )
        if not _close(perplexity, math.exp(each)):
            return (
                f"perplexity of {each:.4g} nats per character: you give {perplexity:.4g}, it is "
                f"{math.exp(each):.4g}"
            )
    return None


@exercise(
    "03.6",
    asks="a pair (W, b) of a 4 × 4 tensor and a vector of four",
    hints=[
        (
            "p(x_3 | x_0, x_1) and p(x_2 | x_0, x_1, x_3) are what is asked in the new order. Which one is "
            "in danger?"
        ),
        (
            "The log-odds of x_2 contain log(1 + e^a) − log(1 + e^(a + w)), where a depends on x_0 and x_1 "
            "and w = W[3, 2]."
        ),
        (
            "Let W[3, 0], W[3, 1] and W[3, 2] be all different from zero; if the curve happens to be "
            "symmetric there, change b[3]."
        ),
    ],
    praise="with three bits it cannot be done: a function of one bit is always a weighted sum",
)
def check_order_matters(answer):
    found = _pair(answer)
    if found is None:
        return "give a pair: (W, b)"
    W, b = (torch.as_tensor(part).detach().double() for part in found)
    if W.shape != (4, 4) or b.shape != (4,):
        return f"W should be 4 × 4 and b a vector of four; yours are {tuple(W.shape)} and {tuple(b.shape)}"
    if not (W.isfinite().all() and b.isfinite().all()) or max(W.abs().max(), b.abs().max()) > 6:
        return (
            "weights and biases should be finite and at most 6 in size: beyond that it is rounding that "
            "decides"
        )
    if (W.triu() != 0).any():
        return (
            "in raster order W[i, j] may only be different from zero for j < i: clear the diagonal and what "
            "is above it"
        )
    bend = _bend(W, b)
    if bend < 0.05:
        zero = [f"W[3, {j}]" for j in range(3) if W[3, j] == 0]
        if zero:
            return (
                f"this one is an FVBN in the order 0, 1, 3, 2 as well: with {' and '.join(zero)} = 0 the "
                "last bit "
                "cannot carry a product of x_0 and x_1 into the log-odds of x_2"
            )
        return (
            f"the log-odds of x_2 contain x_0·x_1 with a weight of only {bend:.2g}, where at least 0.05 is "
            "wanted: "
            "the curve log(1 + e^a) − log(1 + e^(a + w)) is nearly straight or symmetric where you use it. "
            "Change b[3]"
        )
    return None


@exercise(
    "03.7",
    asks="a 2 × 2 float64 tensor of probabilities",
    hints=[
        "If x_0 and x_1 are independent, the two agree. So make x_1 depend on x_0.",
        (
            "Tempering the joint favours single cells that are large; tempering x_0 first favours rows "
            "whose *sum* is large."
        ),
        (
            "Let the first row be a little heavier and spread evenly, the second row lighter and all in one "
            "cell."
        ),
    ],
    praise="beam search and low-temperature text live in this gap",
)
def check_temperature(answer):
    table = torch.as_tensor(answer).detach().double()
    if table.shape != (2, 2):
        return f"expected a 2 × 2 table, got shape {tuple(table.shape)}"
    if not (table > 0).all():
        return "all four probabilities have to be positive"
    if abs(table.sum() - 1) > 1e-6:
        return f"the four numbers sum to {table.sum():.4g}: probabilities sum to one"
    jointly, by_question = _tempered(table, 0.5)
    distance = (jointly - by_question).abs().sum().item() / 2
    if distance < 1e-9:
        return (
            "the two distributions agree exactly: both rows have the same concentration (independent bits, "
            "for example)"
        )
    if distance < 0.15:
        return (
            f"the total variation is {distance:.3f}, and at least 0.15 is wanted: make one row spread out "
            "and the other concentrated"
        )
    return None


@exercise(
    "03.8",
    asks="a function best_tree(joint) that returns D − 1 pairs",
    hints=[
        (
            "Entropies of one and of two bits come from the table by summing over the other axes; "
            "torch.special.entr(p) is −p log p."
        ),
        "Sort all pairs by mutual information, and take them one by one.",
        "Skip a pair if a path already joins its two bits; a list of component numbers is enough to know.",
    ],
    praise="now the open part: does an order from the tree beat raster order on the digits?",
)
def check_tree(answer):
    generator = Generator().manual_seed(8)
    chain = torch.tensor([3, 0, 4, 1, 2])
    for D, kind in ((2, "random"), (3, "random"), (5, "chain"), (6, "random")):
        joint = torch.rand([2] * D, generator=generator, dtype=torch.double) ** 3
        if kind == "chain":
            joint = _markov(chain, generator)
        joint /= joint.sum()
        tree = answer(joint.clone())
        if tree is None:
            return NOTHING.format("It is to return a list of D − 1 pairs (i, j)")
        tree = [tuple(sorted((int(i), int(j)))) for i, j in tree]
        if len(tree) != D - 1:
            return f"a tree on {D} bits has {D - 1} edges, yours has {len(tree)}"
        if not _is_tree(tree, D):
            return f"these edges do not make a tree on {D} bits: {tree} has a cycle, or leaves a bit out"
        gain = _mutual_information(joint)
        best = sum(gain[edge] for edge in _spanning_tree(gain, D))
        got = sum(gain[edge] for edge in tree)
        if got < best - 1e-9:
            if abs(got - sum(gain[edge] for edge in _spanning_tree({e: -g for e, g in gain.items()}, D))) < 1e-9:
                return "this is the *worst* tree: take the pairs of highest mutual information first"
            return (
                f"a tree, but not the best: its mutual informations sum to {got:.4f} nats, and {best:.4f} is "
                "possible"
            )
    return None


def _pair(value):
    """Two items, or None."""
    if isinstance(value, str | dict) or not hasattr(value, "__len__") or len(value) != 2:
        return None
    return tuple(value)


def _short(number: int) -> str:
    return str(number) if number < 10**7 else f"{number:.4g}" if number < 10**300 else "2^D − 1"


def _shape(value) -> str:
    return f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__


def _close(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=1e-4)


def _joint(question, order) -> Tensor:
    table = torch.zeros([2] * len(order), dtype=torch.double)
    for x in itertools.product((0, 1), repeat=len(order)):
        probability, known = 1.0, {}
        for i in order:
            p_one = question(i, dict(known))
            probability *= p_one if x[i] else 1 - p_one
            known[i] = x[i]
        table[x] = probability
    return table


def _ancestral(W, b, order, u, flip: bool = False) -> Tensor:
    x = torch.zeros_like(u)
    for k, i in enumerate(order.tolist()):
        p = torch.sigmoid(b[i] + x @ W[i])
        x[:, i] = ((u[:, k] >= p) if flip else (u[:, k] < p)).double()
    return x


def _bend(W, b) -> float:
    """The weight of x_0·x_1 in the log-odds of x_2 given the others: zero for an FVBN in the order 0, 1, 3, 2."""

    def g(x_0, x_1):
        a = b[3] + W[3, 0] * x_0 + W[3, 1] * x_1
        return F.softplus(a) - F.softplus(a + W[3, 2])

    return abs(g(1, 1) - g(1, 0) - g(0, 1) + g(0, 0)).item()


def _tempered(table, temperature):
    """The joint to the power 1/τ; and the first bit's marginal and the second's conditional, each to that power."""
    sharp = table ** (1 / temperature)
    first = table.sum(1) ** (1 / temperature)
    return sharp / sharp.sum(), (first / first.sum())[:, None] * sharp / sharp.sum(1, keepdim=True)


def _mutual_information(joint) -> dict[tuple[int, int], float]:
    def entropy(*keep):
        others = [k for k in range(joint.ndim) if k not in keep]
        return torch.special.entr(joint.sum(others) if others else joint).sum().item()

    pairs = itertools.combinations(range(joint.ndim), 2)
    return {(i, j): entropy(i) + entropy(j) - entropy(i, j) for i, j in pairs}


def _spanning_tree(gain, D):
    """Edges of the tree of highest total gain (Kruskal)."""
    component, tree = list(range(D)), []
    for i, j in sorted(gain, key=gain.get, reverse=True):
        if component[i] != component[j]:
            component = [component[i] if c == component[j] else c for c in component]
            tree.append((i, j))
    return tree


def _is_tree(edges, D) -> bool:
    known = {(i, j) for i in range(D) for j in range(i + 1, D)}
    return set(edges) <= known and len(_spanning_tree(dict.fromkeys(edges, 1.0), D)) == D - 1


def _markov(order, generator) -> Tensor:
    """A table in which each bit depends on the one before it in ``order`` alone."""
    D = len(order)
    stays = 0.6 + 0.35 * torch.rand(D, generator=generator)
    table = torch.zeros([2] * D, dtype=torch.double)
    for x in itertools.product((0, 1), repeat=D):
        path = [x[i] for i in order.tolist()]
        table[x] = 0.5 * math.prod(
            (stays[k] if a == b else 1 - stays[k]).item() for k, (a, b) in enumerate(itertools.pairwise(path))
        )
    return table
