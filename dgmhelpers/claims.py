"""The cells that check a page: a sentence, a number, and an error if they disagree.

::

    from dgmhelpers import claims as claim

    claim.equal("chain-rule", "the product of the conditionals is the joint", product, joint, law="sums_to_one")
    claim.between("fvbn-learns", "nats per digit after training", loss, 20.0, 24.0)

A claim that holds shows one line with a tick; one that does not raises :class:`ClaimFailed`, and the notebook stops.
What is shown is the same on every machine: identities show their value rounded and the tolerance they were held to,
never the last digits of a difference; what training gave shows the interval. The build collects every claim of the
book, with a link to its place (``label``) and to the law that holds the same in the suite (``law``).
"""

import html
import math
import re

import torch

__all__ = ["Claim", "ClaimFailed", "above", "below", "between", "equal", "true"]


class ClaimFailed(AssertionError):
    """A statement on a page is not true here."""


class Claim:
    """A statement that was checked and held; a notebook shows it as one line.

    Args:
        label: its name in the book, lower-case words joined by hyphens; unique within a chapter.
        statement: what is claimed, as a sentence in words, without a full stop.
        evidence: what was found, in a form that does not vary between machines.
        law: name of the law in ``dgmhelpers.laws`` that holds the same for every model, if there is one.
    """

    def __init__(self, label: str, statement: str, evidence: str, law: str | None):
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", label):
            raise ValueError(f"a label is lower-case words joined by hyphens, got {label!r}")
        self.label, self.statement, self.evidence, self.law = label, statement, evidence, law

    def __repr__(self):
        law = f"  [law: {self.law}]" if self.law else ""
        return f"✓ {self.statement}: {self.evidence}{law}"

    def _repr_html_(self):
        law = f' <span class="dgm-claim-law">law: <code>{html.escape(self.law)}</code></span>' if self.law else ""
        return (
            f'<div class="dgm-claim" id="claim-{self.label}" data-label="{self.label}"'
            f' data-law="{html.escape(self.law or "")}">'
            f'<span class="dgm-claim-mark" aria-hidden="true">✓</span> '
            f'<span class="dgm-claim-statement">{html.escape(self.statement)}</span>: '
            f'<b class="dgm-claim-evidence">{html.escape(self.evidence)}</b>{law}</div>'
        )


def equal(label: str, statement: str, got, expected, *, tolerance: float = 1e-12, law: str | None = None) -> Claim:
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
    return Claim(label, statement, shown, law)


def below(label: str, statement: str, value: float, bound: float, *, law: str | None = None) -> Claim:
    """``value`` is below ``bound``, strictly; raises :class:`ClaimFailed` if not."""
    value = float(value)
    if not value < bound:
        raise ClaimFailed(f"{statement}: {value:.6g} is not below {bound:.6g}")
    return Claim(label, statement, f"below {_number(bound)}", law)


def above(label: str, statement: str, value: float, bound: float, *, law: str | None = None) -> Claim:
    """``value`` is above ``bound``, strictly; raises :class:`ClaimFailed` if not."""
    value = float(value)
    if not value > bound:
        raise ClaimFailed(f"{statement}: {value:.6g} is not above {bound:.6g}")
    return Claim(label, statement, f"above {_number(bound)}", law)


def between(label: str, statement: str, value: float, low: float, high: float, *, law: str | None = None) -> Claim:
    """``value`` lies in the interval from ``low`` to ``high``: for what training gives, which differs by machine."""
    value = float(value)
    if not low <= high:
        raise ValueError(f"claim {label!r}: the interval from {low} to {high} is empty")
    if not low <= value <= high:
        raise ClaimFailed(f"{statement}: {value:.6g} is not between {low:.6g} and {high:.6g}")
    return Claim(label, statement, f"between {_number(low)} and {_number(high)}", law)


def true(label: str, statement: str, condition, *, law: str | None = None) -> Claim:
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
    return Claim(label, statement, "holds" if count == 1 else f"holds in all {count:,} cases", law)


def _tensor(value) -> torch.Tensor:
    return torch.as_tensor(value, dtype=torch.float64, device="cpu").detach()  # a Python float at its full precision


def _number(value: float) -> str:
    if not math.isfinite(value):
        return str(value)
    if value == 0 or 1e-3 <= abs(value) < 1e6:
        return f"{value:,.6f}".rstrip("0").rstrip(".")
    return f"{value:.3e}"


def _power(tolerance: float) -> str:
    exponent = math.log10(tolerance)
    if exponent < -0.5 and abs(exponent - round(exponent)) < 1e-9:                # 1 is 1, and not 10⁰
        digits = str(-round(exponent)).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
        return f"10⁻{digits}"
    return f"{tolerance:.3g}"
