"""Type a beginning, set the temperature, and watch what a network expects next."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

import torch

from dgmhelpers.live.cell import LABEL, Live, button, ipywidgets, on_cpu, slider
from dgmhelpers.live.drawing import figure

SHOWN, LONGEST = 14, 2000
NAMES = {" ": "space", "\n": "new line", "\t": "tab"}


def next_symbol(model, symbols: Sequence[str], *, start: str = "ROMEO:\nBut soft, what l", seed: int = 0) -> Live:
    """The conditional of the next symbol, drawn again with every key and every change of temperature.

    Args:
        model: with ``stream(x)``, logits ``(1, T, K)`` of every symbol given those before, ``generate`` and a
            ``likelihood``: a :class:`~dgmhelpers.autoregressive.CharRNN` or ``Transformer``.
        symbols: the K symbols, as strings of one character.
        start: the first beginning.
        seed: decides what the model writes.

    Raises:
        ValueError: if the model has not as many symbols, or ``start`` holds one that it does not know.
    """
    from dgmhelpers import viz

    if model.likelihood.levels != len(symbols):
        raise ValueError(f"the model has {model.likelihood.levels} symbols, and {len(symbols)} were given")
    model = on_cpu(model)
    index = {symbol: i for i, symbol in enumerate(symbols)}
    g = torch.Generator().manual_seed(seed)

    def codes(text: str) -> torch.Tensor:
        unknown = sorted(set(text) - set(index))
        if unknown:
            raise ValueError(f"the model has never seen {', '.join(map(repr, unknown))}; take it out to go on")
        return torch.tensor([index[symbol] for symbol in text[-LONGEST:]], dtype=torch.long)

    @torch.no_grad()
    def logits_of(text: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits of the next symbol, (K,), and the surprise of each symbol of the text, in bits, (T,)."""
        x = codes(text)
        logits, _ = model.stream(torch.cat([x, x.new_zeros(1)])[None])             # the last is read, not fed
        bits = -model.likelihood.log_prob(logits[:, :-1], x[None])[0] / math.log(2)
        return logits[0, -1], bits

    def draw(text: str, temperature: float):
        logits, bits = logits_of(text)
        p, plain = (logits / temperature).softmax(0), logits.softmax(0)
        top = p.topk(min(SHOWN, len(p))).indices
        entropy = torch.special.entr(p).sum().item() / math.log(2)
        with viz.style():
            fig = figure(6.4, 3.0)
            ax = fig.subplots()
            places = range(len(top))
            ax.bar(places, p[top].tolist(), color=viz.COLOURS["blue"])
            ax.bar(places, plain[top].tolist(), fill=False, edgecolor=viz.INK, lw=1)
            ax.set_xticks(places, [NAMES.get(symbols[i], symbols[i]) for i in top.tolist()])
            for label in ax.get_xticklabels():
                if len(label.get_text()) > 1:
                    label.set(rotation=35, ha="right")
            ax.set(ylabel="probability", ylim=(0, 1.08 * max(p[top[0]].item(), plain.max().item(), 0.1)),
                   title=f"after “{text[-18:].replace(chr(10), '↵')}”: {entropy:.2f} bits of doubt")
        best = ", ".join(f"{NAMES.get(symbols[i], symbols[i])} {p[i]:.0%}" for i in top[:4].tolist())
        cost = f", which cost {bits.mean():.2f} bits a symbol" if len(bits) else ""
        paint(text, bits)
        told = f"Probabilities of the next symbol after {text[-40:]!r}{cost}, at temperature {temperature:g}: {best}."
        return fig, told

    widgets = ipywidgets()
    written = widgets.HTML()

    def paint(text: str, bits: torch.Tensor):
        """The text, each symbol the more orange the more it surprised the model."""
        marked = "".join(
            f'<span style="background:rgba(207,90,0,{min(cost / 12, 0.75):.2f})" title="{cost:.1f} bits">'
            f'{html.escape(symbol) if symbol != chr(10) else "↵<br>"}</span>'
            for symbol, cost in zip(text[-LONGEST:], bits.tolist(), strict=True)
        )
        mean = f"{bits.mean():.2f} bits a symbol; the darker, the more surprising" if len(bits) else "no beginning"
        style = "font-family:monospace;line-height:1.5;max-height:11em;overflow:auto"
        written.value = f'<div style="{style}">{marked}</div><div>{mean}</div>'

    controls = {
        "text": widgets.Textarea(value=start, description="beginning", rows=3, style={"description_width": LABEL},
                                 layout={"width": "95%"}),
        "temperature": slider("temperature", 1.0, 0.05, 2.0, 0.05),
    }

    @torch.no_grad()
    def write(count: int):
        text, temperature = controls["text"].value, controls["temperature"].value
        try:
            x = codes(text)
        except ValueError as error:
            return live.say(str(error))
        drawn = model.generate(x, count, temperature=temperature, generator=g)
        live.set(text=text + "".join(symbols[i] for i in drawn.tolist()))

    buttons = [button("Draw one", lambda: write(1)), button("Draw 60", lambda: write(60)),
               button("Clear", lambda: live.set(text=""))]
    help_ = widgets.HTML("Type a beginning, or let the model go on. Bars: at your temperature; outlines: at 1.")
    layout = widgets.VBox([help_, controls["text"], written,
                           widgets.HBox([controls["temperature"], *buttons], layout={"flex_flow": "row wrap"})])
    live = Live(draw, controls, layout, can="type a beginning of your own and set the temperature")
    return live
