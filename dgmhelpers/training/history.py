"""What happened during a training, as figures that a run keeps and carries over an interruption."""

from dataclasses import dataclass, field
from typing import ClassVar

STOPPED = {"patience": "stopped early", "time": "stopped by the clock", "collapse": "stopped by a collapse"}


@dataclass
class Record:
    """What happened during a training of any kind.

    Attributes:
        steps: 1, 2, ... for each step taken.
        curves: by player, the loss at each of these steps, before that player's update (its last one in the step).
        valid_loss: pairs (step, what the validation gave).
        watched: pairs (step, what ``watch`` returned).
        best_step: the step whose weights the model holds, if there was a validation.
        best_valid: the validation figure of these weights.
        seconds: time spent in the loop, evaluation included, over all resumed parts.
        stopped: None if all steps were taken, else why not: "patience", "time", "collapse" or "interrupted".
    """

    words: ClassVar[dict[str, str]] = {}                 # what a player's loss is called, where not by its name

    steps: list[int] = field(default_factory=list)
    curves: dict[str, list[float]] = field(default_factory=dict)
    valid_loss: list[tuple[int, float]] = field(default_factory=list)
    watched: list[tuple[int, object]] = field(default_factory=list)
    best_step: int | None = None
    best_valid: float | None = None
    seconds: float = 0.0
    stopped: str | None = None

    def __str__(self) -> str:
        parts = [f"{len(self.steps):,} steps in {self.seconds:.0f} s"]
        for name, values in self.curves.items():
            if values:
                called = self.words.get(name, f"{name}'s loss")
                parts.append(f"{called} {sum(values[-20:]) / len(values[-20:]):.4g}")
        if self.best_valid is not None:
            parts.append(f"best validation {self.best_valid:.4f} at step {self.best_step:,}")
        return ", ".join(parts + ([STOPPED.get(self.stopped, self.stopped)] if self.stopped else []))

    def note(self) -> str:
        """The latest figures, for beside a progress bar."""
        parts = [f"{self.words.get(name, name)} {values[-1]:.4g}" for name, values in self.curves.items() if values]
        return ", ".join(parts + ([f"valid {self.valid_loss[-1][1]:.4f}"] if self.valid_loss else []))


class History(Record):
    """A :class:`Record` of one model that minimises its loss."""

    words = {"model": "training loss"}

    @property
    def train_loss(self) -> list[float]:
        """The batch's loss at each step, before the update."""
        return self.curves.setdefault("model", [])


class GameHistory(Record):
    """A :class:`Record` of a generator and a discriminator."""

    words = {"discriminator": "D's loss", "generator": "G's loss"}

    @property
    def discriminator_loss(self) -> list[float]:
        """At the last discriminator step of each iteration, before the update, without any penalty."""
        return self.curves.setdefault("discriminator", [])

    @property
    def generator_loss(self) -> list[float]:
        """At each iteration, before the update."""
        return self.curves.setdefault("generator", [])
