"""The time that an audit may take: looked at between laws, and within one whenever it turns to the model."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from torch.nn.modules.module import register_module_forward_pre_hook


class TimeIsUp(BaseException):
    """Ends a law from within; no exception that a model, or a law, would catch."""


class Clock:
    """Says when the time that an audit may take is over.

    Args:
        seconds: that it may take; None for no limit.

    Raises:
        ValueError: unless ``seconds`` is above 0.
    """

    def __init__(self, seconds: float | None):
        if seconds is not None and not seconds > 0:
            raise ValueError(f"seconds must be above 0, got {seconds!r}")
        self.seconds, self.began = seconds, time.monotonic()

    @property
    def over(self) -> bool:
        return self.seconds is not None and time.monotonic() - self.began > self.seconds

    @contextmanager
    def stops(self) -> Iterator[None]:
        """Within it, :func:`tick` and every call of a module raise once the time is over.

        Raises:
            TimeIsUp: there.
        """
        if self.seconds is None:
            yield
            return
        token, hook = RUNNING.set(self), register_module_forward_pre_hook(tick)
        try:
            yield
        finally:
            RUNNING.reset(token)
            hook.remove()


RUNNING: ContextVar[Clock | None] = ContextVar("RUNNING", default=None)


def tick(*_) -> None:
    """Look at the time, if an audit runs that has a limit.

    Raises:
        TimeIsUp: if it is over.
    """
    clock = RUNNING.get()
    if clock is not None and clock.over:
        raise TimeIsUp
