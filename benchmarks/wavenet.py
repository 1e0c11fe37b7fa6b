"""How many samples a second does WaveNet's cached sampler draw, beside the published way of caching?

    python benchmarks/wavenet.py [--samples 300] [--batch 16]

Both have the sizes of a public implementation (V. Herrmann, pytorch-wavenet): 4 × 10 layers of 32 channels, two taps,
256 features on the skip path and in the head, 256 levels. The published way keeps one queue a layer, takes its two
inputs out, and calls the layer's four convolutions on them; it is written here anew, from its description, and draws
for a whole batch. Samples a second are summed over the batch. Compare figures of one run only.
"""

import argparse

import torch
import torch.nn.functional as F
from timing import median_seconds

from dgmhelpers.autoregressive import WaveNet

SIZES = {"levels": 256, "channels": 32, "layers": 40, "cycle": 10, "skip": 256, "head": 256}


@torch.no_grad()
def layer_by_layer(model: WaveNet, n: int, samples: int, generator: torch.Generator) -> torch.Tensor:
    """Draw ``(n, samples)``: for each layer a queue, and convolutions for filter, gate, residual and skip apart."""
    channels, size = model.config["channels"], model.config["skip"]
    filters = [layer.dilated.weight[:channels] for layer in model.layers]
    gates = [layer.dilated.weight[channels:] for layer in model.layers]
    biases = [layer.dilated.bias.chunk(2) for layer in model.layers]
    skips = [w[:, :, None] for w in model.skip.weight.split(channels, dim=1)]
    queues = [torch.zeros(n, channels, d + 1) for d in model.dilations]
    last = torch.full((n,), model.likelihood.levels)
    drawn = []
    for t in range(samples):
        h, total = model.embedding(last)[:, :, None], torch.zeros(n, size, 1)      # (n, C, 1)
        for l, layer in enumerate(model.layers):
            queue, d = queues[l], model.dilations[l]
            queue[:, :, t % (d + 1)] = h[:, :, 0]
            pair = torch.stack([queue[:, :, (t + 1) % (d + 1)], h[:, :, 0]], 2)    # (n, C, 2)
            b = biases[l]
            z = F.conv1d(pair, filters[l], b[0]).tanh() * F.conv1d(pair, gates[l], b[1]).sigmoid()
            total = total + F.conv1d(z, skips[l])
            h = h if layer.residual is None else h + F.conv1d(z, layer.residual.weight)
        logits = model.output(model.head((total[:, :, 0] + model.skip.bias).relu()).relu())
        last = model.likelihood.sample(logits, 1.0, generator)
        drawn.append(last)
    return torch.stack(drawn, 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--samples", type=int, default=300)
    parser.add_argument("--batch", type=int, default=16)
    a = parser.parse_args()
    torch.manual_seed(0)
    model = WaveNet(length=a.samples, **SIZES).eval()
    seeded = torch.Generator().manual_seed
    same = torch.equal(model.sample(2, generator=seeded(0)), layer_by_layer(model, 2, a.samples, seeded(0)))
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {a.samples} samples; same draws: {same}")
    print("samples a second       this package  layer by layer  ratio")
    for n in (1, a.batch):
        ours = n * a.samples / median_seconds(lambda n=n: model.sample(n), "cpu", repeats=3)
        theirs = n * a.samples / median_seconds(
            lambda n=n: layer_by_layer(model, n, a.samples, torch.Generator()), "cpu", repeats=3)
        print(f"{n:2d} at a time {ours:23.0f} {theirs:15.0f} {ours / theirs:6.2f}", flush=True)


if __name__ == "__main__":
    main()
