"""05.5, research: an order that beats raster order, and whose reverse does not."""

from functools import cache

import torch
import torch.nn.functional as F

from dgmhelpers.exercises.chapter_04.shared import score
from dgmhelpers.exercises.compare import tensor
from dgmhelpers.exercises.feedback import exercise
from dgmhelpers.masks import past

# Nats by which an order must beat raster order, and raster order its reverse. Of 60 random orders 23 beat raster by the
# first (mean 0.06, standard deviation 0.08); the second is four standard deviations below their mean.
BETTER, WORSE = 0.1, 0.25


@exercise(
    "05.5",
    minutes=60,
    asks="a list of the 64 positions 0 … 63 in the order you choose",
    hints=[
        "Chance beats raster one time in three, and so does its reverse. What kind of order is far from its reverse?",
        "Which pixels are uncertain, and which are nearly constant? Where do they lie?",
        "Sort the pixels by one number each: their variance, or how far they are from the centre.",
    ],
    praise="the distribution is the same in every order; what differs is how well a straight boundary fits",
)
def _best_order(answer):
    """Trains an FVBN in the order, in its reverse and in raster order, in the same way, and compares test nats."""
    order = tensor(answer, (64,), "a list of the 64 positions")
    if not torch.equal(order.sort().values, torch.arange(64, dtype=torch.double)):
        return "an order must list each of the positions 0 … 63 once"
    order = order.long()
    raster = _order_nats(tuple(range(64)))
    gain, reverse = (raster - _order_nats(tuple(each.tolist())) for each in (order, order.flip(0)))
    if abs(gain) < 1e-9:
        return "this is raster order itself"
    if gain <= -WORSE and reverse >= BETTER:
        return f"it needs {-gain:.2f} nats more than raster order, and its reverse {reverse:.2f} less: turn it round"
    if gain < BETTER:
        return f"it is {gain:.2f} nats better than raster order; {BETTER:g} are asked for"
    if reverse > -WORSE:
        return (
            f"it is {gain:.2f} nats better than raster order, as many random orders are; but its reverse is only "
            f"{-reverse:.2f} worse, where {WORSE:g} are asked for"
        )
    return None


@cache
def _order_nats(order: tuple[int, ...]) -> float:
    """Test nats of an FVBN on binary-digits8 in this order: full batches, a small penalty, no random numbers."""
    from dgmhelpers import data

    digits = data.load("binary-digits8").flat()
    train, test = digits.split("train"), digits.split("test")
    mask = past(torch.tensor(order)).float()
    weight, bias = torch.zeros(64, 64, requires_grad=True), torch.zeros(64, requires_grad=True)
    optimiser = torch.optim.Adam([weight, bias], lr=0.05)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 200)
    for _ in range(200):
        loss = -score(F.linear(train, weight * mask, bias), train).mean()
        optimiser.zero_grad()
        (loss + 5e-4 * (weight * mask).square().sum()).backward()
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        return -score(F.linear(test, weight * mask, bias), test).double().mean().item()
