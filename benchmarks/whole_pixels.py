"""PixelCNN++ and PixelSNAIL at the sizes of public implementations: cached sampling against a naive loop.

    python benchmarks/whole_pixels.py [--device cpu] [--draws 4] [--rows 2]

The naive loop is given its best case, one pass for each *pixel*, with all colours drawn from it; its time is that of
one pass times the number of pixels. The cached sampler is timed over ``rows`` rows at the top and multiplied up; of
PixelSNAIL, whose attention over a longer past costs more, ask for all 28. Ratios within one run are what counts; the
seconds belong to this machine.
"""

import argparse
import time

import torch
from timing import median_seconds

from dgmhelpers.autoregressive import PixelCNNpp, PixelSNAIL

MODELS = {
    "PixelCNN++, 3 × 5 blocks, 160 features, 32 × 32 RGB":
        lambda: PixelCNNpp(**PixelCNNpp.PAPER | {"channels": 160}),              # the authors' code's default
    "PixelSNAIL, 8 rounds of 2, 64 features, 28 × 28 binary":
        lambda: PixelSNAIL((1, 28, 28), channels=64, layers=8, blocks=2, keys=16),  # pytorch-generative's
    "PixelCNN++, 2 scales, 24 features, 32 × 32 RGB":
        lambda: PixelCNNpp((3, 32, 32), 256, channels=24, layers=1, scales=2),   # the recipe pixelcnnpp-cifar-part
}  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--draws", type=int, default=4)
    parser.add_argument("--rows", type=int, default=2)
    a = parser.parse_args()
    print(f"{a.draws} draws, torch {torch.__version__}, {a.device}, {torch.get_num_threads()} threads")
    print(f"{'model':<56}{'parameters':>12}{'pass s':>9}{'pixel ms':>10}{'cached / pass':>15}{'naive / cached':>16}")
    for name, make in MODELS.items():
        torch.manual_seed(0)
        measure(name, make().to(a.device).eval(), a)


@torch.no_grad()
def measure(name, model, a):
    """Print one model's row."""
    _, height, width = model.event_shape
    x = torch.zeros(a.draws, *model.event_shape, device=a.device)
    once = median_seconds(lambda: model.network(model.inputs(x)), a.device, repeats=3)
    step = model.pixels(a.draws)
    next(step)
    pixel = model.inputs(x)[..., 0, 0]
    step.send(pixel)                                                               # what begins runs once
    begun = time.perf_counter()
    for _ in range(a.rows * width):
        step.send(pixel)
    if a.device.startswith("cuda"):
        torch.cuda.synchronize()
    each = (time.perf_counter() - begun) / (a.rows * width)
    count = sum(p.numel() for p in model.parameters())
    cached = each * height * width
    print(f"{name:<56}{count:>12,}{once:>9.3f}{1000 * each:>10.2f}{cached / once:>15.1f}"
          f"{once * height * width / cached:>16.1f}", flush=True)


if __name__ == "__main__":
    main()
