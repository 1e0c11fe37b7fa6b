"""Text for people: it arrives as well as the terminal can show it, and never stops what is being done.

Windows' older consoles know 256 characters and some logs 128; a reader of a pipe may have left, and a program started
without a terminal has no streams at all. None of that is a reason to lose a result or a training run.
"""

import codecs
import contextlib
import os
import sys
import unicodedata
from typing import TextIO

PLAIN = {"…": "...", "−": "-", "–": "-", "—": "-", "×": "x", "·": ".", "≤": "<=", "≥": ">=", "≠": "!=", "±": "+/-",
         "→": "->", "‘": "'", "’": "'", "“": '"', "”": '"', "∞": "inf", "✓": "+", "◆": "*", "‖": "||", "∥": "||",
         "½": "1/2", "¼": "1/4", "¾": "3/4"}


def plainer(error: UnicodeError) -> tuple[str, int]:
    """For what an encoding lacks, what looks like it: a codec's error handler, known to it as ``plainer``."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    shown = []
    for sign in error.object[error.start : error.end]:
        plain = PLAIN.get(sign) or unicodedata.normalize("NFKD", sign)
        shown.append(plain if plain.isascii() else plain.encode("ascii", "ignore").decode() or "?")
    return "".join(shown), error.end


codecs.register_error("plainer", plainer)


def be_forgiving() -> None:
    """Have standard output and standard error show what they can of every text, from here on."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="plainer")


def say(text: str, stream: TextIO | None = None) -> bool:
    """A line on standard error (or ``stream``), at once; gives whether somebody may have seen it."""
    return write(text + "\n", stream)


def write(text: str, stream: TextIO | None = None) -> bool:
    """As :func:`say`, as it is, without the end of a line."""
    stream = sys.stderr if stream is None else stream
    if stream is None:                                   # a program without a terminal
        return False
    try:
        encoding = getattr(stream, "encoding", None) or "utf-8"
        stream.write(text.encode(encoding, "plainer").decode(encoding))
        stream.flush()
    except (OSError, ValueError):                        # closed, or nobody reads any more
        return False
    return True


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a stream is there, open, and a terminal."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:
        return False


def abandon(stream: TextIO | None) -> None:
    """Let go of a stream that nobody reads, so that Python does not complain of it at the end."""
    if stream is None:
        return
    with contextlib.suppress(OSError, ValueError):       # one without a file behind it: nothing to let go of
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
