"""What a law says of a model, and what an audit says of all of them."""

import html
from dataclasses import dataclass, field

from torch import Tensor

HELD, BROKEN, NOT_RUN = "held", "broken", "not run"


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
    """

    law: str
    held: bool | None
    measured: str
    bound: str
    meaning: str
    picture: Tensor | None = field(default=None, repr=False, compare=False)

    @property
    def status(self) -> str:
        return {True: HELD, False: BROKEN, None: NOT_RUN}[self.held]

    def __bool__(self):
        return self.held is True

    def __str__(self):
        if self.held is None:
            return f"– {self.law}: not run, {self.measured}"
        return f"{'✓' if self.held else '✗'} {self.law}: {self.measured} (allowed: {self.bound}). {self.meaning}"


def not_run(law: str, reason: str) -> Verdict:
    """The verdict of a law that does not apply, or could not be put to the test."""
    return Verdict(law, None, reason, "", "")


@dataclass(frozen=True)
class Report:
    """The verdicts of one audit; prints as a table, in a terminal and in a notebook."""

    subject: str
    verdicts: list[Verdict]

    @property
    def held(self) -> bool:
        """True if at least one law ran and none was broken."""
        ran = [v for v in self.verdicts if v.held is not None]
        return bool(ran) and all(v.held for v in ran)

    @property
    def broken(self) -> list[Verdict]:
        """The verdicts of the laws that were broken."""
        return [v for v in self.verdicts if v.held is False]

    def __getitem__(self, law: str) -> Verdict:
        """The verdict of one law, by name."""
        for verdict in self.verdicts:
            if verdict.law == law:
                return verdict
        raise KeyError(f"{law!r} is not in this report; it has {', '.join(v.law for v in self.verdicts)}")

    def __str__(self):
        width = max((len(v.law) for v in self.verdicts), default=0)
        lines = [f"{self.subject}: {self._summary()}"]
        for v in self.verdicts:
            mark = {True: "✓", False: "✗", None: "–"}[v.held]
            allowed = f"  (allowed: {v.bound})" if v.bound else ""
            lines.append(f"  {mark} {v.law:<{width}}  {v.measured}{allowed}")
            if v.held is False:
                lines.append(f"    {'':<{width}}  {v.meaning}")
        return "\n".join(lines)

    __repr__ = __str__

    def _summary(self):
        counts = {status: sum(v.status == status for v in self.verdicts) for status in (HELD, BROKEN, NOT_RUN)}
        return ", ".join(f"{n} {status}" for status, n in counts.items() if n)

    def _repr_html_(self):
        rows = "".join(
            f'<tr class="dgm-law-{v.status.replace(" ", "-")}">'
            f"<td>{ {True: '✓ held', False: '✗ broken', None: '– not run'}[v.held] }</td>"
            f"<td><code>{html.escape(v.law)}</code></td><td>{html.escape(v.measured)}</td>"
            f"<td>{html.escape(v.bound)}</td><td>{html.escape(v.meaning)}</td></tr>"
            for v in self.verdicts
        )
        head = "".join(f'<th scope="col">{name}</th>' for name in ("verdict", "law", "measured", "allowed", "meaning"))
        caption = html.escape(f"{self.subject}: {self._summary()}")
        return (
            f'<div class="dgm-report"><table><caption>{caption}</caption>'
            f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
        )
