"""Checkers for chapter 01, What is a generative model?"""

import math

import torch
from torch import Generator, Tensor

from dgmhelpers.exercises.feedback import exercise

NOTHING = "not answered yet: the function returns nothing. It is to return {}"

# --- 01.1 ---------------------------------------------------------------------------------------------------------

_PARTS = {
    "foundations": "Foundations: what it means to know a distribution, and how to learn one",
    "autoregressive": "Autoregressive models: exact probabilities, one value after another",
    "flows": "Flows: exact probabilities and one-pass samples, by maps that can be undone",
    "latent": "Latent variables: a short code behind every image, learned through a bound",
    "energy": "Energy and diffusion: scores instead of probabilities, many small steps",
    "adversarial": "Adversarial models: samples without a density, judged by a second network",
    "work": "At work: what people build with them, and which one to choose",
}
_WANTED = {
    "compress": ("autoregressive", "a file is as short as the model's exact −log p(x), and slow is acceptable"),
    "undo": ("flows", "only a map that can be undone gives every image its own noise, and its exact density with it"),
    "edit": ("latent", "a few numbers that describe a face, with an encoder that finds them, are a latent code"),
    "restore": ("energy", "moving uphill in log p step by step asks only for the slope of log p, not for p"),
    "render": ("adversarial", "one pass, sharp, and nobody asks for p(x): a density would be paid for and not used"),
    "compare": ("work", "choosing among families needs all of them on the same data, which is what the end does"),
}


@exercise(
    "01.1",
    asks="a dict from each of the six situations to one of " + ", ".join(_PARTS),
    hints=[
        "ask of each situation: does it need p(x)? exactly? does speed matter? is there a code to keep?",
        "the map above, sorted by what models tell you of p(x), separates 'compress' from 'render'",
        "'undo' needs a map that can be run backwards; 'restore' needs only to know which way is uphill",
    ],
    praise="you know where to go for what; that is what a map is for.",
)
def _parts(answer):
    if not isinstance(answer, dict):
        return f"expected a dict, got {type(answer).__name__}"
    missing = [name for name in _WANTED if answer.get(name) in (None, ...)]
    if missing:
        return f"not answered yet: name a part for {', '.join(missing)}"
    for name, (wanted, why) in _WANTED.items():
        given = answer[name]
        if given not in _PARTS:
            return f"{name!r}: there is no part {given!r}; the parts are {', '.join(_PARTS)}"
        if given != wanted:
            return f"{name!r}: not {given!r} ({_PARTS[given]}). Think again: {why}"
    return None


# --- 01.2 ---------------------------------------------------------------------------------------------------------

_COUNTS = [(1, 1, 1, 2), (2, 3, 1, 2), (8, 8, 1, 17), (100, 100, 3, 256), (5, 7, 3, 10), (28, 28, 1, 256)]


def _scientific(levels: int, values: int) -> tuple[float, int]:
    """``levels ** values`` as (leading digits cut after the second decimal, power of ten), from whole numbers."""
    number = levels**values
    exponent = int(math.log10(levels) * values)
    exponent += 1 if 10 ** (exponent + 1) <= number else -1 if 10**exponent > number else 0
    return number * 100 // 10**exponent / 100, exponent


@exercise(
    "01.2",
    asks="a function (height, width, channels, levels) → (mantissa, exponent)",
    hints=[
        "each of the height · width · channels values has `levels` choices, so the choices multiply",
        "a float ends at 10^308: use whole numbers, levels ** values, or logarithms",
        "exponent = floor(values · log10(levels)); mantissa = 10 ** (what is left)",
    ],
    praise="whole numbers do not overflow in Python; that is how the page could check the slide.",
)
def _count(answer):
    for height, width, channels, levels in _COUNTS:
        values = height * width * channels
        mantissa, exponent = _scientific(levels, values)
        case = f"{height} × {width} pixels, {channels} channel(s), {levels} levels"
        got = answer(height, width, channels, levels)
        if got is None:
            return NOTHING.format("(mantissa, exponent)")
        got_mantissa, got_exponent = got
        got_mantissa, got_exponent = float(got_mantissa), int(got_exponent)
        if not math.isfinite(got_mantissa):
            return f"{case}: the mantissa is {got_mantissa}: a float overflows at 10^308"
        if (got_mantissa, got_exponent) == (0.0, 0) or not 1 <= got_mantissa < 10:
            return f"{case}: the mantissa must lie between 1 and 10, got {got_mantissa:g} · 10^{got_exponent}"
        close = abs(got_mantissa - mantissa) < 0.02
        if close and got_exponent == exponent:
            continue
        if channels > 1 and got_exponent == _scientific(levels, height * width)[1]:
            return f"{case}: that counts one channel; every pixel has {channels} values"
        if got_exponent == _scientific(values, levels)[1]:
            return f"{case}: base and exponent are swapped: each value has `levels` choices, so levels ** values"
        if close and exponent - got_exponent == 2:
            return f"{case}: the exponent is two too small, the slip of the lecture slide: 158 · 10^k = 1.58 · 10^(k+2)"
        if close or abs(exponent - got_exponent) == 1:
            return f"{case}: expected 10^{exponent}, got 10^{got_exponent}: is the mantissa between 1 and 10?"
        return f"{case}: expected about {mantissa:.2f} · 10^{exponent}, got {got_mantissa:.2f} · 10^{got_exponent}"
    return None


# --- 01.3 ---------------------------------------------------------------------------------------------------------


@exercise(
    "01.3",
    asks="a function (p, u) → index: which outcome the number u in [0, 1) picks",
    hints=[
        "cumulative sums: torch.cumsum(p, 0)",
        "the smallest i whose cumulative sum is *above* u; torch.searchsorted has an argument `right`",
        "rounding may leave the last sum a hair below one, so the index can run off the end: clamp it — to what?",
    ],
    praise="zero-probability outcomes never come up, and rounding never runs off the end.",
)
def _inverse(answer):
    if answer(torch.ones(1, dtype=torch.double), torch.zeros(1, dtype=torch.double)) is None:
        return NOTHING.format("one index for each u")

    def ask(p, u):
        got = answer(torch.tensor(p, dtype=torch.double), torch.tensor(u, dtype=torch.double))
        return torch.as_tensor(got).long().tolist()

    plain = [0.05, 0.25, 0.45, 0.75, 0.999]
    got = ask([0.1, 0.2, 0.3, 0.4], plain)
    if not isinstance(got, list) or len(got) != len(plain):
        return f"one index for each u: {len(plain)} numbers in, {got} out"
    wanted = [0, 1, 2, 3, 3]
    if got != wanted:
        if [g - 1 for g in got] == wanted:
            return "outcomes count from 0, as tensors do: yours start at 1"
        if [3 - g for g in got] == wanted:
            return "that runs through the outcomes backwards"
        if all(g in (w, w - 1) for g, w in zip(got, wanted, strict=True)):
            return f"for p = (0.1, 0.2, 0.3, 0.4), u = 0.25 lies in the second step, 0.1 ≤ u < 0.3; you give {got[1]}"
        return f"for p = (0.1, 0.2, 0.3, 0.4) and u = {plain}, expected {wanted}, got {got}"
    if ask([0.0, 0.5, 0.5], [0.0]) != [1]:
        return "p = (0, ½, ½) and u = 0, which torch.rand does give: you return an outcome of probability zero"
    if ask([0.25, 0.0, 0.75], [0.25]) != [2]:
        return "p = (¼, 0, ¾) and u = ¼: you return the middle outcome, of probability zero; is ≤ or < right?"
    tenths = [0.1] * 10 + [0.0]                                # adds up to 0.9999999999999999
    last = ask(tenths, [1 - 2**-53])[0]
    if last > 10:
        return f"rounding left the sums a hair below one, and u above them: you return {last}, which does not exist"
    if last == 10:
        return "u above the last sum by rounding: you return the last outcome, whose probability here is zero"
    g = Generator().manual_seed(0)
    p = torch.rand(50, generator=g, dtype=torch.double)
    p /= p.sum()
    u = torch.rand(2000, generator=g, dtype=torch.double)
    wanted = torch.searchsorted(p.cumsum(0), u, right=True)
    if ask(p.tolist(), u.tolist()) != wanted.clamp(max=49).tolist():
        return "right for few outcomes, wrong for 50: compare with a loop over the cumulative sums"
    return None


# --- 01.4 ---------------------------------------------------------------------------------------------------------


@exercise(
    "01.4",
    asks="a function x → density of x = exp(z), z standard normal, for a tensor x",
    hints=[
        "which z gives this x? then p(x) = p(z) · |dz/dx|",
        "z = log x, and dz/dx = 1/x",
        "no z gives x ≤ 0, so the density there is 0: torch.where, and take the logarithm of something positive",
    ],
    praise="that is the log-normal distribution; your four symbols of calculus are its definition.",
)
def _pushed(answer):
    x = torch.tensor([0.2, 0.5, 1.0, 1.7, 3.0, 8.0], dtype=torch.double)
    normal = torch.exp(-0.5 * x.log() ** 2) / math.sqrt(2 * math.pi)
    wanted = normal / x
    got = answer(x.clone())
    if got is None:
        return NOTHING.format("one density for each x")
    got = torch.as_tensor(got, dtype=torch.double)
    if got.shape != x.shape:
        return f"expected {tuple(x.shape)} densities, got shape {tuple(got.shape)}"
    if torch.allclose(got, wanted.log(), atol=1e-6):
        return "that is the log of the density: take exp"
    for mistaken, what in (
        (normal, "the factor |dz/dx| is missing: stretching spreads the probability, so the density must fall"),
        (normal * x, "you multiplied by |dx/dz| instead of |dz/dx|: where the map stretches, the density is lower"),
        (torch.exp(-0.5 * x**2) / math.sqrt(2 * math.pi), "that is the density of z at the number x: find z first"),
        (wanted * math.sqrt(2 * math.pi), "the normal density's 1/√(2π) is missing: it would integrate to 2.5"),
    ):
        if torch.allclose(got, mistaken, atol=1e-6):
            return what
    if not torch.allclose(got, wanted, atol=1e-6):
        return f"at x = 3 the density is {wanted[4]:.4f}, you give {got[4]:.4f}"
    edge = torch.as_tensor(answer(torch.tensor([-1.0, 0.0, 1.0], dtype=torch.double)), dtype=torch.double)
    if edge.isnan().any():
        return "at x ≤ 0 you give nan: no z is mapped there, so the density is 0"
    if edge[:2].abs().max() > 0:
        return f"exp(z) is never negative or zero, yet your density at -1 and 0 is {edge[0]:.3g} and {edge[1]:.3g}"
    return None


# --- 01.5 ---------------------------------------------------------------------------------------------------------


@exercise(
    "01.5",
    asks="a function (samples, train, held_out) → the share of samples that are suspiciously close to `train`",
    hints=[
        "torch.cdist(a, b).min(1).values: the distance from each row of a to its nearest row of b",
        "suspicious is what happens to honest images only one time in twenty: the 5 % quantile of held_out's distances",
        "(nearest(samples) < nearest(held_out).quantile(0.05)).double().mean()",
    ],
    praise="honest samples score about 0.05, copies 1. Chapter 22 shows how a copier with a little noise slips past.",
)
def _copies(answer):
    def nearest(a: Tensor, b: Tensor) -> Tensor:
        return torch.cdist(a, b).min(1).values

    g = Generator().manual_seed(0)
    cases = []
    for dim, spread in ((6, 1.0), (20, 0.3), (6, 1.0)):
        train, held_out = (spread * torch.randn(n, dim, generator=g, dtype=torch.double) for n in (400, 200))
        fresh = spread * torch.randn(300, dim, generator=g, dtype=torch.double)
        copied = train[torch.randint(400, (300,), generator=g)] + 1e-3 * torch.randn(300, dim, generator=g)
        cases.append((fresh, copied, torch.cat([fresh[:150], copied[:150]]), train, held_out))
    for fresh, copied, mixed, train, held_out in cases:
        limits = nearest(held_out, train)
        wanted = [(nearest(x, train) < limits.quantile(0.05)).double().mean().item() for x in (fresh, copied, mixed)]
        got = [answer(x, train, held_out) for x in (fresh, copied, mixed)]
        if got[0] is None:
            return NOTHING.format("a share between 0 and 1")
        got = [float(value) for value in got]
        if any(math.isnan(value) or not 0 <= value <= 1 for value in got):
            return f"a share lies between 0 and 1, got {got}"
        if all(abs(a - b) < 0.015 for a, b in zip(got, wanted, strict=True)):
            continue
        if abs(got[1]) < 0.05 and got[0] > 0.9:
            return "copies score near 0 and fresh samples near 1: that is the share that is *far* away"
        swapped = [nearest(a, b).quantile(0.05) for a, b in ((held_out, train), (train, held_out))]
        if any(abs(got[1] - (nearest(copied, held_out) < limit).double().mean()) < 0.015 for limit in swapped):
            return "copies pass: you look for them among the held-out images, but it is the training set that is copied"
        for q in (0.5, 0.95):
            if abs(got[0] - (nearest(fresh, train) < limits.quantile(q)).double().mean()) < 0.015:
                return f"fresh samples score {got[0]:.2f}: the limit is the 5 % quantile, you took the {q:.0%} one"
        own = nearest_other(train)
        if abs(got[0] - (nearest(fresh, train) < own.quantile(0.05)).double().mean()) < 0.015:
            return "the limit must come from held-out images, not from training images among themselves"
        if got[1] < 0.9:
            return f"exact copies, all but a thousandth, score {got[1]:.2f}: they should score 1. Nearest, not mean?"
        return (
            f"expected {wanted[0]:.2f} for fresh samples and {wanted[2]:.2f} where half are copies, "
            f"got {got[0]:.2f} and {got[2]:.2f}"
        )
    return None


def nearest_other(x: Tensor) -> Tensor:
    """Distance of every row to the nearest other row."""
    distances = torch.cdist(x, x)
    distances.fill_diagonal_(math.inf)
    return distances.min(1).values


# --- 01.6 ---------------------------------------------------------------------------------------------------------


def _patches(split: str) -> Tensor:
    """The middle 2 × 3 pixels of every binary digit, ``(N, 2, 3)``, float64."""
    from dgmhelpers import data

    return data.load("binary-digits8").split(split)[:, 0, 3:5, 2:5].double()


def independent_nats(few: Tensor, x: Tensor) -> float:
    """Mean −log p of ``x`` if pixels are independent, with one imagined white and one black pixel added to each."""
    white = (few.sum(0) + 1) / (len(few) + 2)
    return -(x * white.log() + (1 - x) * (1 - white).log()).sum((1, 2)).mean().item()


@exercise(
    "01.6",
    asks="a function patches → (log_prob, sample)",
    hints=[
        "a table of relative frequencies gives log 0 to what it has not seen: imagine every image was seen a little",
        "how much is a little? (count + a) / (N + 64 a); try a between 0.01 and 1 by cross-validation",
        "or spread the imagined counts as independent pixels would: a smoothing that knows something",
    ],
    praise="a generative model from 100 examples: it scores, it draws, and it knows something of what it never saw.",
)
def _from_few(build):
    from dgmhelpers import laws

    everything, unseen = _patches("train"), torch.cat([_patches("valid"), _patches("test")])
    for seed in (0, 1, 2):
        few = everything[torch.randperm(len(everything), generator=Generator().manual_seed(seed))[:100]]
        built = build(few.clone())
        if built is None:
            return NOTHING.format("the pair (log_prob, sample)")
        log_prob, sample = built
        total = float(sum_of(log_prob))
        if abs(total - 1) > 1e-6:
            return f"the probabilities of all 64 images add up to {total:.4g}, not to one: this is no distribution"
        score = torch.as_tensor(log_prob(unseen)).reshape(-1)
        if len(score) != len(unseen):
            return f"log_prob gives {len(score)} numbers for {len(unseen)} patches: one each, please"
        if score.isinf().any():
            return (
                f"{int(score.isinf().sum())} of {len(unseen)} held-out patches have probability zero: seen in 100 "
                "examples or not, nothing possible may be called impossible"
            )
        nats, rival = -score.mean().item(), independent_nats(few, unseen)
        report = laws.audit(log_prob=log_prob, sample=sample, event_shape=(2, 3), levels=2)
        verdict = report["sampler_matches_density"]
        if verdict.held is not True:
            return f"the sampler does not draw what log_prob says ({verdict.measured})"
        if nats >= rival:
            return (
                f"{nats:.3f} nats on held-out patches, no better than independent pixels ({rival:.3f}): "
                "use how pixels occur together"
            )
    return None


def sum_of(log_prob) -> Tensor:
    """Σ p over all 64 binary images of 2 × 3 pixels."""
    images = torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=torch.double)] * 6).reshape(64, 2, 3)
    return torch.as_tensor(log_prob(images)).exp().sum()
