"""A progress bar that moves wherever it can and never floods what is stored.

In a terminal it is tqdm as always. In a notebook the bar is one text output that replaces itself, so that what
is stored is its last line alone. Elsewhere (a log, a pipe) it is a line now and then.
"""

import sys

from tqdm import tqdm

FORMAT = "{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}]{postfix}"


def bar(total: int, initial: int, show: bool) -> tqdm:
    """A tqdm bar over ``total`` training steps that ends as one line (see :func:`finish`)."""
    notebook = show and _in_notebook()
    terminal = sys.stderr.isatty()
    stream = _Notebook() if notebook else sys.stderr if terminal else _Lines()
    return tqdm(
        total=total,
        initial=initial,
        disable=not show,
        file=stream,
        leave=False,
        dynamic_ncols=terminal,
        ncols=None if terminal else 100,
        mininterval=0.2 if terminal else 0.5 if notebook else 30.0,
        miniters=1,
        bar_format=FORMAT,
    )


def finish(progress: tqdm, line: str) -> None:
    """Close the bar and leave ``line`` in its place."""
    stream, disabled = progress.fp if not progress.disable else None, progress.disable
    progress.close()
    if disabled:
        return
    target = getattr(stream, "_wrapped", stream)
    if isinstance(target, _Notebook):
        target.show(line)
    else:
        print(line, file=sys.stderr, flush=True)


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and getattr(shell, "kernel", None) is not None


class _Notebook:
    """A stream for tqdm whose every line replaces the one before, in one output of the cell."""

    encoding = "utf-8"

    def __init__(self):
        self.handle = None

    def show(self, text: str) -> None:
        from IPython.display import display

        content = {"text/plain": text}
        if self.handle is None:
            self.handle = display(content, raw=True, display_id=True)
        else:
            self.handle.update(content, raw=True)

    def write(self, text: str) -> None:
        if text.strip():
            self.show(text.strip())

    def flush(self) -> None:
        pass


class _Lines:
    """A stream for tqdm that ends each state of the bar with a newline, for logs."""

    encoding = "utf-8"

    def write(self, text: str) -> None:
        if text.strip():
            sys.stderr.write(text.strip() + "\n")

    def flush(self) -> None:
        sys.stderr.flush()
