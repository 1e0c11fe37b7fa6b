"""What surrounds a training loop: a Ctrl-C that waits for the end of a step, and arithmetic that does not crawl."""

import contextlib
import signal
import threading

import torch


@contextlib.contextmanager
def no_denormals():
    """Treat numbers below 1e-38 as zero: Adam's moments of a weight without gradient sink there, and CPUs crawl."""
    already = (torch.tensor(1e-39) * 1).item() == 0
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(already)


class Interrupts:
    """While this is entered, a first Ctrl-C waits for the step to end; a second one does not."""

    def __enter__(self):
        self.pending = self.installed = False
        if threading.current_thread() is threading.main_thread():
            if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
                signal.signal(signal.SIGINT, self._asked)
                self.installed = True
        return self

    def _asked(self, number, frame) -> None:
        if self.pending:
            raise KeyboardInterrupt
        self.pending = True

    def __exit__(self, *_) -> None:
        if self.installed:
            signal.signal(signal.SIGINT, signal.default_int_handler)
