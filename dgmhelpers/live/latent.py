r"""Walk in the plane of a VAE's latents, and choose q by hand, against the encoder.

For one image the bound with weight :math:`\beta` on the divergence is a function of q alone. With
:math:`q = \mathcal N(m, s^2 I)` it is shown over all m at once:

.. math::  B(m, s, \beta) = \mathbb E_{z \sim q}[\log p(x \mid z)] - \beta\, \mathrm{KL}(q \,\|\, \mathcal N(0, I)).

The expectation is a quadrature: :math:`\log p(x \mid z)` on a grid, smoothed by a Gaussian of width s.
"""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from dgmhelpers.live.cell import Live, button, ipywidgets, log_slider, on_cpu, slider
from dgmhelpers.live.drawing import ellipse, figure, signed

REACH, STEP = 3.6, 0.15                 # of the plane that is shown, and between the points of its grid
DRAWS = 200                             # of z, for the reader's own bound


def grid() -> Tensor:
    """The places of the grid along one axis, ``(G,)``; it reaches beyond what is shown, for the smoothing."""
    half = math.ceil((REACH + 0.9) / STEP)
    return STEP * torch.arange(-half, half + 1)


@torch.no_grad()
def log_likelihoods(vae, x: Tensor) -> Tensor:
    """``log p(x | z)`` in nats for every z of the grid, ``(G, G)``, the first latent along the columns."""
    at = grid().to(vae.dtype)
    z = torch.cartesian_prod(at, at)
    found = torch.cat([vae._log_likelihood(x[None].expand(len(part), *x.shape), part) for part in z.split(2000)])
    return found.reshape(len(at), len(at)).T


def smoothed(values: Tensor, std: float) -> Tensor:
    """The mean of values on the grid under a round Gaussian about each of its points; the border is repeated."""
    at = grid().to(values.dtype)
    weights = torch.softmax(-0.5 * ((at[:, None] - at) / std).square(), 1)         # (G, G), rows sum to one
    return weights @ values @ weights.T


def latent(vae, images: Tensor, *, seed: int = 0) -> Live:
    """Walk the plane of a VAE with two latents while it recomputes image, bound and map.

    Args:
        vae: with two latents, such as :class:`~dgmhelpers.latent.VAE`.
        images: examples, ``(N, *event_shape)`` or of as many entries, to choose from.
        seed: decides the draws of z in the reader's own bound.

    Raises:
        ValueError: if there are not two latents, or no image.
    """
    from dgmhelpers import viz

    if vae.latent != 2:
        raise ValueError(f"the plane needs two latents, and the model has {vae.latent}")
    if not len(images):
        raise ValueError("there is no image to choose: images is empty")
    vae = on_cpu(vae)
    x = images.cpu().reshape(len(images), *vae.event_shape)
    noise = torch.randn(DRAWS // 2, 2, generator=Generator().manual_seed(seed), dtype=vae.dtype)
    noise = torch.cat([noise, -noise])                                             # (DRAWS, 2), of mean zero
    side = math.isqrt(vae.event_shape.numel())
    maps: dict[int, Tensor] = {}
    at = grid()
    inside = at.abs() <= REACH + 1e-6

    @torch.no_grad()
    def bound(image: Tensor, mean: Tensor, std: Tensor, beta: float) -> tuple[float, float]:
        """E_q log p(x | z) by DRAWS draws, and KL(q ‖ p), in nats."""
        z = mean + std * noise
        kl = 0.5 * (mean.square() + std.square() - 1).sum() - std.log().sum()
        return vae._log_likelihood(image[None].expand(DRAWS, *image.shape), z).mean().item(), kl.item()

    def draw(which: int, z1: float, z2: float, spread: float, beta: float):
        image = x[which]
        if which not in maps:
            maps[which] = log_likelihoods(vae, image)
        kl = 0.5 * (at[:, None].square() + at.square() + 2 * spread**2 - 2) - 2 * math.log(spread)
        field = (smoothed(maps[which], spread) - beta * kl)[inside][:, inside]
        with torch.no_grad():
            mean, log_std = (each[0] for each in vae.encode(image[None]))
            here = torch.tensor([z1, z2], dtype=vae.dtype)
            shown = torch.stack([image, vae.means(here[None])[0], vae.means(mean[None])[0]]).reshape(3, side, side)
        mine = bound(image, here, torch.full((2,), spread, dtype=vae.dtype), beta)
        theirs = bound(image, mean, log_std.exp(), beta)
        totals = [a - beta * b for a, b in (mine, theirs)]
        with viz.style():
            fig = figure(6.6, 4.3)
            axes = fig.subplot_mosaic("MMMx;MMMy;MMMe")
            M, lost = axes["M"], (field.max() - field).clamp(max=400)
            M.imshow(-lost.sqrt(), origin="lower", extent=(-REACH - STEP / 2, REACH + STEP / 2) * 2,
                     cmap=viz.SEQUENTIAL)
            for centre, std, colour in ((mean, log_std.exp(), "#ffffff"), (here, torch.full((2,), spread), "#ff9a3c")):
                ellipse(M, centre, torch.diag(std), colour)
                M.plot(*centre, "x" if colour == "#ffffff" else "+", color=colour, ms=9, mew=2)
            M.set(xlim=(-REACH, REACH), ylim=(-REACH, REACH), xlabel="z₁", ylabel="z₂", aspect="equal",
                  title=f"you {signed(totals[0], 1)}, encoder {signed(totals[1], 1)} nats")
            for name, picture, title in zip("xye", shown, ("image", "from your z", "encoder's"), strict=True):
                axes[name].imshow(picture, cmap="gray", vmin=0, vmax=1)
                axes[name].set(xticks=[], yticks=[])
                axes[name].set_title(title, fontweight="normal", fontsize="small")
        line.value = "".join(
            f"<div>{who}: {signed(a, 1)} (reconstruction) − {beta:g} × {b:.2f} (KL) = "
            f"<b>{signed(a - beta * b, 1)} nats</b></div>" for who, (a, b) in (("you", mine), ("the encoder", theirs)))
        alt = (f"A map of the bound over the plane of latents for one image, at spread {spread:.2g} and β = {beta:g}, "
               f"your q at ({z1:.2f}, {z2:.2f}) and the encoder's at ({mean[0]:.2f}, {mean[1]:.2f}). Beside it the "
               f"image, and what the decoder makes of both. Bounds: {totals[0]:.1f} and {totals[1]:.1f} nats.")
        return fig, alt

    widgets = ipywidgets()
    line = widgets.HTML()
    controls = {
        "which": slider("image", 0, 0, len(x) - 1, 1),
        "z1": slider("z₁", 0.0, -REACH, REACH, 0.02),
        "z2": slider("z₂", 0.0, -REACH, REACH, 0.02),
        "spread": log_slider("spread of q", 0.2, -2, 0, 0.05),
        "beta": slider("β", 1.0, 0.0, 20.0, 0.5),
    }

    def go_there():
        with torch.no_grad():
            mean, log_std = (each[0] for each in vae.encode(x[controls["which"].value][None]))
        live.set(z1=mean[0].item(), z2=mean[1].item(), spread=log_std.mean().exp().item())

    def go_to_the_best():
        values = {name: control.value for name, control in controls.items()}
        kl = 0.5 * (at[:, None].square() + at.square())
        field = (smoothed(maps[values["which"]], values["spread"]) - values["beta"] * kl)[inside][:, inside]
        i, j = divmod(int(field.argmax()), field.shape[1])
        live.set(z1=at[inside][j].item(), z2=at[inside][i].item())

    buttons = widgets.HBox([button("To the encoder's answer", go_there),
                            button("To the top of the map", go_to_the_best)])
    rows = list(controls.values())
    help_ = widgets.HTML("Orange is your q, white the encoder's, and bright is where the bound of this image is high. "
                         "Who finds the better q? Raise β and see where the top goes.")
    layout = widgets.VBox([help_, widgets.HBox([widgets.VBox(rows[:3]), widgets.VBox([*rows[3:], buttons])],
                                               layout={"flex_flow": "row wrap"}), line])
    live = Live(draw, controls, layout, can="walk the plane and choose q against the encoder, for any β")
    return live
