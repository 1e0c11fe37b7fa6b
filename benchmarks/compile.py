"""What torch.compile and bfloat16 make of a training step, for one model of each kind: the plain step's time over each.

    python benchmarks/compile.py [--device cpu] [--models NADE VAE ...]

A ratio above 1 is a gain. Compiling itself costs what stands in the last column, once for each shape of batch: it pays
only if the steps to come save more, and the column before it says how many steps that takes. The three kinds of step
are timed in turns, five rounds, and the median of the ratios of a round is what counts; the seconds belong to this
machine. ``train --precision bf16`` and ``train --compile`` are for those that this shows to gain. No recipe asks for
either of its own accord: on one core of a Xeon without bfloat16 units, with other work beside it, bfloat16 took 1.4
(FVBN) to 1.8 times (VAE) as long as single precision, and compiling gained 20 % (FVBN) or nothing (VAE).
"""

import argparse
import math
import statistics
import time
import warnings

import torch
from timing import median_seconds

from dgmhelpers.autoregressive import FVBN, MADE, NADE, CharRNN, DeepNADE, GatedPixelCNN, PixelCNN
from dgmhelpers.latent import VAE, ConvVAE

BATCH, ROUNDS = 100, 5
HEADS = {"plain step ms": 14, "bf16 ×": 12, "compiled ×": 12, "pays after steps": 18, "compiling s": 14}
MODELS = {  # of the sizes that the recipes train
    "FVBN": lambda: FVBN(dim=784),
    "NADE": lambda: NADE(dim=784, hidden=500),
    "MADE": lambda: MADE(dim=784, hidden=500),
    "DeepNADE": lambda: DeepNADE(dim=784, hidden=500, layers=2),
    "CharRNN": lambda: CharRNN(length=64, levels=65, hidden=128),
    "PixelCNN": lambda: PixelCNN(event_shape=(1, 28, 28), channels=16, layers=4),
    "GatedPixelCNN": lambda: GatedPixelCNN(event_shape=(1, 28, 28), channels=16, layers=4),
    "VAE": lambda: VAE(dim=784, latent=20, hidden=(200, 200)),
    "ConvVAE": lambda: ConvVAE(event_shape=(1, 28, 28), latent=20, channels=(16, 32), hidden=256),
}


def step(model, objective, x, precision: str):
    """One training step as a function."""
    optimiser = torch.optim.AdamW(model.parameters())
    generator = torch.Generator(x.device).manual_seed(0)

    def once():
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast(x.device.type, torch.bfloat16, enabled=precision == "bf16"):
            loss = objective(x, generator=generator)
        loss.backward()
        optimiser.step()

    return once


def examples(model, device: str):
    """A batch that the model takes: what it makes itself, or coins."""
    generator = torch.Generator().manual_seed(0)
    levels = getattr(getattr(model, "likelihood", None), "levels", None) or getattr(model, "levels", 2)
    x = torch.randint(levels, (BATCH, *model.event_shape), generator=generator)
    return (x if levels > 2 else x.float()).to(device)


def measure(name: str, device: str) -> None:
    """Print one model's row."""
    torch.manual_seed(0)
    model = MODELS[name]().to(device).train()
    x = examples(model, device)
    plain, half = step(model, model.loss, x, "no"), step(model, model.loss, x, "bf16")
    started = time.perf_counter()
    try:
        compiled = step(model, torch.compile(model.loss), x, "no")
        compiled()
        cost = time.perf_counter() - started
    except Exception as error:                           # whatever the compiler says: the row reports it
        compiled, cost, why = None, math.nan, f"  compile: {type(error).__name__}"
    works = [w for w in (plain, half, compiled) if w is not None]
    rounds = [[median_seconds(work, device, 3) for work in works] for _ in range(ROUNDS)]
    seconds = statistics.median(r[0] for r in rounds)
    faster = [statistics.median(r[0] / r[i] for r in rounds) for i in range(1, len(works))]
    row = f"{name:<16}{1000 * seconds:>14.1f}{faster[0]:>12.2f}"
    if compiled is None:
        print(f"{row}{'-':>12}{why}", flush=True)
        return
    saved = seconds * (1 - 1 / faster[1])
    pays = f"{cost / saved:,.0f}" if saved > 0.02 * seconds else "never"
    print(f"{row}{faster[1]:>12.2f}{pays:>18}{cost:>14.1f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS), metavar="NAME")
    a = parser.parse_args()
    warnings.simplefilter("ignore")
    print(f"batches of {BATCH}, torch {torch.__version__}, {a.device}, {torch.get_num_threads()} threads")
    heads = "".join(f"{head:>{width}}" for head, width in HEADS.items())
    print(f"{'model':<16}{heads}")
    for name in a.models:
        measure(name, a.device)


if __name__ == "__main__":
    main()
