"""What a law says of a model, what an audit says of all of them, and how a law says what it needs."""

import functools
import html
from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Generator, Tensor

HELD, BROKEN, NOT_RUN, UNSURE = "held", "broken", "not run", "could not be checked"
NEEDS = {  # in words
    "log_prob": "a log_prob", "sample": "a sampler", "elbo": "a bound", "log_weights": "log_weights(x, k)",
    "loss": "a loss", "factory": "a factory that makes a fresh model", "levels": "levels: its values are real",
    "real": "real values: it has levels", "marginal": "log p beside the bound: a log_prob, or one or two latents",
    "scores": "a log_prob, a bound or an error of each example", "conditionals": "forward(x) and orders, or logits",
    "two forms": "a log_prob beside the logits",
    "modules": "a module whose state can be compared", "likelihood": "a likelihood or a bound",
    "forward": "forward(x)", "inverse": "inverse(z)", "energy": "an energy", "log_partition": "log_partition()",
    "step": "a step of its chain", "ais": "ais(n)", "score": "score(x, t)", "velocity": "velocity(x, t)",
    "pairs": "pairs(n)", "context": "a context", "two samplers": "a naive sampler beside the cached one",
    "dequantise": "noise for the cells of levels: dequantise(x)", "log_density": "log_density(points)",
    "parameters": "parameters: there is nothing to train",
    "several draws": "a bound that takes a number of draws", "evaluation": "anything that can be evaluated",
}  # fmt: skip


@dataclass(frozen=True)
class Verdict:
    """One law's answer.

    Args:
        law: its name.
        held: True, False, or None if it could not run.
        measured: what was found, in words and numbers.
        bound: what the law allows.
        meaning: one sentence: what this says about the model.
        picture: a matrix that shows it, where one does (``viz.matrix`` draws it).
        required: False if what the law needs was not offered. A required law that could not run is a failure.
        tried: whether a law that could not run was put to the test, and what it found does not decide. That is no
            failure, and it is shown: a fault may be there.
    """

    law: str
    held: bool | None
    measured: str
    bound: str
    meaning: str
    picture: Tensor | None = field(default=None, repr=False, compare=False)
    required: bool = True
    tried: bool = False

    @property
    def status(self) -> str:
        return {True: HELD, False: BROKEN, None: UNSURE if self.tried else NOT_RUN}[self.held]

    def __bool__(self):
        return self.held is True

    def __str__(self):
        if self.held is None:
            return f"{self._mark[0]} {self.law}: {self.status}, {self.measured}"
        return f"{self._mark[0]} {self.law}: {self.measured} (allowed: {self.bound}). {self.meaning}"

    @property
    def _mark(self) -> tuple[str, str]:
        return MARKS[UNSURE] if self.tried else MARKS[self.held]


def not_run(law: str, reason: str) -> Verdict:
    """The verdict of a law that has what it needs and still could not be put to the test."""
    return Verdict(law, None, reason, "", "")


def not_offered(law: str, reason: str) -> Verdict:
    """The verdict of a law that does not apply: what it needs was not offered."""
    return Verdict(law, None, reason, "", "", required=False)


def undecided(law: str, reason: str) -> Verdict:
    """The verdict of a law that has what it needs, and whose numbers are too uneven, or too rough, to decide."""
    return Verdict(law, None, reason, "", "", required=False, tried=True)


def law(*needs: str, redrawn: bool = False) -> Callable:
    """Declare a law: a function of a subject and a generator that returns a verdict.

    Args:
        needs: what the subject must offer, names of ``NEEDS``. Without it the law is not asked for.
        redrawn: whether it is tried with other parameters too: a fresh model with zero weights is uniform, and keeps
            the law whatever its structure.
    """

    def declare(function):
        @functools.wraps(function)
        def run(subject, generator: Generator | None = None) -> Verdict:
            missing = [NEEDS[need] for need in needs if not subject.offers(need)]
            if missing:
                return not_offered(function.__name__, "needs " + ", and ".join(missing))
            return function(subject, Generator().manual_seed(0) if generator is None else generator)

        run.redrawn, run.needs = redrawn, needs
        return run

    return declare


@dataclass(frozen=True)
class Report:
    """The verdicts of one audit; prints as a table, in a terminal and in a notebook."""

    subject: str
    verdicts: list[Verdict]

    @property
    def held(self) -> bool:
        """True if no law was broken, none that was required could not run, and one said something of the promises.

        That looking changes nothing, and that examples do not see each other, is no promise kept.
        """
        return not self.broken and not self.missing and any(v.held for v in self.verdicts if v.law not in SIDE)

    @property
    def broken(self) -> list[Verdict]:
        """The verdicts of the laws that were broken."""
        return [v for v in self.verdicts if v.held is False]

    @property
    def unsure(self) -> list[Verdict]:
        """The verdicts of the laws that were tried and could not decide: a fault may be there."""
        return [v for v in self.verdicts if v.held is None and v.tried]

    @property
    def missing(self) -> list[Verdict]:
        """The verdicts of the laws that were required and could not run."""
        return [v for v in self.verdicts if v.held is None and v.required]

    def as_dict(self) -> dict:
        """The report as JSON can hold it: the subject, whether it held, and of each law what was found."""
        keys = ("law", "status", "required", "measured", "bound", "meaning")
        verdicts = [{key: getattr(v, key) for key in keys} for v in self.verdicts]
        return {"subject": self.subject, "held": self.held, "verdicts": verdicts}

    def __getitem__(self, law: str) -> Verdict:
        """The verdict of one law, by name."""
        for verdict in self.verdicts:
            if verdict.law == law:
                return verdict
        raise KeyError(f"{law!r} is not in this report; it has {', '.join(v.law for v in self.verdicts)}")

    def __str__(self):
        width = max((len(v.law) for v in self._shown), default=0)
        lines = [f"{self.subject}: {self._summary()}"]
        for v in self._shown:
            allowed = f"  (allowed: {v.bound})" if v.bound else ""
            open_ = f"{UNSURE}: " if v.tried else ""
            lines.append(f"  {v._mark[0]} {v.law:<{width}}  {open_}{v.measured}{allowed}")
            if v.held is False:
                lines.append(f"    {'':<{width}}  {v.meaning}")
        if self._aside:
            lines.append(f"    not asked for: {', '.join(v.law for v in self._aside)}")
        return "\n".join(lines)

    __repr__ = __str__

    @property
    def _shown(self) -> list[Verdict]:
        """Broken laws first, then those that could not run, those that could not decide, and those that held."""
        return [*self.broken, *self.missing, *self.unsure, *(v for v in self.verdicts if v.held)]

    @property
    def _aside(self) -> list[Verdict]:
        return [v for v in self.verdicts if v.held is None and not v.required and not v.tried]

    def _summary(self):
        counts = {HELD: sum(bool(v.held) for v in self.verdicts), BROKEN: len(self.broken),
                  "required but not run": len(self.missing), UNSURE: len(self.unsure)}
        said = ", ".join(f"{n} {status}" for status, n in counts.items() if n) or "nothing to hold it against"
        return said if self.held or self.broken or self.missing else f"{said}: no promise was tested"

    def _repr_html_(self):
        rows = "".join(
            f'<tr class="dgm-law-{(NOT_RUN if v.tried else v.status).replace(" ", "-")}">'
            f"<td>{v._mark[1]}</td>"
            f"<td><code>{html.escape(v.law)}</code></td><td>{html.escape(v.measured)}</td>"
            f"<td>{html.escape(v.bound)}</td><td>{html.escape(v.meaning)}</td></tr>"
            for v in self._shown
        )
        if self._aside:
            names = ", ".join(f"<code>{html.escape(v.law)}</code>" for v in self._aside)
            rows += f'<tr class="dgm-law-not-run"><td>– not asked for</td><td colspan="4">{names}</td></tr>'
        head = "".join(f'<th scope="col">{name}</th>' for name in ("verdict", "law", "measured", "allowed", "meaning"))
        caption = html.escape(f"{self.subject}: {self._summary()}")
        return (
            f'<div class="dgm-report"><table><caption>{caption}</caption>'
            f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
        )


MARKS = {True: ("✓", "✓ held"), False: ("✗", "✗ broken"), None: ("–", "– not run"), UNSURE: ("?", f"? {UNSURE}")}
SIDE = ("forward_changes_nothing", "ignores_the_batch", "gives_one_number_each")     # laws that hold of a constant, too
