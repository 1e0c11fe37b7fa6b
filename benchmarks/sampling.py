"""How much faster is cached sampling than naive, and how far from the floor of one forward pass?

    python benchmarks/sampling.py [--device cpu] [--draws 100]

Prints one row a model: seconds of one forward pass over the same batch (every activation once), cached sampling in
multiples of it, and naive over cached. Ratios within one run are what counts; the seconds belong to this machine.
"""

import argparse

import torch
from timing import median_seconds

from dgmhelpers.autoregressive import FVBN, MADE, NADE, CharRNN

MODELS = {
    "FVBN, 784": lambda: FVBN(dim=784),
    "NADE, 784, 500 hidden": lambda: NADE(**NADE.PAPER),
    "MADE, 784, 500 hidden": lambda: MADE(dim=784, hidden=500),
    "CharRNN, 256 symbols, LSTM 2 × 128": lambda: CharRNN(**(CharRNN.PAPER | {"length": 256})),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--draws", type=int, default=100)
    a = parser.parse_args()
    print(f"{a.draws} draws, torch {torch.__version__}, {a.device}, {torch.get_num_threads()} threads")
    print(f"{'model':<36} {'forward s':>10} {'cached / forward':>17} {'naive / cached':>15}")
    for name, make in MODELS.items():
        torch.manual_seed(0)
        measure(name, make().to(a.device).eval(), a.draws, a.device)


def measure(name, model, draws, device):
    """Print one model's row."""
    x = model.sample(draws)
    with torch.no_grad():
        forward = median_seconds(lambda: model(x), device)
        cached = median_seconds(lambda: model.sample(draws), device)
        naive = median_seconds(lambda: model.sample(draws, method="naive"), device, repeats=1)
    print(f"{name:<36} {forward:>10.4f} {cached / forward:>17.1f} {naive / cached:>15.1f}", flush=True)


if __name__ == "__main__":
    main()
