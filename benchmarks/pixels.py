"""PixelCNN and Gated PixelCNN: cached against naive sampling, sampling against one forward pass, and a training step.

    python benchmarks/pixels.py [--device cpu] [--draws 16] [--side 28]

A forward pass over as many images computes every activation once: the floor of any exact sampler. The training step
stands beside that of the plainest network that computes the same: full square kernels times a mask of zeros and ones.
The naive sampler's time is that of one of its steps times the number of pixels. Ratios within one run are what
counts; the seconds belong to this machine.
"""

import argparse
import warnings

import torch
import torch.nn.functional as F
from timing import median_seconds
from torch import nn

from dgmhelpers import sampling
from dgmhelpers.autoregressive import GatedPixelCNN, PixelCNN, ReceptiveFieldWarning
from dgmhelpers.layers import RasterConv2d, VerticalConv2d

MODELS = {
    "PixelCNN, 15 blocks × 16": lambda shape: PixelCNN(event_shape=shape, channels=16, layers=15),
    "GatedPixelCNN, 10 layers × 128": lambda shape: GatedPixelCNN(event_shape=shape, channels=128, layers=10),
}


class Square(nn.Module):
    """A masked layer as it is usually written: a square kernel times a mask, rows below the centre included."""

    def __init__(self, layer):
        super().__init__()
        up, width = layer.weight.shape[2] - 1, layer.weight.shape[3]
        side = max(up, width // 2) if isinstance(layer, VerticalConv2d) else layer.left
        shape = (*layer.weight.shape[:2], up + 1 if up == 0 else 2 * side + 1, 2 * side + 1)
        weight, mask = torch.zeros(shape), torch.zeros(shape)
        weight[:, :, : up + 1, :width] = layer.weight.detach()
        mask[:, :, : up + 1, :width] = getattr(layer, "mask", torch.ones_like(layer.weight)).float()
        self.weight, self.bias = nn.Parameter(weight), layer.bias
        self.register_buffer("mask", mask)
        self.padding = (up, side)

    def forward(self, x):
        return F.conv2d(x, self.weight * self.mask, self.bias, padding=self.padding)


def plainest(model):
    """The same network out of square kernels."""
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, RasterConv2d | VerticalConv2d):
                setattr(module, name, Square(child))
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--draws", type=int, default=16)
    parser.add_argument("--side", type=int, default=28)
    a = parser.parse_args()
    warnings.simplefilter("ignore", ReceptiveFieldWarning)
    print(f"{a.draws} images of {a.side} x {a.side}, torch {torch.__version__}, {a.device}, "
          f"{torch.get_num_threads()} threads")
    columns = "".join(f"{head:>18}" for head in ("forward s", "cached / forward", "naive / cached", "training step *"))
    print(f"{'model':<32}{columns}\n* of the plainest network that computes the same, over ours")
    for name, make in MODELS.items():
        measure(name, lambda make=make: make((1, a.side, a.side)), a.draws, a.device)


def measure(name, make, draws, device):
    """Print one model's row."""
    torch.manual_seed(0)
    model = make().to(device).eval()
    x = model.sample(draws)
    with torch.no_grad():
        forward = median_seconds(lambda: model(x), device)
        cached = median_seconds(lambda: model.sample(draws), device, repeats=3)
        naive = len(model.order) * median_seconds(lambda: naive_step(model, x), device)
    torch.manual_seed(0)
    other = plainest(make()).to(device)
    assert (other(x) - model(x)).abs().max() < 1e-4, "not the same network"
    ours, theirs = (step(each, x) for each in (model, other))
    paired = [(median_seconds(ours, device, 3), median_seconds(theirs, device, 3)) for _ in range(3)]
    ratio = sorted(b / a for a, b in paired)[1]
    print(f"{name:<32}{forward:>18.4f}{cached / forward:>18.1f}{naive / cached:>18.1f}{ratio:>18.2f}", flush=True)


def naive_step(model, x):
    """What the naive sampler does for one of the pixels: evaluate the whole model, and draw from one conditional."""
    model.likelihood.sample(sampling.parameters_of(model, x)[:, 0])


def step(model, x):
    """One training step as a function."""
    optimiser = torch.optim.Adam(model.parameters())

    def once():
        optimiser.zero_grad()
        model.loss(x).backward()
        optimiser.step()

    return once


if __name__ == "__main__":
    main()
