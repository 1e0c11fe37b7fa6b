"""A Transformer's key-value cache against the length: naive over cached, and both over one forward pass.

    python benchmarks/transformer_cache.py [--device cpu] [--draws 1] [--hidden 128] [--layers 4]

Prints one row a length: seconds of one forward pass, cached and naive sampling in multiples of it, and naive over
cached. The naive sampler takes as many passes as there are symbols; the cached one as many steps of one position.
Ratios within one run are what counts; the seconds belong to this machine.
"""

import argparse

import torch
from timing import median_seconds

from dgmhelpers.autoregressive import Transformer


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--draws", type=int, default=1)
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--lengths", type=int, nargs="+", default=[32, 64, 128, 256])
    a = parser.parse_args()
    print(f"{a.layers} blocks of {a.hidden} features, {a.draws} draws, torch {torch.__version__}, {a.device}, "
          f"{torch.get_num_threads()} threads")
    print(f"{'length':>6} {'forward s':>10} {'cached / forward':>17} {'naive / forward':>16} {'naive / cached':>15}")
    for length in a.lengths:
        torch.manual_seed(0)
        model = Transformer(length=length, levels=65, hidden=a.hidden, layers=a.layers, position="rotary")
        model = model.to(a.device).eval()
        x = model.sample(a.draws)
        with torch.no_grad():
            forward = median_seconds(lambda model=model, x=x: model(x), a.device)
        cached = median_seconds(lambda model=model: model.sample(a.draws), a.device)
        naive = median_seconds(lambda model=model: model.sample(a.draws, method="naive"), a.device, repeats=1)
        ratios = f"{cached / forward:>17.1f} {naive / forward:>16.1f} {naive / cached:>15.1f}"
        print(f"{length:>6} {forward:>10.4f} {ratios}", flush=True)


if __name__ == "__main__":
    main()
