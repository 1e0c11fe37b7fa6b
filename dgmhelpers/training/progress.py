"""A progress bar that moves wherever it can and never floods what is stored.

In a terminal it is tqdm as always. In a notebook the bar is one text output that replaces itself, so that what
is stored is its last line alone. Elsewhere (a log, a pipe) it is a line now and then. If nobody is there to look any
more it says no more, and training goes on.
"""

import contextlib
import sys

from tqdm import tqdm

from dgmhelpers import console

FORMAT = "{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}]{postfix}"
LOG_EVERY = 30.0    # seconds


class Bar:
    """A tqdm bar over training steps that leaves one line behind.

    Args:
        total: steps in all. initial: steps taken before. show: whether to show anything.
    """

    def __init__(self, total: int, initial: int, show: bool):
        terminal, notebook = console.is_terminal(sys.stderr), show and _in_notebook()
        self.show = show
        self.stream = _Notebook() if notebook else sys.stderr if terminal else _Lines()
        self.tqdm = tqdm(
            total=total,
            initial=initial,
            disable=not show,
            file=self.stream,
            leave=False,
            dynamic_ncols=terminal and not notebook,
            ncols=None if terminal and not notebook else 100,
            mininterval=0.5 if notebook else 0.2 if terminal else LOG_EVERY,
            delay=0 if terminal or notebook else LOG_EVERY,
            bar_format=FORMAT,
        )

    def update(self) -> None:
        """One step more."""
        with contextlib.suppress(OSError, ValueError):   # the terminal is gone
            self.tqdm.update()

    def note(self, text: str) -> None:
        """What to say beside the bar when it is next drawn."""
        self.tqdm.set_postfix_str(text, refresh=False)

    def finish(self, line: str = "") -> None:
        """Take the bar away, and leave ``line`` in its place."""
        with contextlib.suppress(OSError, ValueError):
            self.tqdm.close()
        if self.show and line:
            if isinstance(self.stream, _Notebook):
                self.stream.show_text(line)
            else:
                console.say(line)
        self.show = False


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and getattr(shell, "kernel", None) is not None


class _Notebook:
    """A stream for tqdm whose every line replaces the one before, in one output of the cell."""

    encoding = "utf-8"

    def __init__(self):
        self.handle = None

    def show_text(self, text: str) -> None:
        from IPython.display import display

        content = {"text/plain": text}
        if self.handle is None:
            self.handle = display(content, raw=True, display_id=True)
        else:
            self.handle.update(content, raw=True)

    def write(self, text: str) -> None:
        if text.strip():
            self.show_text(text.strip())

    def flush(self) -> None:
        pass


class _Lines:
    """A stream for tqdm that ends each state of the bar with a newline, for logs."""

    encoding = "utf-8"

    def write(self, text: str) -> None:
        if text.strip():
            console.say(text.strip())

    def flush(self) -> None:
        pass
