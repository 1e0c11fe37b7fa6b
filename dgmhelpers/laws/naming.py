"""Which adversarial loss is it? Names what somebody wrote, with its scale and the order of its arguments."""

import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Generator, Tensor

from dgmhelpers.arguments import closest
from dgmhelpers.laws.adversarial import FORMS, Form, loss_matches_closed_form
from dgmhelpers.laws.calls import seeded
from dgmhelpers.laws.verdict import Report, Verdict

LAW = "loss_matches_closed_form"
KINDS = {  # what people call them: of one argument, and of two
    "minimax": ("minimax_generator_loss", "discriminator_loss"),
    "nonsaturating": ("nonsaturating_generator_loss", "discriminator_loss"),
    "wasserstein": ("wasserstein_generator_loss", "wasserstein_discriminator_loss"),
    "hinge": ("hinge_generator_loss", "hinge_discriminator_loss"),
    "least_squares": ("least_squares_generator_loss", "least_squares_discriminator_loss"),
}
PENALTIES = ("gradient_penalty", "slope_penalty")
WEIGHTS = (0.5, 2, 5, 10, 100)      # that penalties are multiplied by, as a rule
TRIED, CLOSE = 64, 1e-4
SCALES = {0.5: "half of it", 2.0: "twice of it", -1.0: "the sign is wrong", -0.5: "half of it, the sign is wrong"}


def audit_loss(kind: str, functions: Mapping[str, Any], model: Any = None, seed: int = 0) -> Report:
    """The report of :func:`name_the_loss` or :func:`name_the_penalty`, for ``audit(loss=..., kind=...)``."""
    given = {name: function for name, function in functions.items() if function is not None}
    if model is not None or not given or set(given) - {"loss", "penalty"}:
        raise ValueError("kind= goes with loss=, a function of logits, or with penalty=, and with nothing else")
    verdicts = []
    if "loss" in given:
        verdicts.append(name_the_loss(given["loss"], kind, Generator().manual_seed(seed)))
    if "penalty" in given:
        asked = kind if kind in PENALTIES else "gan"
        verdicts.append(name_the_penalty(given["penalty"], asked, Generator().manual_seed(seed)))
    return Report("this loss", verdicts)


def name_the_loss(loss: Callable, kind: str = "gan", generator: Generator | None = None) -> Verdict:
    """An adversarial loss is the one it is called; if it is not, which of the known forms it is.

    Args:
        loss: of logits, ``(real, fake) -> scalar`` or ``fake -> scalar``, the batch's mean.
        kind: what it should be: a family ("minimax", "nonsaturating", "wasserstein", "hinge", "least_squares"), one of
            ``FORMS``, or "gan" for any of them. A function that has a form's name in its own is held to that.
        generator: of the logits that are tried.

    Raises:
        ValueError: for a kind that is not known.
    """
    generator = Generator().manual_seed(0) if generator is None else generator
    arguments = _count(loss)
    wanted = _wanted(loss, kind, arguments)
    if wanted is not None and (exact := loss_matches_closed_form(loss, wanted, generator)).held:
        return exact
    found = [(name, *fit) for name, form in FORMS.items() if (form.real is None) == (arguments == 1)
             if (fit := _fit(loss, form, generator)) is not None]
    found.sort(key=lambda row: (row[1] != 1.0 or row[2] != "", row[0]))
    if wanted is None:
        for name, scale, how in found:
            if scale == 1.0 and not how:
                return loss_matches_closed_form(loss, name, generator)
    elif found and not any(name == wanted for name, *_ in found):
        name, scale, how = found[0]
        return _named(name, scale, how, f", called {_word(wanted)}")
    for name, scale, how in found:
        if wanted in (None, name):
            return _named(name, scale, how, "")
    if wanted is not None:
        return loss_matches_closed_form(loss, wanted, generator)
    return Verdict(LAW, False, "none of the known forms, at any scale", ", ".join(KINDS), "This is no known loss of an "
                   "adversarial game: a term is missing, or a sigmoid is applied to what is not a logit.")


def _named(name: str, scale: float, how: str, called: str) -> Verdict:
    factor = "" if scale == 1.0 else SCALES.get(round(scale, 6), f"{scale:.3g} times of it")
    said = ", ".join(text for text in (factor, how) if text)
    meaning = f"This is the {_word(name)}{called}" + (f": {said}." if said else ".")
    return Verdict(LAW, False, f"{name}{', ' + said if said else ''}", "the form it is called, as it is", meaning)


def _word(name: str) -> str:
    return name.replace("nonsaturating", "non-saturating").replace("_", " ")


def _wanted(loss: Callable, kind: str, arguments: int) -> str | None:
    if kind in FORMS:
        return kind
    if kind in KINDS:
        return KINDS[kind][arguments - 1]
    if kind not in ("gan", *PENALTIES):
        raise ValueError(f"no adversarial loss is called {kind!r}: {closest(kind, ['gan', *KINDS, *FORMS])}")
    own = getattr(loss, "__name__", "").lower()
    own = own.replace("non_saturating", "nonsaturating").replace("lsgan", "least_squares")
    said = [word for word in KINDS if word in own or word.replace("_", "") in own]
    return KINDS[said[0]][arguments - 1] if len(said) == 1 else None


def _count(loss: Callable) -> int:
    """How many batches of logits a loss takes, 1 or 2."""
    try:
        parameters = inspect.signature(loss).parameters.values()
    except (TypeError, ValueError):
        return 1
    needed = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) and p.default is p.empty]
    if len(needed) not in (1, 2):
        raise ValueError(f"a loss of a game takes the logits of real and fake examples, or of fake ones: this takes "
                         f"{len(needed)} arguments")
    return len(needed)


def _fit(loss: Callable, form: Form, generator: Generator) -> tuple[float, str] | None:
    """The scale, and how it is called, if a loss is a multiple of a form; None if it is not."""
    ways: dict[str, tuple[Callable, bool]] = {"": (torch.clone, False)}
    ways["it takes probabilities, not logits"] = (torch.sigmoid, False)
    if form.real is not None:
        ways["its arguments are (fake, real)"] = (torch.clone, True)
    for how, (shown, swapped) in ways.items():
        got, wanted = [], []
        for _ in range(TRIED):
            real, fake = (2 * torch.randn(4, generator=generator, dtype=torch.double) for _ in range(2))
            pair = (shown(fake), shown(real)) if swapped else (shown(real), shown(fake))
            try:
                value = loss(pair[1]) if form.real is None else loss(*pair)
            except (RuntimeError, ValueError):
                break
            if not isinstance(value, Tensor) or value.numel() != 1:
                return None
            exact = form.fake(fake).mean()
            got.append(float(value.detach()))
            wanted.append(float(exact if form.real is None else exact + form.real(real).mean()))
        if len(got) < TRIED:                # it refuses logits, as a cross-entropy of probabilities does
            continue
        y, x = torch.tensor(got, dtype=torch.double), torch.tensor(wanted, dtype=torch.double)
        scale = ((y * x).sum() / (x * x).sum()).item()
        if math.isfinite(scale) and (y - scale * x).abs().max() <= CLOSE * (1 + y.abs().max()) and abs(scale) > 1e-3:
            return (1.0 if abs(scale - 1) < CLOSE else scale), how
    return None


def name_the_penalty(penalty: Callable, kind: str = "gan", generator: Generator | None = None) -> Verdict:
    """A penalty on a critic's slope is one of the known ones, by critics whose slope is known everywhere.

    Args:
        penalty: ``(critic, real, fake) -> scalar``, with a keyword ``generator`` if it takes one.
        kind: "gradient_penalty", the mean of ``(norm of the slope - 1)**2`` between real and fake examples;
            "slope_penalty", the mean of its square at real ones; or "gan" for either.
        generator: of the examples that are tried.
    """
    law, generator = "penalty_matches_closed_form", Generator().manual_seed(0) if generator is None else generator
    real, fake = (torch.randn(6, 2, 3, generator=generator, dtype=torch.double) for _ in range(2))
    direction = torch.randn(2, 3, generator=generator, dtype=torch.double)
    size = direction.norm()
    weight = torch.tensor(0.7, dtype=torch.double, requires_grad=True)
    call = seeded(penalty, generator)

    def sloped(x):
        return weight * (x * direction).flatten(1).sum(1)

    flat = call(sloped, real, fake)
    exact = {"gradient_penalty": ((weight * size - 1) ** 2).item(), "slope_penalty": ((weight * size) ** 2).item()}
    names = [kind] if kind in PENALTIES else list(PENALTIES)
    off = {name: abs(flat.item() - exact[name]) for name in names}
    name = min(off, key=lambda each: off[each])
    allowed = CLOSE * (1 + abs(exact[name]))
    measured = f"{name}: {flat.item():.5g} where the slope says {exact[name]:.5g}"
    if off[name] > allowed:
        per_image = torch.as_tensor([((weight * direction.norm(dim=0) - 1) ** 2).mean().item(),
                                     ((weight * size * 6**0.5 - 1) ** 2).item()])
        why = "is not that of the slope of each example"
        if (per_image[0] - flat.item()).abs() < allowed:
            why = "takes the norm along one dimension: over all that an example has"
        elif (per_image[1] - flat.item()).abs() < allowed:
            why = "takes one norm of the whole batch: one for each example"
        for name in names:
            if any(abs(flat.item() / exact[name] - factor) < CLOSE * factor for factor in WEIGHTS):
                return Verdict(law, False, f"{name}: {flat.item():.5g} where the slope says {exact[name]:.5g}",
                               f"± {allowed:.1g}", f"It is {flat.item() / exact[name]:.3g} times the {_word(name)}: "
                               "the weight is the caller's.")
        return Verdict(law, False, measured, f"± {allowed:.1g}", f"The penalty {why}.")
    if not flat.requires_grad:
        return Verdict(law, False, "no gradient by the critic's parameters", "one", "The slope is computed without "
                       "create_graph: the penalty teaches the critic nothing.")
    return _where(law, name, call, real, fake)


def _where(law: str, name: str, call: Callable, real: Tensor, fake: Tensor) -> Verdict:
    """The places at which the slope is taken, by a critic ``|x|²/2``, whose slope is x itself."""
    seen: list[Tensor] = []

    def bowl(x):
        seen.append(x.detach())
        return x.square().flatten(1).sum(1) / 2

    call(bowl, real, fake)
    at = torch.cat(seen)
    on_real = len(at) == len(real) and (at - real).abs().max() < 1e-9
    on_fake = len(at) == len(fake) and (at - fake).abs().max() < 1e-9
    share = None
    if len(at) == len(real):
        line = (real - fake).flatten(1)
        share = ((at - fake).flatten(1) * line).sum(1) / line.square().sum(1)
        along = fake.flatten(1) + share[:, None] * line
        if (along - at.flatten(1)).abs().max() > 1e-6 or (share < -1e-9).any() or (share > 1 + 1e-9).any():
            share = None
    if name == "slope_penalty":
        held, where = bool(on_real), "real examples" if on_real else "fake examples" if on_fake else "other places"
        wanted = "real examples"
    else:
        spread = share is not None and share.std() > 1e-6
        held, wanted = bool(spread), "a place of its own on each segment"
        where = ("real examples" if on_real else "fake examples" if on_fake else "one share for the whole batch"
                 if share is not None and not spread else wanted if held else "places off the segments")
    meaning = "The penalty is what its name says." if held else f"The slope is taken at {where}, not at {wanted}."
    return Verdict(law, held, f"{name}, at {where}", wanted, meaning)
