"""The cells that check a page: a sentence, a number, and an error if they disagree.

::

    from dgmhelpers import claims as claim

    claim.equal("chain-rule", "the product of the conditionals is the joint", product, joint, law="sums_to_one",
                of="thm-chain-rule")
    claim.between("fvbn-learns", "nats per digit after training", loss, 20.0, 24.0)
    claim.below("nade-leads", "nats per example of DNA", stored["value"], 80, record=stored)

A claim that holds shows one line: the sentence, the value that was found, and the bound that it was held to. One that
does not hold raises :class:`ClaimFailed`, and the notebook stops. Identities show their value rounded and their
tolerance, never the last digits of a difference, so that they read the same on every machine. Values with a bound may
differ between machines; they have markup of their own, and the suite compares everything but them.

``law`` names the law of ``dgmhelpers.laws`` that holds the same for every model, ``of`` the theorem or definition that
the claim checks. ``record`` says that the value was read from a stored result and not computed in this run: the result
itself (a mapping with a "command"), the command that makes it, or several of either. Such a line carries another mark.
"""

import html
import math
import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

import torch

__all__ = ["Claim", "ClaimFailed", "above", "below", "between", "equal", "true"]

Labels = str | Iterable[str]
Record = str | Mapping | Iterable[str | Mapping]


class ClaimFailed(AssertionError):
    """A statement on a page is not true here."""


class Claim:
    """A statement that was checked and held; a notebook shows it as one line.

    Args:
        label: its name in the book, lower-case words joined by hyphens; unique within a chapter.
        statement: what is claimed, as a sentence in words, without a full stop.
        evidence: what it was held to, in a form that does not vary between machines.
        value: what was found, if it may vary between machines.
        law: name of the law in ``dgmhelpers.laws`` that holds the same for every model, if there is one.
        of: label or labels of the theorems, definitions or sections that it checks.
        record: stored results that the value was read from, or the commands that make them.

    Raises:
        ValueError: if a label is not lower-case words joined by hyphens, or a record has no command.
    """

    def __init__(self, label: str, statement: str, evidence: str, *, value: str | None = None, law: str | None = None,
                 of: Labels = (), record: Record = ()):
        self.label, self.statement, self.evidence, self.value, self.law = label, statement, evidence, value, law
        self.of = (of,) if isinstance(of, str) else tuple(of)
        self.record = _commands(record)
        for name in (label, *self.of):
            if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
                raise ValueError(f"a label is lower-case words joined by hyphens, got {name!r}")

    @property
    def mark(self) -> str:
        """A tick for what was computed here, a diamond for what was read from a stored result."""
        return "◆" if self.record else "✓"

    def __repr__(self) -> str:
        found = self.evidence if self.value is None else f"{self.value} ({self.evidence})"
        law = f"  [law: {self.law}]" if self.law else ""
        source = f"  [from the record: {_shown(self.record)}]" if self.record else ""
        return f"{self.mark} {self.statement}: {found}{law}{source}"

    def _repr_html_(self) -> str:
        def quoted(*texts: str) -> str:
            return html.escape("\n".join(texts))

        evidence = f"<b>{quoted(self.evidence)}</b>"
        if self.value is not None:
            evidence = f'<b class="dgm-claim-value">{quoted(self.value)}</b> ({quoted(self.evidence)})'
        law = f' <span class="dgm-claim-law">law: <code>{quoted(self.law)}</code></span>' if self.law else ""
        source = ""
        if self.record:
            made_by = f"<code>{quoted(_shown(self.record))}</code>"
            source = f' <span class="dgm-claim-source">from the record: {made_by}</span>'
        return (
            f'<div class="dgm-claim{" dgm-claim-record" if self.record else ""}" id="claim-{self.label}"'
            f' data-label="{self.label}" data-law="{quoted(self.law or "")}" data-of="{" ".join(self.of)}"'
            f' data-record="{quoted(*self.record)}">'
            f'<span class="dgm-claim-mark" aria-hidden="true">{self.mark}</span> '
            f'<span class="dgm-claim-statement">{quoted(self.statement)}</span>: '
            f'<span class="dgm-claim-evidence">{evidence}</span>{law}{source}</div>'
        )


def equal(
    label: str, statement: str, got, expected, *, tolerance: float = 1e-12, law: str | None = None,
    of: Labels = (), record: Record = (),
) -> Claim:  # fmt: skip
    """Two numbers or tensors are the same, entry by entry, within ``tolerance`` (absolute).

    Raises:
        ClaimFailed: if the largest difference is above the tolerance, or a NaN is among them.
        ValueError: if their shapes differ, or there is nothing to compare.
    """
    got, expected = _tensor(got), _tensor(expected)
    if got.ndim and expected.ndim and got.shape != expected.shape:
        raise ValueError(f"claim {label!r} compares shapes {tuple(got.shape)} and {tuple(expected.shape)}")
    if not got.numel() or not expected.numel():
        raise ValueError(f"claim {label!r} compares nothing: a tensor is empty")
    gap = (got - expected).abs().max().item()
    if not gap <= tolerance:
        raise ClaimFailed(f"{statement}: the largest difference is {gap:.3g}, allowed is {tolerance:.3g}")
    count = max(got.numel(), expected.numel())
    same = "exactly" if tolerance == 0 else f"within {_power(tolerance)}"
    shown = f"{_number(expected.item())}, {same}" if count == 1 else f"{count:,} values agree, {same}"
    return Claim(label, statement, shown, law=law, of=of, record=record)


def below(
    label: str, statement: str, value: float, bound: float, *, law: str | None = None, of: Labels = (),
    record: Record = (),
) -> Claim:  # fmt: skip
    """``value`` is below ``bound``, strictly; raises :class:`ClaimFailed` if not."""
    return _bounded(label, statement, value, f"below {_number(bound)}", lambda x: x < bound, law, of, record)


def above(
    label: str, statement: str, value: float, bound: float, *, law: str | None = None, of: Labels = (),
    record: Record = (),
) -> Claim:  # fmt: skip
    """``value`` is above ``bound``, strictly; raises :class:`ClaimFailed` if not."""
    return _bounded(label, statement, value, f"above {_number(bound)}", lambda x: x > bound, law, of, record)


def between(
    label: str, statement: str, value: float, low: float, high: float, *, law: str | None = None, of: Labels = (),
    record: Record = (),
) -> Claim:  # fmt: skip
    """``value`` lies in the interval from ``low`` to ``high``, ends included; raises :class:`ClaimFailed` if not.

    Raises:
        ValueError: if the interval is empty.
    """
    if not low <= high:
        raise ValueError(f"claim {label!r}: the interval from {low} to {high} is empty")
    bound = f"between {_number(low)} and {_number(high)}"
    return _bounded(label, statement, value, bound, lambda x: low <= x <= high, law, of, record)


def true(
    label: str, statement: str, condition, *, law: str | None = None, of: Labels = (), record: Record = ()
) -> Claim:
    """A condition holds (everywhere, for a tensor, which must not be empty); raises :class:`ClaimFailed` if not."""
    condition = torch.as_tensor(condition)
    if condition.dtype != torch.bool:
        raise ValueError(f"claim {label!r} needs a boolean, got {condition.dtype}")
    if not condition.numel():
        raise ValueError(f"claim {label!r} has no case to hold in: its condition is empty")
    if not condition.all():
        where = "" if condition.numel() == 1 else f": {int((~condition).sum())} of {condition.numel()} are not"
        raise ClaimFailed(f"{statement}: it is not so{where}")
    count = condition.numel()
    shown = "holds" if count == 1 else f"holds in all {count:,} cases"
    return Claim(label, statement, shown, law=law, of=of, record=record)


def _bounded(label, statement, value, bound: str, holds: Callable[[float], bool], law, of, record) -> Claim:
    value = float(value)
    if not holds(value):
        raise ClaimFailed(f"{statement}: {value:.6g} is not {bound}")
    return Claim(label, statement, bound, value=_found(value, holds), law=law, of=of, record=record)


def _found(value: float, holds: Callable[[float], bool]) -> str:
    """Four digits, and more where fewer would put the value on the wrong side of its bound; whole numbers in full."""
    if not math.isfinite(value) or value == round(value):
        return _written(value)
    least = max(4, len(str(int(abs(value)))))
    return _written(next(x for x in (float(f"{value:.{digits}g}") for digits in range(least, 18)) if holds(x)))


def _tensor(value) -> torch.Tensor:
    return torch.as_tensor(value, dtype=torch.float64, device="cpu").detach()  # a Python float at its full precision


def _number(value: float) -> str:
    """Six decimals, or four digits of what is very small or large."""
    usual = math.isfinite(value) and 1e-4 <= abs(value) < 1e6
    return _written(round(float(value), 6) if usual else float(f"{value:.3e}"))


def _written(value: float) -> str:
    """All digits of a number, for people: thousands apart, a minus that is one, powers of ten as powers."""
    if value == 0:                                                        # and never minus nothing
        return "0"
    if not math.isfinite(value) or 1e-4 <= abs(value) < 1e6 or (abs(value) < 1e12 and value == round(value)):
        return _minus(f"{value:,}".removesuffix(".0"))
    mantissa, exponent = f"{Decimal(repr(value)).normalize():e}".split("e")
    power = "10" + _raised(int(exponent))
    return _minus({"1": power, "-1": f"-{power}"}.get(mantissa, f"{mantissa} · {power}"))


def _minus(number: str) -> str:
    return number.replace("-", "\N{MINUS SIGN}")                       # of a power it is raised already


def _raised(exponent: int) -> str:
    return str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _power(tolerance: float) -> str:
    exponent = math.log10(tolerance)
    if exponent < -0.5 and abs(exponent - round(exponent)) < 1e-9:                # 1 is 1, and not 10⁰
        return "10" + _raised(round(exponent))
    return _number(tolerance)


def _commands(record: Record) -> tuple[str, ...]:
    """The commands that make what a claim was read from."""
    if isinstance(record, str):
        if not record.startswith("python "):
            raise ValueError(f"a record is a stored result or the command that makes it, python …, got {record!r}")
        return (record,)
    if isinstance(record, Mapping):
        if "command" not in record:
            raise ValueError(f"a stored result names its command; this mapping has {sorted(record)} and no 'command'")
        return _commands(record["command"])
    return tuple(command for each in record for command in _commands(each))


def _shown(commands: tuple[str, ...]) -> str:
    return commands[0] + (f" and {len(commands) - 1} more" if len(commands) > 1 else "")
