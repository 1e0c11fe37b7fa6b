"""Two generators that translate there and back, a judge at each end: a game of four networks on two streams."""

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import nn

from dgmhelpers.recipes import Experiment, collapse
from dgmhelpers.recipes.measures import Figures
from dgmhelpers.training import Player, train


class Translators(nn.Module):
    def __init__(self, dim: int = 2, hidden: int = 32):
        super().__init__()
        for name, out in {"there": dim, "back": dim, "judge_of_x": 1, "judge_of_y": 1}.items():
            setattr(self, name, nn.Sequential(nn.Linear(dim, hidden), nn.Tanh(), nn.Linear(hidden, out)))

    @torch.no_grad()
    def sample(self, n, *, generator=None):
        """Points of the first set, translated."""
        return self.there(torch.empty(n, 2).normal_(generator=generator))


def points(made):
    """Points about the origin; the other set, (3, 3) and half as wide, stands beside them as a part to test."""
    x = torch.randn(500, 2, generator=torch.Generator().manual_seed(0))
    return replace(collapse.points("ring_of_8"), name="two-sets", train=x[:400], test=3 + 0.5 * x[:300])


def cycle(model, examples, *, lr, watch=None, **run):
    def judged(judge, real, fake):
        return F.softplus(-judge(real)).mean() + F.softplus(judge(fake.detach())).mean()

    def turns(state):
        x, y = state.batch("x"), state.batch("other")
        fake_y, fake_x = model.there(x), model.back(y)
        there_and_back = (model.back(fake_y) - x).abs().mean() + (model.there(fake_x) - y).abs().mean()
        fooled = F.softplus(-model.judge_of_y(fake_y)).mean() + F.softplus(-model.judge_of_x(fake_x)).mean()
        yield "translators", fooled + 10 * there_and_back, fooled
        yield "judge_of_x", judged(model.judge_of_x, x, fake_x)
        yield "judge_of_y", judged(model.judge_of_y, y, fake_y)

    def adam(*modules):
        return Player(torch.optim.Adam([p for m in modules for p in m.parameters()], lr=lr), clip=1.0)

    players = {"translators": adam(model.there, model.back), "judge_of_x": adam(model.judge_of_x),
               "judge_of_y": adam(model.judge_of_y)}  # fmt: skip
    streams = {"x": examples.train, "other": examples.dataset.test}
    return train(model, turns, players=players, streams=streams, watch=watch, **run)


@torch.no_grad()
def figures(model, dataset, seed):
    x = dataset.train
    return {"cycle": (model.back(model.there(x)) - x).abs().mean().item(),
            "place": (model.there(x).mean(0) - 3).abs().max().item()}  # fmt: skip


EXPERIMENT = Experiment.of(
    "throwaway-four-networks", "there and back between two sets of points", model=Translators, source=points,
    training={"steps": 300, "batch_size": 50, "lr": 5e-3, "evaluate_every": 100, "progress": False}, trainer=cycle,
    measures=(Figures(figures, {"cycle": "mean distance there and back", "place": "from the other's mean"}),),
    dtype="float32",
)  # fmt: skip
