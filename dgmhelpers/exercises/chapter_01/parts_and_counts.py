"""01.1, which part of the book answers what, and 01.2, how many images there are."""

import math

from dgmhelpers.exercises.compare import number, parts, whole
from dgmhelpers.exercises.feedback import exercise, nothing

_PARTS = {
    "foundations": "Foundations: what it means to know a distribution, and how to learn one",
    "autoregressive": "Autoregressive models: exact probabilities, one value after another",
    "flows": "Flows: exact probabilities and one-pass samples, by maps that can be undone",
    "latent": "Latent variables: a short code behind every image, learned through a bound",
    "energy": "Energies, scores, diffusion: scores instead of probabilities, many small steps",
    "adversarial": "Adversarial models: samples without a density, judged by a second network",
    "applications": "Applications: what people build with them, and which one to choose",
}
_WANTED = {
    "compress": ("autoregressive", "a file is as short as the model's exact −log p(x), and slow is acceptable"),
    "undo": ("flows", "only a map that can be undone gives every image its own noise, and its exact density with it"),
    "edit": ("latent", "a few numbers that describe a face, with an encoder that finds them, are a latent code"),
    "restore": ("energy", "moving uphill in log p step by step asks only for the slope of log p, not for p"),
    "render": ("adversarial", "one pass, sharp, and nobody asks for p(x): a density would be paid for and not used"),
    "compare": ("applications", "choosing among families needs all of them on the same data, as the end does"),
}


@exercise(
    "01.1",
    minutes=5,
    asks="a dict from each of the six situations to one of " + ", ".join(_PARTS),
    hints=[
        "ask of each situation: does it need p(x)? exactly? does speed matter? is there a code to keep?",
        "the map above, sorted by what models tell you of p(x), separates 'compress' from 'render'",
        "'undo' needs a map that can be run backwards; 'restore' needs only to know which way is uphill",
    ],
    praise="you know where to go for what; that is what a map is for.",
)
def _parts(answer):
    """Each of the six situations needs one part of the book, for one reason."""
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

_COUNTS = [(1, 1, 1, 2), (2, 3, 1, 2), (8, 8, 1, 17), (100, 100, 3, 256), (5, 7, 3, 10), (28, 28, 1, 256)]


@exercise(
    "01.2",
    minutes=10,
    asks="a function (height, width, channels, levels) → (mantissa, exponent)",
    hints=[
        "each of the height · width · channels values has `levels` choices, so the choices multiply",
        "a float ends at 10^308: use whole numbers, levels ** values, or logarithms",
        "the whole part of that logarithm is the exponent; what is left of it makes the mantissa",
    ],
    praise="whole numbers do not overflow in Python; that is how the page could check the slide.",
)
def _count(answer):
    """Against ``levels ** values`` in whole numbers, and against the slips: one channel, base and exponent swapped."""
    for height, width, channels, levels in _COUNTS:
        values = height * width * channels
        mantissa, exponent = _scientific(levels, values)
        case = f"{height} × {width} pixels, {channels} channel(s), {levels} levels"
        got = answer(height, width, channels, levels)
        if got is None:
            return nothing("(mantissa, exponent)")
        got_mantissa, got_exponent = map(number, parts(got, 2, "two numbers: mantissa, exponent"))
        if not (math.isfinite(got_mantissa) and math.isfinite(got_exponent)):
            return f"{case}: the mantissa is {got_mantissa}: a float overflows at 10^308"
        got_exponent = whole(got_exponent, "a whole number for the exponent")
        if (got_mantissa, got_exponent) == (0.0, 0) or not 1 <= got_mantissa < 10:
            return f"{case}: the mantissa must lie between 1 and 10, got {got_mantissa:g} · 10^{got_exponent}"
        close = abs(got_mantissa - mantissa) < 0.02
        if close and got_exponent == exponent:
            continue
        if channels > 1 and got_exponent == _scientific(levels, height * width)[1]:
            return f"{case}: that counts one channel; every pixel has {channels} values"
        if got_exponent == math.floor(math.log(levels) * values) != exponent:
            return f"{case}: that is the exponent of e, by the natural logarithm: powers of ten need log10"
        if got_exponent == _scientific(values, levels)[1]:
            return f"{case}: base and exponent are swapped: each value has `levels` choices, so levels ** values"
        if close and exponent - got_exponent == 2:
            return f"{case}: the exponent is two too small, the slip of the lecture slide: 158 · 10^k = 1.58 · 10^(k+2)"
        if close or abs(exponent - got_exponent) == 1:
            return f"{case}: expected 10^{exponent}, got 10^{got_exponent}: is the mantissa between 1 and 10?"
        return (
            f"{case}: {levels} choices for each of {values} values make about {mantissa:.2f} · 10^{exponent}, not "
            f"{got_mantissa:.2f} · 10^{got_exponent}"
        )
    return None


def _scientific(levels: int, values: int) -> tuple[float, int]:
    """``levels ** values`` as (leading digits cut after the second decimal, power of ten), from whole numbers."""
    number = levels**values
    exponent = int(math.log10(levels) * values)
    exponent += 1 if 10 ** (exponent + 1) <= number else -1 if 10**exponent > number else 0
    return number * 100 // 10**exponent / 100, exponent
