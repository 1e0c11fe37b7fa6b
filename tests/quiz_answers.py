"""What the questions of the chapters ask, computed: by counting, quadrature, enumeration, or on the embedded data.

A function named ``answer_NN_name`` computes the answer of the question ``name`` of chapter ``NN`` (``_`` for ``-``).
For a number it returns all of the file's numbers, the right one first, each by the route that its text tells; for
options, the letter of the right one.
"""

import itertools
import math

import torch
import torch.nn.functional as F

from dgmhelpers import data, masks
from dgmhelpers.autoregressive import FVBN, Transformer

LN2 = math.log(2)


def letter(values, best=min):
    """The letter of the best of some values, in the order of the options."""
    return "abcde"[list(values).index(best(values))]


def normal(x, mean, std):
    return torch.exp(-0.5 * ((x - mean) / std) ** 2) / (std * math.sqrt(2 * math.pi))


def kl(p, q, dx=1.0):
    """KL in nats, of tables or of densities on a grid."""
    return (torch.special.xlogy(p, p) - torch.where(p > 0, p * q.clamp(min=1e-300).log(), 0.0)).sum().item() * dx


def bits(n):
    return torch.tensor(list(itertools.product((0.0, 1.0), repeat=n)), dtype=torch.double)


# Chapter 01


def answer_01_augmenter():
    digits, g = data.load("digits8"), torch.Generator().manual_seed(0)
    train, test = (((s + torch.rand(s.shape, generator=g, dtype=torch.double)) / 17).flatten(1)
                   for s in (digits.train, digits.test))
    sigma = 0.02

    def hills(x):
        constant = 64 * math.log(sigma * math.sqrt(2 * math.pi)) + math.log(len(train))
        return ((-torch.cdist(x, train) ** 2 / (2 * sigma**2)).logsumexp(1) - constant).mean().item()

    seen, unseen = hills(train), hills(test)
    assert 180 < seen < 188 and -1230 < unseen < -1200              # 0 is the program without an opinion
    return "c"


def answer_01_free_numbers():
    images = len(list(itertools.product((0, 1), repeat=3 * 4)))
    return images - 1, images, 3 * 4, 2 * 3 * 4


def answer_01_strictly_below():
    sums = torch.tensor([0.0, 0.5, 0.5], dtype=torch.double).cumsum(0)
    u = torch.tensor([0.0, 0.25, 0.75], dtype=torch.double)
    loose, strict = (torch.searchsorted(sums, u, right=right).tolist() for right in (False, True))
    assert strict == [1, 1, 2] and loose == [0, 1, 2]               # the zero alone moves, to what is impossible
    return "a"


def answer_01_stretched():
    x, h = torch.tensor(1 / 16, dtype=torch.double), 1e-6
    by_difference = ((x + h).sqrt() - (x - h).sqrt()) / (2 * h)     # the slope of P(x ≤ t) = P(z ≤ √t) = √t
    slope = 2 * x.sqrt()
    return by_difference.item(), slope.item(), 1.0, (1 / (2 * x)).item()


def answer_01_sideways():
    x = torch.randn(100, 64, generator=torch.Generator().manual_seed(0), dtype=torch.double)
    W = torch.randn(10, 64, generator=torch.Generator().manual_seed(1), dtype=torch.double)
    p = (100 * x @ W.T).softmax(1)                                  # of nothing in particular, and far from any data
    assert (p.sum(1) - 1).abs().max() < 1e-12 and (p.max(1).values > 0.9).double().mean() > 0.9
    return "d"


# Chapter 02


def answer_02_units():
    nats, D = 22.18, 8 * 8
    return nats / LN2 / D, nats / LN2, nats / D, nats * LN2 / D


def answer_02_direction():
    x = torch.linspace(-12, 12, 24_001, dtype=torch.double)
    p = (normal(x, -3, 0.5) + normal(x, 3, 0.5)) / 2
    spread = math.sqrt(0.5**2 + 3**2)
    return letter([kl(p, q, 1e-3) for q in (normal(x, 3, 0.5), normal(x, 0, spread), normal(x, 0, 0.5))])


def answer_02_laplace():
    counts = torch.zeros(17, dtype=torch.double)
    counts[0] = 30
    smoothed = (counts + 1) / (counts + 1).sum()
    return smoothed[15].item(), counts[15].item(), 1 / 31, 1 / 30, 1 / 17


def answer_02_constant_pixel():
    at_its_mean = [-0.5 * math.log(2 * math.pi * variance) for variance in (1e-4, 1e-8)]
    return at_its_mean[1] - at_its_mean[0], math.log(1e4), 0.0, math.log10(1e4)


# Chapter 03


def answer_03_saves():
    K, D = 4, 3
    pasts = [K**k for k in range(D)]
    free = sum(n * (K - 1) for n in pasts)
    assert free == K**D - 1
    return free, K**D, D * (K - 1), sum(pasts), sum(n * K for n in pasts)


def answer_03_order():
    p = torch.rand(2, 2, 2, generator=torch.Generator().manual_seed(0), dtype=torch.double)
    p /= p.sum()

    def entropy(*keep):
        others = [k for k in range(3) if k not in keep]
        return torch.special.entr(p.sum(others) if others else p).sum()

    def shares(order):
        so_far = [entropy(*order[: k + 1]) - (entropy(*order[:k]) if k else 0) for k in range(3)]
        return torch.stack(so_far)[torch.tensor(order).argsort()]   # each pixel's mean surprise

    a, b = shares([0, 1, 2]), shares([2, 1, 0])
    assert torch.allclose(a.sum(), b.sum()) and (a - b).abs().max() > 1e-3
    return "d"


def answer_03_peeking():
    each = [math.prod(0.9 for _ in image) for image in itertools.product((0, 1), repeat=4)]
    return sum(each), 1.0, float(len(each)), each[0]


def answer_03_waiting():
    model, D = FVBN(dim=64), 64
    steps = 0
    questions = model.conditionals(1)
    next(questions)
    for _ in range(D):                                              # each answer is handed in before the next question
        steps += 1
        try:
            questions.send(torch.zeros(1))
        except StopIteration:
            break
    return steps, 1, D * D, 8


# Chapter 04


def answer_04_strict():
    degree, places = 2, torch.tensor([1, 2, 3])
    listeners = (places > degree).nonzero().flatten().tolist()
    return "abcd"[[[1, 2], [2], [0, 1], [0, 1, 2]].index(listeners)]


def answer_04_multiplications():
    D, H = 9, 4
    columns = sum(1 for _ in range(1, D)) * H                       # for a_2, …, a_D
    from_definition = sum(k - 1 for k in range(1, D + 1)) * H
    rows = D * H
    return columns + rows, from_definition + rows, 2 * D * H, rows


def answer_04_averages():
    x = bits(3)
    models = []
    for seed, order in enumerate(itertools.permutations(range(3))):
        torch.manual_seed(seed)
        model = FVBN(dim=3, order=torch.tensor(order)).double()
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=2.0)
        models.append(model)
    with torch.no_grad():
        logits = torch.stack([model(x) for model in models])        # (S, 8, 3)
    each = -F.binary_cross_entropy_with_logits(logits, x.expand_as(logits), reduction="none")
    sums = [
        (-F.binary_cross_entropy_with_logits(logits.mean(0), x, reduction="none")).sum(1).exp().sum(),
        each.exp().mean(0).prod(1).sum(),
        each.sum(2).mean(0).exp().sum(),
        each.sum(2).exp().mean(0).sum(),
    ]
    assert sums[2] < 0.999 and min(abs(s - 1) for s in sums[:3]) > 1e-3 > 1e-9 > abs(sums[3] - 1)
    return letter([abs(s - 1).item() for s in sums])


def answer_04_blind_outputs():
    D, degrees = 6, torch.tensor([1, 2, 4, 4])
    place = torch.arange(1, D + 1)
    first, last = degrees[:, None] >= place[None, :], place[:, None] > degrees[None, :]
    reached = last.double() @ first.double() > 0
    blind = (masks.past(torch.arange(D)) & ~reached).any(1).sum().item()
    without_the_last_gap = len(set(range(1, 5)) - set(degrees.tolist()))
    with_the_first = sum(k - 1 not in degrees for k in range(1, D + 1))
    return blind, without_the_last_gap, D - blind, with_the_first


# Chapter 05


def answer_05_hole():
    """Three pixels, raster order: for each hole, whether the sampler's chance of a filling is the exact conditional."""
    x, g = bits(3), torch.Generator().manual_seed(5)
    joint = torch.rand(8, generator=g).double()
    joint /= joint.sum()
    index = {tuple(row): k for k, row in enumerate(x.long().tolist())}

    def probability(fixed):
        return sum(joint[k] for row, k in index.items() if all(row[i] == v for i, v in fixed.items()))

    def is_exact(hole):
        gaps = []
        for row, k in index.items():
            known = {i: row[i] for i in range(3) if i not in hole}
            drawn = 1.0
            for i in hole:
                past = {j: row[j] for j in range(i)}
                drawn *= probability(past | {i: row[i]}) / probability(past)
            gaps.append(abs(drawn - joint[k] / probability(known)))
        return max(gaps) < 1e-12

    holes = [hole for n in (1, 2) for hole in itertools.combinations(range(3), n)]
    assert [hole for hole in holes if is_exact(hole)] == [(2,), (1, 2)]  # the ends, and no other hole
    return "b"


def answer_05_price():
    D, S = 64, 4
    inputs = {(s, place) for s in range(S) for place in range(D)}
    return len(inputs), D, S, 1


def answer_05_agnostic():
    D, known, total = 10, 6, 2.0
    left = D - known
    each = total / left                                             # if every question costs this, the chain costs:
    assert math.isclose(D * each, D / left * total)
    return D * each, total, each, D / known * total, D / (left + 1) * total


def answer_05_negative():
    assert normal(torch.tensor(0.0), 0.0, 0.1) > 3.9 and normal(torch.tensor(0.0), 0.0, 10.0) < 0.04
    return "c"


# Chapters 06 and 07: who sees whom, by paths


def seen(kinds, size=7):
    """For one row of pixels: which of them the middle one sees through 1 × 3 kernels under these masks."""
    at = {size // 2}
    for kind in reversed(kinds):
        at = {i + step for i in at for step in ((-1,) if kind == "A" else (-1, 0)) if 0 <= i + step < size}
    return sorted(i - size // 2 for i in at)


def answer_06_masks():
    wanted = [-3, -2, -1]                                           # three layers reach so far, and not itself
    return "abcd"[[seen(kinds) == wanted for kinds in ("BBB", "AAA", "ABB", "ABA")].index(True)]


def answer_06_arithmetic():
    from torch.utils.flop_counter import FlopCounterMode

    from dgmhelpers.autoregressive import PixelCNN

    model = PixelCNN(event_shape=(1, 5, 5), channels=8, layers=4)

    def work(call):
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            call()
        return counter.get_total_flops()

    one = work(lambda: model(torch.zeros(1, 1, 5, 5)))
    cached = work(lambda: model.sample(1, method="cached")) / one
    naive = work(lambda: model.sample(1, method="naive")) / one
    assert naive == 25                                              # of 5 × 5 pixels; 784 of 28 × 28
    assert 0.8 < cached <= 1                                        # a pass also multiplies the padding at the borders
    return round(cached), 28 * 28, 28


def answer_06_lower_half():
    model = FVBN(dim=2).double()                                    # the first bit above, the second below
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(4.0 if parameter.ndim == 2 else -2.0)
    n, p = 20_000, torch.tensor([model.log_prob(x[None]).exp().item() for x in bits(2)]).reshape(2, 2)
    below = torch.ones(n, 2, dtype=torch.double)
    drawn = model.sample(n, given=below, known=torch.tensor([False, True]), generator=torch.Generator().manual_seed(0))
    share, error = drawn[:, 0].mean().item(), 0.5 / math.sqrt(n)
    assert (drawn[:, 1] == 1).all() and abs(share - p[1, 1] / p[:, 1].sum()) > 20 * error
    assert abs(share - p[1].sum()) < 5 * error
    return "b"


def answer_06_colours():
    joint = torch.rand(4, 4, generator=torch.Generator().manual_seed(0), dtype=torch.double)
    joint /= joint.sum()
    side_by_side = joint.sum(1, keepdim=True) * joint.sum(0)        # its best: the marginals
    assert abs(side_by_side.sum() - 1) < 1e-12 and kl(joint, side_by_side) > 1e-3
    return "d"


def answer_06_beginner():
    K, D = 4, 8 * 8
    return D * math.log(K), D * math.log2(K), D * LN2, math.log(K), D * K


def field(layers, half=1, both=False, merge=False):
    """Offsets (rows up, columns right) that a stack of masked kernels sees, or ``both`` stacks of a gated model."""
    if not both:
        hops = [(0, -c) for c in range(half + 1)]
        hops += [(u, c) for u in range(1, half + 1) for c in range(-half, half + 1)]
        at = {(0, 0)}
        for layer in reversed(range(layers)):
            at = {(u + i, r + j) for u, r in at for i, j in hops if layer or (i, j) != (0, 0)}
        return at
    at = {("h", 0, 0)}
    for layer in reversed(range(layers)):
        further = set()
        for stack, u, r in at:
            if stack == "h":
                further |= {("h", u, r - 1)} | ({("h", u, r)} if layer else set())
            if stack == "v" or stack == "h":                        # the link, and the vertical kernel of 2 × 3
                further |= {("v", u + i, r + j) for i in (0, 1) for j in (-1, 0, 1)}
            if stack == "v" and merge:
                further |= {("h", u, r - 1)} | ({("h", u, r)} if layer else set())
        at = further
    return {(u + (stack == "v"), r) for stack, u, r in at}          # the shift: one row up


def answer_07_which():
    inside = field(24)
    return "abcd"[[(1, 1) in inside, (3, 3) in inside, (2, -20) in inside, (1, 2) in inside].index(False)]


def answer_07_kernel():
    columns = range(1, 7)
    wide, narrow = field(12, half=2), field(12, half=1)
    blind = sum((1, r) not in wide for r in columns)
    return blind, sum((1, r) not in narrow for r in columns), 0, len(columns), len(columns) - blind


def answer_07_depth():
    past = {(u, r) for u in range(12) for r in range(-11, 12) if u > 0 or r < 0}
    always = {(u, r) for u, r in past if r > u >= 1}
    few, many = past - field(8), past - field(16)
    assert always < few and many == always
    return "a"


def answer_07_merge():
    def future(offsets):
        return {(u, r) for u, r in offsets if u < 0 or (u == 0 and r >= 0)}

    assert not future(field(4, both=True)) and future(field(4, both=True, merge=True))
    assert field(4, both=True) < field(4, both=True, merge=True)
    return "c"


def answer_07_price():
    H = W = 4

    def copies(up, right):
        return sum(i - up >= 0 and j + right < W for i in range(H) for j in range(W))

    return copies(1, 2) * LN2, H * W * LN2, copies(1, 2), copies(1, 1) * LN2, 0


# Chapter 09


def answer_09_scale():
    q, k = torch.randn(2, 200_000, 64, generator=torch.Generator().manual_seed(0))
    sums = torch.tensor([1.0] * 64).double()                                        # variances of the terms
    assert abs((q * k).sum(1).std().item() - sums.sum().sqrt().item()) < 0.1
    return [sums.sum().sqrt().item(), sums.sum().item(), 1, sums.sum().item() ** 2]


def answer_09_refused():
    p, q = torch.tensor([0.6, 0.3, 0.1]).double(), torch.tensor([0.2, 0.3, 0.5]).double()
    stays, best = torch.minimum(p, q), torch.zeros(3).double()
    best[p.argmax()] = 1
    ways = [p, stays / stays.sum(), (p - q).clamp(min=0) / (p - q).clamp(min=0).sum(), best]
    off = [(stays + (1 - stays.sum()) * way - p).abs().sum().item() for way in ways[:3]]
    p = torch.tensor([0.5, 0.4, 0.1]).double()               # two symbols that q draws too seldom
    stays = torch.minimum(p, q)
    return letter([*off, (stays + (1 - stays.sum()) * best - p).abs().sum().item()])


def answer_09_kept():
    p, q = torch.tensor([0.5, 0.3, 0.2]).double(), torch.tensor([0.2, 0.3, 0.5]).double()
    kept = (q * (p / q).clamp(max=1)).sum().item()
    return [kept, 1 - kept, (p / q).clamp(max=1).mean().item(), (p * q).sum().item()]


def answer_09_order():
    x = torch.randint(3, (1, 10), generator=torch.Generator().manual_seed(0))
    x[0, :2] = torch.tensor([0, 1])
    swapped, changes = torch.cat([x[:, [1, 0]], x[:, 2:]], 1), []
    for layers in (1, 2):
        torch.manual_seed(0)
        model = Transformer(length=10, levels=3, hidden=8, heads=2, layers=layers, position="none").double()
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.7)
        changes.append((model(x)[0, 9] - model(swapped)[0, 9]).abs().max().item() > 1e-9)
    return {(False, False): "a", (False, True): "b", (True, True): "c"}[tuple(changes)]


# Chapter 11


def answer_11_doubling():
    x = torch.zeros(1, 10, dtype=torch.double)
    J = torch.autograd.functional.jacobian(lambda x: 2 * x[0], x)[:, 0]
    right = torch.linalg.slogdet(J)[1].item()
    return right, -right, torch.linalg.slogdet(J[:1, :1])[1].item(), torch.linalg.det(J).item()


def answer_11_networks():
    """A layer whose networks break one demand at a time: which of them spoils the way back, or the density?"""
    keep = torch.tensor([True, False, True, False])
    x = torch.randn(5, 4, generator=torch.Generator().manual_seed(0), dtype=torch.double)
    W = torch.randn(4, 4, generator=torch.Generator().manual_seed(1), dtype=torch.double)

    def sound(seen, weights, squash):
        def layer(v):
            out = squash((v * seen) @ weights)
            return torch.where(keep, v, v * out.exp() + out)

        z = layer(x)
        out = squash((z * seen) @ weights)
        back = torch.where(keep, z, (z - out) * (-out).exp())
        J = torch.autograd.functional.jacobian(lambda v: layer(v).sum(0), x).transpose(0, 1)
        said = (squash((x * seen) @ weights) * ~keep).sum(1)
        return torch.allclose(back, x) and torch.allclose(torch.linalg.slogdet(J)[1], said)

    flat = W.clone()
    flat[:, 1:] = flat[:, :1]                                       # a matrix of rank one
    demands = [
        sound(keep, W, lambda a: a.square() / 9),                   # neither one-to-one
        sound(torch.ones(4, dtype=torch.bool), W, lambda a: a / 3),     # sees what moves
        sound(keep, W, lambda a: -a.tanh()),                        # decreases
        sound(keep, flat, torch.tanh),                              # no determinant at all
    ]
    return "abcd"[demands.index(False)]


def answer_11_bits():
    D, K, log_p = 64, 16, 88.72
    scale, flow = math.log2(K), log_p / (D * LN2)
    return scale - flow, -flow, scale + flow, (scale - flow) * LN2, (scale - flow) * D


def answer_11_bridge():
    """Mass between the islands of maps in one dimension: steeper, heavier tails, steeper still, two pieces of noise."""
    def between(slope, F):                                          # g(z) = slope z: islands beyond ±1
        return F(1 / slope) - F(-1 / slope)

    def phi(z):
        return 0.5 * math.erfc(-z / math.sqrt(2))

    def cauchy(z):
        return 0.5 + math.atan(z) / math.pi

    def pieces(z):                                                  # uniform on (−2, −1) and (1, 2)
        return 0.5 + math.copysign(min(max(abs(z) - 1, 0.0), 1.0) / 2, z)

    left = [between(1e3, phi), between(10, cauchy), between(1e6, phi), between(1, pieces)]
    return "abcd"[left.index(0.0)]


# Chapter 13


def answer_13_codes():
    g = torch.Generator().manual_seed(0)
    x, A, B = (torch.randn(shape, generator=g, dtype=torch.double) for shape in ((50, 6), (6, 2), (2, 6)))
    z = torch.randn(20, 2, generator=g, dtype=torch.double)
    losses = [((x - (s * (x @ A)) / s @ B) ** 2).sum().item() for s in (1, 10)]
    assert math.isclose(*losses) and (z @ B - z / 10 @ B).abs().max() > 1
    return "a"


def answer_13_gap():
    log_p, elbo, rate = -90.0, -92.5, 6.0
    return log_p - elbo, rate, log_p - elbo + rate, rate - (log_p - elbo)


def answer_13_rate():
    z = torch.linspace(-12, 16, 28_001, dtype=torch.double)
    mean, s = 2.0, 1.0
    total = mean**2 + s**2 - 1 - math.log(s**2)
    return kl(normal(z, mean, s), normal(z, 0, 1), 1e-3), total, 0.0, (total + 1) / 2


def answer_13_thousand_draws():
    prior, given, q = (torch.tensor(v, dtype=torch.double) for v in ([0.5, 0.5], [0.9, 0.2], [0.3, 0.7]))
    w = prior * given / q                                           # (2,): the weight of each value of z
    bounds = []
    for k in (1, 2, 3, 6):
        draws = torch.tensor(list(itertools.product((0, 1), repeat=k)))
        bounds.append((q[draws].prod(1) * w[draws].mean(1).log()).sum().item())
    truth = math.log((prior * given).sum())
    assert bounds == sorted(bounds) and bounds[-1] < truth          # in nats: too high, and less so with more draws
    return "d"


def answer_13_mean_squared_error():
    D = 64
    v = D / 2                                                       # 1/2v is the factor of the sum of squares, 1/D
    x = torch.randn(2, D, generator=torch.Generator().manual_seed(0), dtype=torch.double)
    nats = -normal(x, 0.0, math.sqrt(v)).log().sum(1)
    assert math.isclose((nats[0] - nats[1]).item(), ((x[0] ** 2).mean() - (x[1] ** 2).mean()).item())
    return v, 0.5, float(D), math.sqrt(v), 1 / (2 * D)


# Chapter 21


def answer_21_answer():
    p, q = 1.0, 4.0
    y = torch.linspace(0.001, 0.999, 9981, dtype=torch.double)
    best = y[(p * y.log() + q * (1 - y).log()).argmax()].item()
    return best, p / q, 1 - best, q / p, 0.5


def answer_21_at_log_four():
    real = torch.special.ndtri((torch.arange(1000, dtype=torch.double) + 0.5) / 1000)
    fake = torch.tensor([-1.0, 1.0], dtype=torch.double).repeat(500)
    w = torch.zeros(2, dtype=torch.double, requires_grad=True)      # her logit is w₀ + w₁x, and the loss is convex
    loss = F.softplus(-(w[0] + w[1] * real)).mean() + F.softplus(w[0] + w[1] * fake).mean()
    (slope,) = torch.autograd.grad(loss, w)
    assert math.isclose(loss.item(), math.log(4)) and slope.abs().max() < 1e-12
    return "c"


def answer_21_disjoint():
    p, q = torch.tensor([0.5, 0.5, 0, 0]).double(), torch.tensor([0, 0, 0.3, 0.7]).double()
    m = (p + q) / 2
    best = p / (p + q)
    value = (torch.special.xlogy(p, best) + torch.special.xlogy(q, 1 - best)).sum().item()
    jsd = (kl(p, m) + kl(q, m)) / 2
    assert math.isclose(value, 2 * jsd - math.log(4), abs_tol=1e-12)
    return value, -math.log(4), jsd, math.log(4)


def answer_21_deaf():
    a = torch.logit(torch.tensor(0.001, dtype=torch.double)).requires_grad_()
    minimax, saturating = -F.softplus(a), F.softplus(-a)
    (low,), (high,) = (torch.autograd.grad(f, a) for f in (minimax, saturating))
    return (high / low).item(), -low.item(), -high.item(), 1.0


def answer_21_one_hill():
    x = torch.linspace(-12, 12, 24_001, dtype=torch.double)
    p = (normal(x, -3, 0.5) + normal(x, 3, 0.5)) / 2

    def descended(q):
        m = (p + q) / 2
        return kl(q, p, 1e-3) - kl(p, m, 1e-3) - kl(q, m, 1e-3)

    spread = math.sqrt(0.5**2 + 3**2)
    return letter([descended(q) for q in (normal(x, 3, 0.5), normal(x, 0, spread), normal(x, 0, 0.5))])


# Chapter 22


def answer_22_growth():
    x, y = 1.0, 0.0
    for _ in range(500):
        x, y = x - 0.1 * y, y + 0.1 * x
    r = math.hypot(x, y)
    return r, 1.0, r**2, 1 + 0.1 * 500


def answer_22_turns():
    x, y, distances = 1.0, 0.0, []
    for _ in range(5000):
        x -= 0.1 * y
        y += 0.1 * x
        distances.append(math.hypot(x, y))
    assert 0.95 < min(distances) and max(distances) < 1.06
    assert abs(max(distances[:100]) - max(distances[-100:])) < 1e-2 > abs(min(distances[:100]) - min(distances[-100:]))
    return "b"


def answer_22_largest_step():
    a = 0.2 + 0.4j
    steps = [i / 1000 for i in range(1, 12_000)]
    factor = {step: abs(1 - step * a) for step in steps}
    return max(s for s in steps if factor[s] < 1), 2 / a.real, min(steps, key=factor.get), 0


def answer_22_frozen():
    a = torch.tensor([0.3, 1.0, -0.5, 0.9], dtype=torch.double)
    logits = torch.zeros(4, dtype=torch.double, requires_grad=True)
    for _ in range(2000):
        cost = (logits.softmax(0) * F.softplus(-a)).sum()
        (slope,) = torch.autograd.grad(cost, logits)
        logits.data -= 10 * slope
    assert logits.softmax(0)[a.argmax()] > 0.99
    return "c"


def answer_22_order_of_play():
    p = torch.full((8,), 1 / 8, dtype=torch.double)
    found = []
    for cost in (lambda a: -F.softplus(a), lambda a: F.softplus(-a), lambda a: -a.exp()):
        logits = torch.randn(8, generator=torch.Generator().manual_seed(0), dtype=torch.double).requires_grad_()
        for _ in range(3000):
            best = (p / logits.softmax(0)).log().detach()
            (slope,) = torch.autograd.grad((logits.softmax(0) * cost(best)).sum(), logits)
            logits.data -= 0.5 * slope
        found.append((logits.softmax(0) - p).abs().max().item() < 1e-3)
    return "abcd"[[[True] * 3, [False, False, True], [True, False, True], [False] * 3].index(found)]


def answer_22_coupled():
    """Modes in the generator's best answer, for the logits 0.5, 1, −1, 0.9 of four modes, after each change."""
    a = torch.tensor([0.5, 1.0, -1.0, 0.9], dtype=torch.double)

    def answered(cost_of) -> int:
        logits = torch.zeros(4, dtype=torch.double, requires_grad=True)
        for _ in range(4000):
            (slope,) = torch.autograd.grad(cost_of(logits.softmax(0)), logits)
            logits.data -= 5 * slope
        return int((logits.softmax(0) > 0.05).sum())

    pair = a[:, None] + a - 4 * torch.eye(4, dtype=torch.double)
    several = [
        answered(lambda q: (q * F.softplus(-a / 2)).sum()) > 1,                  # half as steep
        answered(lambda q: (q.outer(q) * F.softplus(-pair)).sum()) > 1,
        answered(lambda q: (q * -F.softplus(a)).sum()) > 1,
        answered(lambda q: 0.1 * (q * F.softplus(-a)).sum()) > 1,                # a tenth of each step
    ]
    assert sum(several) == 1
    return "abcd"[several.index(True)]
