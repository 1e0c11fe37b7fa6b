"""Something to paint on: a grid of black and white pixels, for mouse, finger, pen and keyboard.

Imported only when a live cell needs it, because the class below needs anywidget: ipywidgets itself has nothing that
can be drawn on, and 784 buttons are no canvas.
"""

from __future__ import annotations

import anywidget
import torch
import traitlets
from torch import Tensor

_SCRIPT = """
function render({ model, el }) {
  const rows = model.get("rows"), columns = model.get("columns");
  const side = Math.max(6, Math.floor(252 / Math.max(rows, columns)));
  const canvas = document.createElement("canvas"), line = document.createElement("div");
  canvas.width = columns * side; canvas.height = rows * side;
  canvas.tabIndex = 0;
  canvas.dataset.lmSuppressShortcuts = "true";              // JupyterLab's arrow keys would move to another cell
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-label", `A picture of ${rows} by ${columns} pixels to paint. ` +
    "Arrow keys move, space paints or wipes a pixel.");
  canvas.style.cssText = "touch-action:none;cursor:crosshair;max-width:100%";
  line.setAttribute("role", "status");
  line.style.cssText = "font-size:.85em;min-height:1.4em";
  el.replaceChildren(canvas, line);
  const pen = canvas.getContext("2d");
  let at = [0, 0], stroke = null, pixels = [];

  function draw() {
    const yours = model.get("yours");
    for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) {
      const on = pixels[i * columns + j] === "1", mine = yours[i * columns + j] === "1";
      pen.fillStyle = mine ? (on ? "#fff" : "#000") : ((i + j) % 2 ? "#6b7a8c" : "#738294");
      pen.fillRect(j * side, i * side, side, side);
    }
    if (document.activeElement === canvas || canvas.matches(":focus")) {
      pen.strokeStyle = "#e07b00"; pen.lineWidth = 2;
      pen.strokeRect(at[1] * side + 1, at[0] * side + 1, side - 2, side - 2);
    }
  }
  function put(i, j, value) {
    if (i < 0 || j < 0 || i >= rows || j >= columns || model.get("yours")[i * columns + j] !== "1") return;
    pixels[i * columns + j] = value;
  }
  function place(event) {
    const box = canvas.getBoundingClientRect();
    return [Math.floor((event.clientY - box.top) / box.height * rows),
            Math.floor((event.clientX - box.left) / box.width * columns)];
  }
  function along([i, j]) {                                  // a straight line from where the pen was
    const n = Math.max(Math.abs(i - at[0]), Math.abs(j - at[1]), 1);
    for (let t = 0; t <= n; t++)
      put(Math.round(at[0] + (i - at[0]) * t / n), Math.round(at[1] + (j - at[1]) * t / n), stroke);
    at = [i, j];
  }
  function send() { model.set("value", pixels.join("")); model.save_changes(); }

  canvas.addEventListener("pointerdown", event => {
    canvas.setPointerCapture(event.pointerId); canvas.focus();
    at = place(event);
    stroke = pixels[at[0] * columns + at[1]] === "1" ? "0" : "1";
    along(at); draw(); event.preventDefault();
  });
  canvas.addEventListener("pointermove", event => { if (stroke !== null) { along(place(event)); draw(); } });
  const lift = () => { if (stroke !== null) { stroke = null; send(); } };
  canvas.addEventListener("pointerup", lift);
  canvas.addEventListener("pointercancel", lift);
  canvas.addEventListener("focus", draw);
  canvas.addEventListener("blur", draw);
  canvas.addEventListener("keydown", event => {
    const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    const by = moves[event.key];
    if (by) at = [Math.min(rows - 1, Math.max(0, at[0] + by[0])), Math.min(columns - 1, Math.max(0, at[1] + by[1]))];
    else if (event.key === " ") { put(...at, pixels[at[0] * columns + at[1]] === "1" ? "0" : "1"); send(); }
    else return;
    const here = at[0] * columns + at[1];
    line.textContent = `row ${at[0] + 1}, column ${at[1] + 1}: ` +
      (model.get("yours")[here] !== "1" ? "the model's" : pixels[here] === "1" ? "white" : "black");
    draw(); event.preventDefault(); event.stopPropagation();
  });
  const fresh = () => { pixels = model.get("value").split(""); draw(); };
  model.on("change:value", fresh);
  model.on("change:yours", draw);
  fresh();
  return () => { model.off("change:value", fresh); model.off("change:yours", draw); };
}
export default { render };
"""


class Canvas(anywidget.AnyWidget):
    """A grid of black and white pixels to paint on.

    Attributes:
        value: the pixels, row by row, as a string of 0 and 1; set from both sides.
        yours: which pixels can be painted, in the same way; the others are shown as the model's.
    """

    _esm = _SCRIPT
    rows = traitlets.Int().tag(sync=True)
    columns = traitlets.Int().tag(sync=True)
    value = traitlets.Unicode().tag(sync=True)
    yours = traitlets.Unicode().tag(sync=True)

    @property
    def image(self) -> Tensor:
        """The pixels as 0.0 and 1.0, ``(rows, columns)``."""
        return torch.tensor([float(each) for each in self.value]).reshape(self.rows, self.columns)


def bits(x: Tensor) -> str:
    """A tensor of truths, or of 0 and 1, as a string of 0 and 1, flat."""
    return "".join("1" if each else "0" for each in (x.flatten() > 0.5).tolist())
