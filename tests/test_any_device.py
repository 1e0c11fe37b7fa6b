"""Training and evaluating as on another device, on a machine without one: no wait, no double precision, short numbers.

On ``meta`` a look at a value raises, so what passes there never makes the host wait within a step. Apple's GPU has no
float64: here every tensor that was not brought to the CPU by name counts as being there.
"""

import warnings
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from models import MODELS, given, trains
from torch import Generator, Tensor
from torch.overrides import TorchFunctionMode
from training_cases import QUIET, bits, text, text_model

from dgmhelpers import classical, devices, evaluation, masks
from dgmhelpers.adversarial import GAN, losses, unrolled
from dgmhelpers.autoregressive import FVBN, NADE
from dgmhelpers.latent import VAE
from dgmhelpers.training import checkpoints, em, fit, fit_adversarial, run, state

RUN = dict(steps=3, batch_size=4, progress=False)
LIKELIHOODS = [entry for entry in MODELS if trains(entry)]


def points(n=20):
    return torch.randn(n, 2, generator=Generator().manual_seed(0))


def drawn(model, n=8):
    if not hasattr(model, "sample"):
        return torch.zeros(n, *model.event_shape)
    with torch.no_grad():
        return model.sample(n, **given(model, n), generator=Generator().manual_seed(0))


# --- no wait ----------------------------------------------------------------------------------------------------------

EVERYTHING = dict(warmup=1, ema=0.9, clip=1.0)
STEPS = {
    "fit": lambda: fit(NADE(dim=6, hidden=3), bits(), l1=1e-3, weight_decay=0.1, **EVERYTHING, **RUN),
    "fit with dropout": lambda: fit(text_model(), text(), transform=lambda x, g: x.clone(), **EVERYTHING, **RUN),
    "fit, annealed": lambda: fit(VAE(dim=6, latent=2, hidden=(4,)), bits(), anneal=2, **RUN),
    "fit_adversarial": lambda: fit_adversarial(GAN(dim=2, latent=2, hidden=4), points(), k=2, **EVERYTHING, **RUN),
    "a penalty": lambda: fit_adversarial(GAN(dim=2, latent=2, hidden=4), points(), loss="wasserstein", **RUN),
    "an opponent": lambda: fit_adversarial(
        GAN(dim=2, latent=2, hidden=4), points(), opponent=partial(unrolled, steps=2), **RUN),
}  # fmt: skip


def generator_there(device="cpu"):
    """On meta there is no generator, and one of the CPU is refused: draws come from none in particular."""
    return SimpleNamespace(manual_seed=lambda seed: None) if str(device) == "meta" else Generator(device)


@pytest.mark.parametrize("name", STEPS)
def test_no_step_of_either_loop_waits_for_the_device(name, monkeypatch):
    seen = []
    monkeypatch.setattr(devices, "device", lambda name=None: torch.device("meta"))
    monkeypatch.setattr(state, "Generator", generator_there)
    monkeypatch.setattr(run.Run, "look", lambda self: seen.extend(self.unseen))
    monkeypatch.setattr(run.Run, "evaluate", lambda self: None)
    STEPS[name]()
    assert {value.device.type for row in seen for part in row for value in part.values()} == {"meta"}


# --- no double precision ----------------------------------------------------------------------------------------------


class NoDouble(TorchFunctionMode):
    """Float64 is refused but for what was made on the CPU, or brought there, by name."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        flat = [a for arg in args for a in (arg if isinstance(arg, list | tuple) else [arg])]
        out, given = function(*args, **kwargs), [a for a in flat if isinstance(a, Tensor)]
        where = [a for a in (*args, *kwargs.values()) if isinstance(a, str | torch.device)]
        host = function is Tensor.cpu or any(str(w) == "cpu" and isinstance(w, str) for w in where)
        host = host or any(getattr(a, "on_host", False) for a in given) or not (given or where)
        for each in out if isinstance(out, list | tuple) else [out]:
            if isinstance(each, Tensor):
                if each.dtype == torch.double and not host:
                    raise TypeError(f"{function}: this device has no float64")
                if function in (Tensor.cpu, Tensor.to) and host and each is args[0]:
                    out = each = each.view_as(each)      # the tensor itself stays where it was
                each.on_host = host
        return out


@pytest.fixture
def no_double():
    with NoDouble():
        yield


def test_the_simulation_refuses_what_apple_refuses():
    x = torch.ones(3)
    with NoDouble():
        for use in (x.double, lambda: x.to(torch.double), lambda: torch.zeros(2, dtype=torch.double, device=x.device),
                    lambda: x.exp().double(), lambda: x.sum(dtype=torch.double)):  # fmt: skip
            with pytest.raises(TypeError, match="no float64"):
                use()
        assert x.cpu().double().sum().item() == x.to("cpu").double().sum() == torch.tensor(3.0, dtype=torch.double)
        with pytest.raises(TypeError):
            x.double()                                   # it did not become the CPU's by having been copied there


SINGLE = [entry for entry in LIKELIHOODS if entry.make().dtype == torch.float]


@pytest.mark.parametrize("entry", SINGLE, ids=lambda entry: entry.name)
def test_no_training_and_no_evaluation_asks_for_double_precision(entry, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        model = entry.make()
    x, about = drawn(model), given(model, 8)
    with NoDouble():
        fit(model, x, valid=x, **about, valid_context=about.get("context"), steps=2, batch_size=4, ema=0.9, clip=1.0,
            checkpoint=tmp_path / "run", **QUIET)
        if hasattr(model, "log_prob"):
            evaluation.nats(model, x, **about)
        if hasattr(model, "log_weights"):
            draws = Generator().manual_seed(0)
            evaluation.elbo(model, x, **about, generator=draws)
            evaluation.log_likelihood(model, x, **about, k=4, chunk=2, generator=draws)
        if hasattr(model, "encode") and hasattr(model, "log_weights"):
            evaluation.kl_per_dimension(model, x, **about)
            evaluation.active_units(model, x, **about)
            evaluation.amortisation_gap(model, x, **about, steps=2, draws=1, score_draws=2, generator=draws)


def test_masks_are_multiplied_without_double_precision(no_double):
    degrees = masks.spread_degrees(4, 3)
    assert masks.reach([masks.may_see(degrees, degrees)]).any()


def test_examples_in_double_precision_become_single_where_there_is_no_other():
    x = torch.zeros(4, 2, dtype=torch.double)
    for view in x, x.as_strided((3, 2), (1, 1)):
        assert checkpoints.files.move(view, torch.device("meta")).dtype == torch.double
    try:
        assert not devices.has_float64(torch.device("mps"))
        assert checkpoints.files.move(x, torch.device("mps")).dtype == torch.float
    except RuntimeError as error:                        # no such device here: it was asked for single precision
        assert "float64" not in str(error)


CLASSICAL = {
    "Gaussian": (lambda: classical.Gaussian(2), points),
    "BernoulliMixture": (lambda: classical.BernoulliMixture(dim=6, components=2, smoothing=0.1), bits),
    "GaussianMixture": (lambda: classical.GaussianMixture(dim=2, components=2, ridge=0.1), points),
    "HMM": (lambda: classical.HMM(6, 2, 3), text),
}


@pytest.mark.parametrize("name", CLASSICAL)
def test_a_classical_model_stays_where_double_precision_is(name, tmp_path, monkeypatch):
    make, data = CLASSICAL[name]
    model, x = make(), data()
    checkpoints.save(tmp_path / "model", model)
    monkeypatch.setattr(devices, "device", lambda name=None: torch.device("mps"))
    assert checkpoints.load(tmp_path / "model", "mps").dtype == torch.double
    fit(model, x, valid=x, steps=2, batch_size=4, progress=False)
    if hasattr(model, "em_step"):
        em(model, x, valid=x, steps=2, progress=False)
    assert model.dtype == torch.double and model.device.type == "cpu"


# --- short numbers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("entry", LIKELIHOODS, ids=lambda entry: entry.name)
def test_every_model_trains_in_bfloat16(entry):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        model = entry.make()
    x, before = drawn(model), [p.clone() for p in model.parameters()]
    history = fit(model, x, **given(model, 8), steps=2, batch_size=4, lr=1e-2, precision="bf16", **QUIET)
    assert torch.tensor(history.train_loss).isfinite().all()
    assert any(not torch.equal(p, q) for p, q in zip(model.parameters(), before, strict=True))


@pytest.mark.parametrize("loss", losses.LOSSES)
def test_every_game_trains_in_bfloat16(loss):
    model = GAN(dim=2, latent=2, hidden=4)
    history = fit_adversarial(model, points(), loss=loss, precision="bf16", device="cpu", **RUN)
    assert torch.tensor(history.generator_loss + history.discriminator_loss).isfinite().all()


def test_bfloat16_is_close_to_full_precision():
    curves = [fit(FVBN(dim=6), bits(), steps=30, batch_size=16, lr=1e-2, precision=p, **QUIET).train_loss
              for p in ("no", "bf16")]  # fmt: skip
    assert torch.allclose(*map(torch.tensor, curves), atol=0.02 * 4.2)    # eight bits: 2⁻⁸ of each of a few sums
    assert curves[0] != curves[1]
