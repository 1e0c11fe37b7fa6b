"""The page "Audit your own model": every adapter on it runs, on a model of its family, and is at most ten lines."""

import re
from pathlib import Path

import foreign_models as models
import pytest
import sketches
import torch
from foreign import ForeignNet

from dgmhelpers import laws, protocols

PAGE = (Path(__file__).resolve().parents[1] / "book" / "api" / "audit.md").read_text(encoding="utf-8")
ADAPTERS = dict(re.findall(r"```\{code-block\} python\n:caption: (.*?)\n(.*?)```", PAGE, re.S))
RUN = [name for name in ADAPTERS if not name.endswith(".py")]


class Pixels(models.Steps):
    """The table over levels as images of 3 × 3."""

    def __init__(self):
        super().__init__(9, 3)

    def forward(self, x):
        return super().forward(x.flatten(1)).reshape(*x.shape, self.levels)

    def loss(self, x):
        return -self(x).log_softmax(-1).gather(-1, x[..., None]).flatten(1).sum(1).mean()

    def sample(self, n):
        x = torch.zeros(n, 1, 3, 3, dtype=torch.long)
        with torch.no_grad():
            for i in range(9):
                x.reshape(n, 9)[:, i] = torch.distributions.Categorical(logits=self(x).flatten(1, 3)[:, i]).sample()
        return x


class Table(models.Steps):
    def __init__(self):
        super().__init__(3, 3, 0.1)


def here():
    """What the adapters call their models."""
    torch.manual_seed(0)
    sphere = models.von_mises_fisher()
    return {
        "laws": laws, "torch": torch, "net": ForeignNet().eval(), "pixels": Pixels().eval(), "flow": models.Coupling(2),
        "language_model": models.Transformer().eval(), "vae": models.TinyVAE(), "rbm": sketches.RBM(),
        "vmf": type("", (), {"log_prob": staticmethod(sphere["log_prob"]), "sample": staticmethod(sphere["sample"])}),
        "generator_loss": models.minimax, "wgan_gp": models.wgan_gp, "labelled": sketches.Labelled(), "Table": Table,
    }  # fmt: skip


@pytest.mark.parametrize("name", RUN)
def test_an_adapter_is_short_and_its_model_holds(name):
    code = ADAPTERS[name]
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
    names = here()
    exec(compile(code, name, "exec"), names)
    reports = {key: value for key, value in names.items() if isinstance(value, laws.Report)}
    assert reports
    for key, report in reports.items():
        assert report.held, f"{key}\n{report}"


def test_every_function_that_an_audit_takes_is_on_a_page():
    text = PAGE + (laws.audit.__doc__ or "")
    from dgmhelpers.laws.given import FUNCTIONS

    assert [name for name in FUNCTIONS if name not in text] == []


def test_exit_codes_and_supports_are_those_of_the_code():
    from dgmhelpers.laws.support import NAMES

    assert [name for name in NAMES if f'"{name}"' not in PAGE] == []
    assert set(protocols.ALWAYS) <= set(laws.LAWS)
