"""What every live cell is: controls, a picture that is drawn again when one of them moves, and a still for the page.

Nothing here starts a thread or a task. A control that moves calls back, the call draws, and that is all; what runs by
itself (a game) is driven by the browser, through ipywidgets' ``Play``, which waits for an answer before it asks again.
So a cell stops when its page is closed. An interrupt of the kernel stops a drawing where it reaches one: JupyterLab may
call back in a thread of the kernel's own (a subshell), so that controls answer while another cell runs. Therefore
cells draw one at a time, without pyplot and its current figure, and no drawing takes more than a few seconds.
"""

from __future__ import annotations

import contextlib
import copy
import html
import math
import threading
from collections.abc import Callable, Iterator
from typing import Any

from dgmhelpers.viz.show import Picture, show, to_svg

VIEW = "application/vnd.jupyter.widget-view+json"
LABEL = "7em"     # width of the labels of sliders
_drawing = threading.RLock()
_open: dict[str, Live] = {}     # the live cell that each cell of the notebook has made


class Live:
    """Controls and a picture that follows them.

    Where there is a kernel, a notebook shows the widgets. Everything else (a built page, a stored notebook, paper)
    shows the still: the first picture, with one line that says what can be done here.

    Args:
        draw: gives the picture for the controls' values, ``draw(**values)``: a ``viz.Picture``, or a matplotlib figure
            and what it shows in words.
        controls: ipywidgets with a ``value``, by name; the picture is drawn again when one of them changes.
        layout: the widget that holds the controls, and buttons, as they are to be shown.
        can: what a reader can do here, to follow "Run this cell in a notebook to".
        slow: say that something is being computed, because it takes more than a moment.

    Attributes:
        picture: the last picture.
        still: what a page shows.
        message: what the line below the picture says; empty if all is well.
    """

    def __init__(self, draw: Callable, controls: dict[str, Any], layout, *, can: str, slow: bool = False):
        widgets = ipywidgets()
        self.controls, self._draw, self._slow, self._quiet = controls, draw, slow, False
        self.picture = self._drawn(still=True)
        words = f"This is a still. Run this cell in a notebook to {can}."
        self.still = Picture(self.picture.markup, self.picture.png, alt=self.picture.alt, caption=words,
                             prefix=self.picture.prefix)
        self.message = ""
        self._shown, self._line = widgets.HTML(self._markup()), widgets.HTML(_status(""))
        self.box = widgets.VBox([layout, self._shown, self._line])
        for control in controls.values():
            control.observe(self.update, "value")
        here = _cell_id()
        if here is not None:
            if here in _open:
                _open[here].close()
            _open[here] = self

    def update(self, change=None) -> None:
        """Draw the picture again. What goes wrong is said below it, because nobody sees what a callback raises."""
        if self._quiet or _rounds(change):
            return
        with _drawing:
            self._update()

    def _update(self) -> None:
        if self._slow:
            self.say("Computing …")
        try:
            self.picture = self._drawn()
        except KeyboardInterrupt:
            self.say("Interrupted. Move a control to go on.")
        except Exception as error:  # noqa: BLE001 - whatever it is, the reader is to see it
            self.say(f"{type(error).__name__}: {error}")
        else:
            self._shown.value = self._markup()
            self.say("")

    def set(self, **values) -> None:
        """Give several controls new values, and draw once."""
        with self.quietly():
            for name, value in values.items():
                self.controls[name].value = value
        self.update()

    @contextlib.contextmanager
    def quietly(self) -> Iterator[None]:
        """Controls that change inside this block draw nothing."""
        before, self._quiet = self._quiet, True
        try:
            yield
        finally:
            self._quiet = before

    def say(self, message: str) -> None:
        """Put a message below the picture."""
        self.message = message
        self._line.value = _status(message)

    def close(self) -> None:
        """Take the widgets away, here and in the browser."""
        for widget in list(_all_in(self.box)):
            widget.unobserve_all()
            widget.close()

    def _drawn(self, still: bool = False) -> Picture:
        drawn = self._draw(**{name: control.value for name, control in self.controls.items()})
        if isinstance(drawn, Picture):
            return drawn
        figure, alt = drawn
        if still:
            return show(figure, alt=alt)
        markup, prefix = to_svg(figure)     # a PNG is for paper, and takes as long again
        return Picture(markup, None, alt=alt, prefix=prefix)

    def _markup(self) -> str:
        # hosts that do not say their colour leave `inherit`
        ink = "color:var(--jp-content-font-color1, var(--vscode-editor-foreground, inherit))"
        return f'<div style="{ink};line-height:1.4">{self.picture.to_html()}</div>'

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, Any]:
        return self.still._repr_mimebundle_() | {VIEW: self.box._repr_mimebundle_()[VIEW]}

    def __repr__(self) -> str:
        return f"Live cell: {self.picture.alt}"


def ipywidgets():
    """The module, which a live cell needs and nothing else does.

    Raises:
        ImportError: that says how to get it.
    """
    try:
        import ipywidgets
    except ImportError as error:
        raise ImportError("a live cell needs ipywidgets and anywidget: pip install ipywidgets anywidget") from error
    return ipywidgets


def on_cpu(model):
    """A copy of a model for looking at: on the CPU, where one example at a time is fastest, and in evaluation mode."""
    return copy.deepcopy(model).cpu().eval()


def slider(label: str, value: float, low: float, high: float, step: float = 0.1, **options):
    """A slider of whole numbers if all of these are, else of real ones, with its label in full."""
    widgets = ipywidgets()
    kind = widgets.IntSlider if all(isinstance(v, int) for v in (value, low, high, step)) else widgets.FloatSlider
    return kind(value=value, min=low, max=high, step=step, description=label, **_options(options))


def log_slider(label: str, value: float, low: float, high: float, step: float = 0.1, **options):
    """A slider from 10 ** low to 10 ** high."""
    return ipywidgets().FloatLogSlider(value=value, min=low, max=high, step=step, description=label,
                                       readout_format=".2g", **_options(options))


def button(label: str, press: Callable[[], None], tooltip: str = ""):
    """A button that calls ``press()``."""
    made = ipywidgets().Button(description=label, tooltip=tooltip, layout={"width": "auto"})
    made.on_click(lambda _: press())
    return made


def _options(options: dict) -> dict:
    style = {"description_width": LABEL}
    return {"style": style, "layout": {"width": "22em", "max_width": "100%"}} | options


def _status(message: str) -> str:
    return f'<div role="status" style="min-height:1.4em">{html.escape(message)}</div>'


def _rounds(change) -> bool:
    """Whether a change is a browser's rounding of a slider's value to its steps, and nobody's move."""
    if change is None or not isinstance(change["new"], float) or not hasattr(change["owner"], "step"):
        return False
    old, new = change["old"], change["new"]
    if hasattr(change["owner"], "base"):                     # a slider of exponents
        old, new = math.log(old, change["owner"].base), math.log(new, change["owner"].base)
    return abs(new - old) < 0.6 * change["owner"].step


def _all_in(widget) -> Iterator:
    for child in getattr(widget, "children", ()):
        yield from _all_in(child)
    yield widget


def _cell_id() -> str | None:
    """Which cell of a notebook is running, where a kernel and its front end say so."""
    try:
        from IPython import get_ipython

        return get_ipython().get_parent()["metadata"]["cellId"]
    except (ImportError, AttributeError, KeyError, TypeError):
        return None
