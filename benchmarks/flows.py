"""MAF and a MAF with splines next to zuko's, of the same sizes: likelihood after the same training, and times.

    pip install --no-deps zuko==1.6.0
    python benchmarks/flows.py [--dim 16] [--draws 256] [--steps 300] [--seeds 3]

Five layers of two hidden layers of 64 units, SiLU, orders that alternate, Adam at 0.002, the same batches. Both learn
a mixture of five Gaussians whose density is known: KL(truth ‖ flow) in nats over the seeds. Times are processor
seconds, theirs over ours in one run: above 1, ours is faster. zuko bounds a log scale softly by log 1000, where ours is
free here, and starts at random weights, where ours starts as the identity.
"""

import argparse
import math
import time
from functools import partial

import torch
from torch import Generator, nn

from dgmhelpers import classical, flows

try:
    import zuko
except ImportError:
    raise SystemExit("zuko is installed for this benchmark alone: pip install --no-deps zuko==1.6.0") from None

HIDDEN, LAYERS = (64, 64), 5


def ours(dim, bins):
    return flows.MAF(dim=dim, layers=LAYERS, hidden=HIDDEN, bins=bins, reach=5.0, bound=None)


def theirs(dim, bins):
    sizes = dict(features=dim, transforms=LAYERS, hidden_features=HIDDEN, activation=nn.SiLU)
    return zuko.flows.NSF(bins=bins, **sizes) if bins else zuko.flows.MAF(**sizes)


def log_prob(flow, x):
    return flow.log_prob(x) if isinstance(flow, flows.Flow) else flow().log_prob(x)


def draw(flow, n):
    with torch.no_grad():
        return flow.sample(n) if isinstance(flow, flows.Flow) else flow().sample((n,))


def truth(dim):
    """A mixture of five Gaussians of its own covariances, of about unit spread."""
    model = classical.GaussianMixture(dim, 5)
    generator = Generator().manual_seed(0)
    with torch.no_grad():
        model.means.copy_(torch.randn(model.means.shape, generator=generator))
        model.raw.copy_(0.3 * torch.randn(model.raw.shape, generator=generator))
    return model


def step_of(flow, x):
    optimiser = torch.optim.Adam(flow.parameters(), 2e-3)

    def step(batch=x):
        optimiser.zero_grad()
        loss = -log_prob(flow, batch).mean()
        loss.backward()
        optimiser.step()

    return step


def learned(make, dim, bins, steps, seed):
    """KL(truth ‖ flow) in nats after training."""
    source, generator = truth(dim), Generator().manual_seed(seed)
    train = source.sample(20_000, generator=generator).float()
    test = source.sample(10_000, generator=Generator().manual_seed(99)).float()
    torch.manual_seed(seed)
    flow = make(dim, bins)
    step = step_of(flow, train[:256])
    for _ in range(steps):
        step(train[torch.randint(len(train), (256,), generator=generator)])
    with torch.no_grad():
        return (source.log_prob(test.double()) - log_prob(flow, test)).mean().item()


def interval(values):
    mean = sum(values) / len(values)
    error = math.sqrt(sum((v - mean) ** 2 for v in values) / max(1, len(values) - 1) / len(values))
    return f"{mean:.3f} ± {error:.3f}"


def ratio(works, repeats=15):
    """The second work's processor seconds over the first's: the least of each, taken in turn, for a busy machine."""
    took = [[], []]
    for _ in range(repeats):
        for times, work in zip(took, works, strict=True):
            begun = time.process_time()
            work()
            times.append(time.process_time() - begun)
    return min(took[1]) / min(took[0])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name, value in (("dim", 16), ("draws", 256), ("steps", 300), ("seeds", 3)):
        parser.add_argument(f"--{name}", type=int, default=value)
    a = parser.parse_args()
    print(f"{a.dim} entries, {a.draws} examples, torch {torch.__version__}, zuko {zuko.__version__}, "
          f"{torch.get_num_threads()} threads; times are zuko's over ours")
    print(f"{'':14s}{'KL ours':>16s}{'KL zuko':>16s}{'density':>9s}{'sampling':>10s}{'training':>10s}")
    for name, bins in (("MAF", 0), ("MAF, splines", 8)):
        nats = [[learned(make, a.dim, bins, a.steps, seed) for seed in range(a.seeds)] for make in (ours, theirs)]
        torch.manual_seed(0)
        pair = [make(a.dim, bins) for make in (ours, theirs)]
        x = torch.randn(a.draws, a.dim)
        ratios = [ratio([partial(log_prob, flow, x) for flow in pair]),
                  ratio([partial(draw, flow, a.draws) for flow in pair]), ratio([step_of(flow, x) for flow in pair])]
        print(f"{name:14s}{interval(nats[0]):>16s}{interval(nats[1]):>16s}{ratios[0]:9.2f}{ratios[1]:10.2f}"
              f"{ratios[2]:10.2f}", flush=True)


if __name__ == "__main__":
    main()
