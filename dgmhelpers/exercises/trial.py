"""The learner's code, called with care: its prints, exits, endless loops and changed arguments are its own."""

import contextlib
import io
import signal
import threading
import time
import traceback
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from dgmhelpers.exercises.compare import Refused, plain

SECONDS = 120  # of the learner's code, in one check: the longest solution of the book trains for half of that


class Trial:
    """An answer that is a function, as a checker calls it: each call gets copies, and what goes wrong is said plainly.

    A function that it returns is called with the same care. Time is counted over all calls of one check.

    Raises:
        Refused: if the answer raises, exits, takes too long, or changes what it was given.
    """

    def __init__(self, answer: Callable, spent: list[float] | None = None):
        self.answer = answer
        self.__wrapped__ = answer   # so that its signature can be seen
        self._spent = [0.0] if spent is None else spent

    def __call__(self, *arguments, **keywords):
        given = _copied((arguments, keywords))
        began = time.monotonic()
        try:
            with _limit(SECONDS - self._spent[0]), contextlib.redirect_stdout(io.StringIO()):
                found = self.answer(*given[0], **given[1])
        except Refused:
            raise
        except TimeoutError:
            raise Refused(f"not finished after {SECONDS} seconds: is there a loop without end?") from None
        except (Exception, SystemExit) as error:
            raise Refused(f"your answer raised {type(error).__name__}: {error}{_line(error, self.answer)}") from error
        finally:
            self._spent[0] += time.monotonic() - began
        if not _same((arguments, keywords), given):
            raise Refused("your answer changes the values that it is given: work on copies (x.clone())")
        return Trial(found, self._spent) if callable(found) and not isinstance(found, Tensor) else plain(found)


@contextlib.contextmanager
def _limit(seconds: float):
    """Raise TimeoutError after so long, where a signal can be sent: in the main thread, not on Windows."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number, frame):
        raise TimeoutError

    handler, began = signal.signal(signal.SIGALRM, stop), time.monotonic()
    left, every = signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.01))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, max(left - (time.monotonic() - began), 0.01) if left else 0, every)
        signal.signal(signal.SIGALRM, handler)


def _line(error: BaseException, answer: Callable) -> str:
    """Where in the learner's own code it happened; nothing if it did not get that far."""
    file = getattr(getattr(answer, "__code__", None), "co_filename", None)
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return f" (line {frames[-1].lineno} of {frames[-1].name})" if frames else ""


def _copied(a):
    """Tensors and arrays, in whatever holds them, copied; generators, models and optimisers as they are."""
    if isinstance(a, Tensor):
        return a.clone()
    if isinstance(a, np.ndarray):
        return a.copy()
    if isinstance(a, dict):
        return {key: _copied(value) for key, value in a.items()}
    if type(a) in (list, tuple):
        return type(a)(map(_copied, a))
    return a


def _same(a, b) -> bool:
    if isinstance(a, Tensor):
        return a.shape == b.shape and torch.equal(torch.nan_to_num(a), torch.nan_to_num(b))
    if isinstance(a, np.ndarray):
        return np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(_same, a, b))
    return True  # generators and models are meant to change
