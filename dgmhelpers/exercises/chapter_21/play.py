"""Checkers that play: a step of the discriminator, and samples that fool one."""

import copy
import math

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from dgmhelpers.adversarial import GAN, losses
from dgmhelpers.exercises.chapter_21.common import two_jsd
from dgmhelpers.exercises.compare import named, tensor
from dgmhelpers.exercises.feedback import exercise, nothing

FOOLED = 0.01   # nats by which the quadratic discriminator of 21.7 may beat a coin
APART = 0.3     # nats of JSD that 21.7 asks for


@exercise(
    "21.5",
    minutes=20,
    asks="a function repaired_step(model, x, z, of_D) that takes one step of the discriminator",
    hints=[
        "There are three bugs. One is about what `with_logits` expects.",
        "Call the step twice: are the gradients of the first call gone?",
        "After a step of the discriminator, should any parameter of the generator have a gradient?",
    ],
    praise="no sigmoid before a loss of logits, no gradient from yesterday, none for the other player",
)
def _repaired_step(answer):
    """Two calls beside a step written here: weights of both players, gradients left behind, old gradients."""
    g = Generator().manual_seed(0)
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        model = GAN(dim=2, latent=2, hidden=6).double()
    twin = copy.deepcopy(model)
    of_d, of_twin = (torch.optim.SGD(each.discriminator.parameters(), lr=0.5) for each in (model, twin))
    for p in model.discriminator.parameters():
        p.grad = torch.full_like(p, 0.3)    # what the page, or a test, may have left there
    for call in (1, 2):
        x, z = (torch.randn(7, 2, generator=g, dtype=torch.double) for _ in range(2))
        before = copy.deepcopy(twin.state_dict())
        done = answer(model, x.clone(), z.clone(), of_d)
        real, fake = twin.discriminator(x), twin.discriminator(twin.generator(z).detach())
        of_twin.zero_grad()
        (F.softplus(-real).mean() + F.softplus(fake).mean()).backward()
        of_twin.step()
        if all(torch.equal(v, before[k]) for k, v in model.state_dict().items()):
            return nothing() if done is None and call == 1 else "no parameter moved: is of_D.step() called?"
        if any(not torch.equal(v, before[k]) for k, v in model.generator.state_dict(prefix="generator.").items()):
            return "the generator's weights moved: this is the discriminator's step"
        if any(p.grad is not None for p in model.generator.parameters()):
            return "the generator was left with gradients: its examples must be detached"
        gap = max((a - b).abs().max().item() for a, b in zip(model.parameters(), twin.parameters(), strict=True))
        if gap > 1e-8:
            if call == 2:
                return "the second call differs: gradients of the first one are still there"
            doubled = _after(before, x, z, lambda r, f: losses.discriminator_loss(r.sigmoid(), f.sigmoid()))
            halved = _after(before, x, z, lambda r, f: losses.discriminator_loss(r, f) / 2)
            flipped = _after(before, x, z, lambda r, f: losses.discriminator_loss(-r, -f))
            stale = _after(before, x, z, losses.discriminator_loss, stale=0.3)
            mistakes = {
                "the gradients that were there before the step are still in it: clear them first": stale,
                "a sigmoid is still applied before a loss that expects logits": doubled,
                "the loss is halved: the two means are summed": halved,
                "the labels are exchanged: real is 1": flipped,
            }
            return named(mistakes, _flat(model)) or "that was another step than one of gradient descent on −V"
    return None


@exercise(
    "21.7",
    minutes=60,
    asks="a tensor of 1,000 numbers",
    hints=[
        "The best logit of this family is where its gradient vanishes. What does the gradient compare?",
        "At logit zero it compares the means of 1, x and x². Which sets of numbers have mean 0 and mean square 1?",
        "Two values suffice.",
    ],
    praise="its loss is log 4 and its samples are two points: a critic sees what its features see, and no more",
)
def _fooled(answer):
    """The quadratic critic trained by Newton's method against a normal's quantiles, and JSD over 40 cells."""
    x = tensor(answer, (1000,), "one tensor of 1,000 numbers")
    if not x.isfinite().all():
        return "some of the numbers are NaN or infinite"
    real = torch.special.ndtri((torch.arange(2000, dtype=torch.double) + 0.5) / 2000)
    value = -_quadratic_loss(real, x)
    apart = _cells_jsd(x)
    if value > -math.log(4) + FOOLED:
        clue = "the means differ" if abs(x.mean()) > 0.05 else "the mean squares differ"
        return f"the discriminator tells them apart: V = {value:.3f} where a coin gets {-math.log(4):.3f} ({clue})"
    if apart < APART:
        return f"nothing to see, and rightly so: the two are alike, JSD = {apart:.2f} nats where {APART} are asked for"
    return None


def _quadratic_loss(real: Tensor, fake: Tensor) -> float:
    """Least discriminator loss over logits b + w₁x + w₂x², by Newton's method with a little damping."""
    features = [torch.stack([torch.ones_like(x), x, x * x], 1) for x in (real, fake)]
    w = torch.zeros(3, dtype=torch.double)

    def loss(v):
        return F.softplus(-features[0] @ v).mean() + F.softplus(features[1] @ v).mean()

    for _ in range(50):
        gradient = torch.autograd.functional.jacobian(loss, w)
        hessian = torch.autograd.functional.hessian(loss, w) + 1e-6 * torch.eye(3, dtype=torch.double)
        direction, size = torch.linalg.solve(hessian, gradient), 1.0
        while loss(w - size * direction) > loss(w) and size > 1e-6:
            size /= 2
        w = w - size * direction
    return loss(w).item()


def _cells_jsd(x: Tensor) -> float:
    """JSD between a standard normal and numbers, both in 40 cells from −4 to 4, the outer ones open."""
    edges = torch.linspace(-4, 4, 41, dtype=torch.double)
    inner = torch.special.ndtr(edges[1:-1])
    p = torch.diff(torch.cat([torch.zeros(1), inner, torch.ones(1)]).double())
    q = torch.bincount(torch.bucketize(x, edges[1:-1]), minlength=40).double() / len(x)
    return (two_jsd(p, q) / 2).item()


def _after(state, x, z, loss, stale: float = 0.0) -> Tensor:
    """All weights after one step of gradient descent on another loss, or with a gradient left from before."""
    model = GAN(dim=2, latent=2, hidden=6).double()
    model.load_state_dict(state)
    value = loss(model.discriminator(x), model.discriminator(model.generator(z).detach()))
    value.backward()
    for p in model.discriminator.parameters():
        p.grad = p.grad + stale if p.grad is not None else None
    torch.optim.SGD(model.discriminator.parameters(), lr=0.5).step()
    return _flat(model)


def _flat(model) -> Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])
