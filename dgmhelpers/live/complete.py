"""Paint a part of an image, and let models draw the rest."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping

import torch
from torch import Generator, Tensor

from dgmhelpers import sampling
from dgmhelpers.arguments import at_least
from dgmhelpers.live.cell import LABEL, Live, button, ipywidgets, on_cpu, slider

REGIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {      # which pixels are given; places are in (0, 1)
    "the top half": lambda down, right: down < 0.5,
    "the bottom half": lambda down, right: down > 0.5,
    "the left half": lambda down, right: right < 0.5,
    "the right half": lambda down, right: right > 0.5,
    "the top third": lambda down, right: down < 1 / 3,
    "a frame": lambda down, right: torch.maximum((down - 0.5).abs(), (right - 0.5).abs()) > 0.3,
}
ORDERS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {       # what an order sorts pixels by
    "row by row": lambda down, right: 2 * down + right / 1000,
    "column by column": lambda down, right: 2 * right + down / 1000,
    "from the middle outwards": lambda down, right: (down - 0.5).square() + (right - 0.5).square() + right / 1000,
    "at random": lambda down, right: torch.rand(down.shape, generator=Generator().manual_seed(0)),
}


def places(height: int, width: int) -> tuple[Tensor, Tensor]:
    """How far down and how far to the right the middle of each pixel is, ``(H, W)`` each, in (0, 1)."""
    down, right = (torch.arange(height) + 0.5) / height, (torch.arange(width) + 0.5) / width
    return down[:, None].expand(height, width), right[None].expand(height, width)


def in_order(model, order: Tensor):
    """The model with that order ``(D,)``, if it takes any order; else as it is."""
    return model.with_orders(order[None]) if hasattr(model, "with_orders") else model


@torch.no_grad()
def nats_of(model, x: Tensor, known: Tensor, context: Tensor | None = None) -> float | None:
    """``−log p(known)`` in nats, exact, where the known entries come first in the model's only order; else None.

    Args:
        x, known: one example, ``event_shape`` each; what is not known does not matter.
    """
    if hasattr(model, "with_orders"):                        # such a model takes what is known first
        order = model.orders[0]
        model = model.with_orders(order[(~known.flatten()[order]).int().argsort(stable=True)][None])
    here = known.flatten()
    if len(model.orders) > 1 or not here[model.orders[0]][: int(here.sum())].all():
        return None
    params = sampling.parameters_of(model, x[None], context)                       # (1, D, …)
    return -model.likelihood.log_prob(params, x.flatten()[None])[0, here].sum().item()


def complete(models, images: Tensor, *, labels: Tensor | None = None, n: int = 6, seed: int = 0) -> Live:
    """Paint the pixels that are given; each model draws the others ``n`` times, with its cached sampler.

    A model with one order keeps what is given, but has seen only those given pixels that come before: given the bottom
    half, a model that goes row by row draws the top without a look at it. A model of any order takes what is given
    first. The cost of what was painted, in nats, is exact where the given pixels come first.

    Args:
        models: an autoregressive model over images of one colour, or several by name.
        images: to begin with, ``(N, H, W)``, ``(N, 1, H, W)`` or ``(N, D)`` (square) in [0, 1]; above ½ is white.
        labels: their classes, ``(N,)``, which a conditional model is told first; 0 if not given.
        n: completions of each model.
        seed: decides the draws.

    Raises:
        ValueError: for images of another shape, or a model over something else.
    """
    from dgmhelpers import viz

    models = dict(models) if isinstance(models, Mapping) else {type(models).__name__: models}
    at_least("n", n, 1)
    side = round(images.shape[-1] ** 0.5) if images.ndim == 2 else 0
    images = images.reshape(-1, side, side) if side and side**2 == images.shape[-1] else images
    images = (images[:, 0] if images.ndim == 4 and images.shape[1] == 1 else images).cpu()
    if images.ndim != 3 or not len(images):
        raise ValueError(f"images must be (N, H, W), (N, 1, H, W) or square (N, D), got {tuple(images.shape)}")
    height, width = images.shape[1:]
    for name, model in models.items():
        if model.event_shape.numel() != height * width:
            raise ValueError(f"{name} is over {tuple(model.event_shape)}, and the images are {height} × {width}")
        models[name] = on_cpu(model)
    where = places(height, width)
    classes = max((model.config.get("classes") or 0) for model in models.values())
    any_order = any(hasattr(model, "with_orders") for model in models.values())
    draws = {"seed": seed}

    def one(model, pixels: Tensor, known: Tensor, order: Tensor, label: int):
        """Completions (n, H, W) in [0, 1], and what the given pixels cost."""
        top = (model.likelihood.levels or 2) - 1
        x = (pixels * top).reshape(model.event_shape).to(model.dtype if top == 1 else torch.long)
        context = torch.full((n,), label) if model.config.get("classes") else None
        fits, known = in_order(model, order), known.reshape(model.event_shape)
        cost = nats_of(fits, x, known, None if context is None else context[:1])
        with warnings.catch_warnings():                  # what is ignored is said in the picture's words
            warnings.simplefilter("ignore", UserWarning)
            drawn = fits.sample(n, given=x, known=known, context=context,
                                generator=Generator().manual_seed(draws["seed"]))
        return drawn.reshape(n, height, width).float() / top, cost

    def draw(painting: str, given: str, order: str = "row by row", label: int = 0, **_):
        pixels = canvas.image
        known = REGIONS[given](*where)
        begun = pixels.masked_fill(~known, float("nan"))
        rows, costs, words = [], [], []
        for name, model in models.items():
            start = time.perf_counter()
            drawn, cost = one(model, pixels, known, ORDERS[order](*where).flatten().argsort(), label)
            seconds = time.perf_counter() - start
            rows += [begun, *drawn]
            late = f"{name} draws some pixels before it has seen all that is given"
            costs.append(late if cost is None else f"{name}: {cost:.1f} nats")
            words.append(f"{costs[-1]}, {seconds:.1f} s")
        names = [text for name in models for text in (name, *[""] * n)]
        known = known.expand(len(rows), height, width)
        return viz.images(
            torch.stack(rows), columns=n + 1, labels=names, highlight=known, size=min(112, 640 // (n + 1)),
            alt=f"{given.capitalize()} of an image is given, tinted, and each model draws the rest {n} times. "
                f"What is given costs: {'; '.join(costs)}.",
            caption=f"What you painted costs, and {n} completions take: {'; '.join(words)}.",
        )

    widgets = ipywidgets()
    from dgmhelpers.live.canvas import Canvas, bits

    given = widgets.Dropdown(options=list(REGIONS), description="given", style={"description_width": LABEL})
    canvas = Canvas(rows=height, columns=width, value=bits(images[0]), yours=bits(REGIONS[given.value](*where)))
    which = slider("image", 0, 0, len(images) - 1, 1)
    controls = {"which": which, "given": given, "painting": canvas}
    if any_order:
        controls["order"] = widgets.Dropdown(options=list(ORDERS), description="order",
                                             style={"description_width": LABEL})
    if classes:
        first = 0 if labels is None else int(labels[0])
        controls["label"] = slider("class", first, 0, classes - 1, 1)

    def begin(_=None):
        with live.quietly():
            canvas.value = bits(images[which.value])
            if classes and labels is not None:
                controls["label"].value = int(labels[which.value])

    def shade(_):
        canvas.yours = bits(REGIONS[given.value](*where))

    def empty():
        canvas.value = "0" * (height * width)

    def again():
        draws["seed"] += 1
        live.update()

    which.observe(begin, "value")
    given.observe(shade, "value")
    buttons = widgets.HBox([button("Draw again", again), button("Clear", empty, "nothing painted")])
    help_ = widgets.HTML("Paint with the pointer, or with arrow keys and space.<br>"
                         "A stroke that begins on white wipes.")
    side_ = widgets.VBox([help_, *(c for c in controls.values() if c is not canvas), buttons],
                         layout={"margin": "0 0 0 1em"})
    layout = widgets.HBox([canvas, side_], layout={"flex_flow": "row wrap", "align_items": "flex-start"})
    live = Live(draw, controls, layout, slow=True, can="paint a part of a digit and let the model finish it")
    return live
