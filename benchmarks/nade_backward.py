"""What NADE gains from walking its recursion backwards instead of storing every hidden layer.

    python benchmarks/nade_backward.py [--device cpu] [--batch 100]

Compares one training step's forward and backward pass, as a ratio in one run, with plain autograd over the
``(B, D, H)`` tensor of all hidden layers, at the paper's sizes.
"""

import argparse

import torch
from timing import median_seconds

from dgmhelpers.autoregressive import NADE


def plain_logits(model, x):
    """NADE as one cumulative sum, in raster order: autograd keeps all D hidden layers."""
    contributions = x[:, :, None] * model.W
    a = model.c + contributions.cumsum(1) - contributions
    return (a.sigmoid() * model.V).sum(-1) + model.b


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", type=int, default=100)
    a = parser.parse_args()
    torch.manual_seed(0)
    model = NADE(**NADE.PAPER).to(a.device)
    x = (torch.rand(a.batch, 784, device=a.device) < 0.13).float()
    gap = (model(x) - plain_logits(model, x)).abs().max().item()
    seconds = {
        "recursion": median_seconds(lambda: model(x).sum().backward(), a.device, repeats=3),
        "autograd": median_seconds(lambda: plain_logits(model, x).sum().backward(), a.device, repeats=3),
    }
    print(f"batch {a.batch}, torch {torch.__version__}, {a.device}, {torch.get_num_threads()} threads")
    print(f"largest difference of the logits: {gap:.1e}")
    for name, value in seconds.items():
        print(f"{name:<10} {value:.3f} s")
    print(f"autograd / recursion: {seconds['autograd'] / seconds['recursion']:.1f}")


if __name__ == "__main__":
    main()
