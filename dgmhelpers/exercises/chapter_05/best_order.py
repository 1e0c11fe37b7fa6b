"""05.5, research: an order that beats raster."""

from functools import cache

import torch
import torch.nn.functional as F

from dgmhelpers.exercises.chapter_04.shared import score
from dgmhelpers.exercises.compare import tensor
from dgmhelpers.exercises.feedback import exercise
from dgmhelpers.masks import past

ENOUGH = 0.1  # nats by which an order must beat raster


@exercise(
    "05.5",
    asks="a list of the 64 positions 0 … 63 in the order you choose",
    hints=[
        "Try some: columns, spirals, the reverse of raster. Which pixels are uncertain, which nearly constant?",
        "What if the pixels that vary most are asked first? Or those in the middle of the image?",
    ],
    praise="now reverse your order and check that: if it loses, your conjecture should say why",
)
def _best_order(answer):
    """Trains an FVBN in the order, the same way as in raster order, and compares test nats."""
    order = tensor(answer, (64,), "a list of the 64 positions")
    if len(order) != 64 or not torch.equal(order.long().sort().values, torch.arange(64)):
        return f"an order must list each of the positions 0 … 63 once; yours has {len(order)} entries"
    mine, raster = _order_nats(tuple(order.long().tolist())), _order_nats(tuple(range(64)))
    gain = raster - mine
    if gain >= ENOUGH:
        return None
    if abs(gain) < 1e-9:
        return "this is raster order itself"
    if gain < 0:
        return f"it needs {-gain:.2f} nats more than raster order does: worse (the reverse might be better)"
    return f"it is {gain:.2f} nats better than raster; {ENOUGH:g} are asked for"


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
