"""The loop's price: seconds of ``fit`` and ``fit_adversarial`` over a bare loop's, on networks so small that it shows.

    python benchmarks/loop.py [--device cpu] [--rounds 7] [--steps 1000]

The bare loops are what one writes for oneself: batches from a permutation, forward, backward, the optimiser, and the
loss as a number. Both are timed in turns, and the median of the ratios of a round is what counts: 1 is free, and
at most 1.15 is the aim. A network of any use takes longer a step, and the ratio is nearer to one. On a CPU the seconds
are this process's own, so that other work on the machine does not count.
"""

import argparse
import statistics
import time

import torch
from torch import Generator

from dgmhelpers.adversarial import GAN, losses
from dgmhelpers.autoregressive import FVBN, MADE
from dgmhelpers.training import fit, fit_adversarial

BATCH, EXAMPLES = 32, 1024    # whole batches: a game wants both of one size


def batches(x):
    """Permutation after permutation of the examples."""
    shuffler = Generator().manual_seed(0)
    while True:
        yield from torch.randperm(len(x), generator=shuffler).to(x.device).split(BATCH)


def bare(model, x, steps):
    """Maximum likelihood by hand."""
    optimizer, draws, curve = torch.optim.AdamW(model.parameters()), Generator(x.device).manual_seed(0), []
    for _, batch in zip(range(steps), batches(x), strict=False):
        loss = model.loss(x[batch], generator=draws)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        curve.append(loss.item() if x.device.type == "cpu" else loss.detach())
    return curve


def bare_game(model, x, steps):
    """Algorithm 1 by hand, with the generator's other loss."""
    loss, draws, order = losses.get("nonsaturating"), Generator(x.device).manual_seed(0), batches(x)
    of_d, of_g = (torch.optim.Adam(p.parameters(), lr=2e-4) for p in (model.discriminator, model.generator))
    curve = []
    for _ in range(steps):
        real, z = x[next(order)], model.noise(BATCH, generator=draws)
        d = loss.discriminator(model.discriminator(real), model.discriminator(model.generator(z).detach()))
        of_d.zero_grad()
        d.backward()
        of_d.step()
        g = loss.generator(model.discriminator(model.generator(model.noise(BATCH, generator=draws))))
        of_g.zero_grad()
        g.backward()
        of_g.step()
        curve.append((d.item(), g.item()) if x.device.type == "cpu" else (d.detach(), g.detach()))
    return curve


def cases(device):
    """Name, how the model is made, the data, the bare loop and ours."""
    bits = (torch.rand(EXAMPLES, 16, generator=Generator().manual_seed(0)) < 0.3).float().to(device)
    points = torch.randn(EXAMPLES, 2, generator=Generator().manual_seed(0)).to(device)
    yield "fit, FVBN of 16 bits", lambda: FVBN(dim=16), bits, bare, fit
    yield "fit, MADE of 16 bits", lambda: MADE(dim=16, hidden=16), bits, bare, fit
    play = fit_adversarial
    yield "fit_adversarial, GAN of 2 numbers", lambda: GAN(dim=2, latent=2, hidden=16), points, bare_game, play


def seconds(work, device):
    clock = time.process_time if device == "cpu" else time.perf_counter
    started = clock()
    work()
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    return clock() - started


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=1000)
    a = parser.parse_args()
    print(f"torch {torch.__version__}, {a.device}, {torch.get_num_threads()} threads, {a.steps} steps a round")
    for name, make, x, by_hand, ours in cases(a.device):

        def plain(make=make, x=x, by_hand=by_hand):
            by_hand(make().to(a.device).train(), x, a.steps)

        def looped(make=make, x=x, ours=ours):
            ours(make(), x, steps=a.steps, batch_size=BATCH, progress=False, device=a.device)

        plain(), looped()
        rounds = []
        for i in range(a.rounds):                        # whoever goes first, goes second next time
            pair = {work: seconds(work, a.device) for work in ((plain, looped) if i % 2 else (looped, plain))}
            rounds.append((pair[looped] / pair[plain], 1e6 * pair[plain] / a.steps))
        ratio, each = (statistics.median(column) for column in zip(*rounds, strict=True))
        print(f"{name:<36}{ratio:6.2f} times the bare loop's {each:.0f} µs a step", flush=True)


if __name__ == "__main__":
    main()
