"""Models in bfloat16 and half: parameters and draws are short; what is added up, or factorised, is not."""

import copy
import inspect
import warnings

import pytest
import torch
from models import MODELS, given

from dgmhelpers import classical

BITS = torch.tensor([[0, 1, 1, 0], [1, 1, 0, 0], [0, 0, 1, 1], [1, 0, 1, 0], [0, 1, 0, 1], [1, 1, 1, 0]])
REAL = torch.randn(24, 2, generator=torch.Generator().manual_seed(0)).half().float()  # values that half holds
CHAINS = torch.randint(3, (6, 5), generator=torch.Generator().manual_seed(1))
CASES = {
    classical.BernoulliMixture: ({"dim": 4, "components": 2, "smoothing": 0.5}, BITS),
    classical.BernoulliNaiveBayes: ({"dim": 4, "classes": 2}, BITS),
    classical.CRF: ({"length": 5, "levels": 3}, CHAINS),
    classical.DeepGMM: ({"dim": 2, "maps": (2, 2)}, REAL),
    classical.Gaussian: ({"dim": 2}, REAL),
    classical.GaussianMixture: ({"dim": 2, "components": 2, "ridge": 0.1}, REAL),
    classical.HMM: ({"length": 5, "states": 2, "levels": 3}, CHAINS),
    classical.KDE: ({"dim": 2, "examples": 7}, REAL),
    classical.Multinomial: ({"levels": 3}, CHAINS[:, 0]),
}
TYPES = pytest.mark.parametrize("dtype", [torch.half, torch.bfloat16], ids=["half", "bfloat16"])
KINDS = pytest.mark.parametrize("kind", CASES, ids=lambda kind: kind.__name__)


def fitted(model, x):
    labels = [torch.arange(len(x)) % 2] if isinstance(model, classical.BernoulliNaiveBayes) else []
    smooth = {"smoothing": 1.0} if labels else {"steps": 3} if isinstance(model, classical.CRF) else {}
    torch.manual_seed(0)
    return model.fit(x, *labels, **smooth)


def test_every_classical_model_is_here():
    exported = (getattr(classical, name) for name in classical.__all__)
    assert CASES.keys() == {kind for kind in exported if inspect.isclass(kind) and issubclass(kind, torch.nn.Module)
                            and not inspect.isabstract(kind)}


@TYPES
@KINDS
def test_it_is_the_same_model_as_in_double(kind, dtype):
    """log_prob is that of the very parameters, rounded as they are, to the precision of float32."""
    arguments, x = CASES[kind]
    torch.manual_seed(0)
    short = kind(**arguments).to(dtype)
    long = copy.deepcopy(short).double()
    if dtype == torch.bfloat16 and x.is_floating_point():
        x = x.bfloat16()                                 # a model rounds the real values that it is given
    log_prob = short.log_prob(x)
    assert log_prob.dtype == torch.float
    torch.testing.assert_close(log_prob.double(), long.log_prob(x), rtol=1e-5, atol=1e-5)
    short.loss(x).backward()
    assert all(p.grad.dtype == dtype and p.grad.isfinite().all() for p in short.parameters() if p.grad is not None)
    drawn = short.sample(5, generator=torch.Generator().manual_seed(0))
    assert drawn.shape[1:] == short.event_shape and drawn.dtype == (torch.long if short.levels == 3 else dtype)
    assert short.log_prob(drawn).isfinite().all()


@TYPES
@KINDS
def test_it_is_fitted_as_in_double_and_then_rounded(kind, dtype):
    arguments, x = CASES[kind]
    torch.manual_seed(0)
    start = kind(**arguments).to(dtype)
    short, long = fitted(copy.deepcopy(start), x), fitted(copy.deepcopy(start).double(), x)
    # A maximum is flat: parameters rounded to 11 or 8 bits, at each step of EM, cost the mean little.
    least = 0.02 if dtype == torch.half else 0.1
    torch.testing.assert_close(short.log_prob(x).mean().double(), long.log_prob(x).mean(), rtol=0, atol=least)


def test_counts_that_half_cannot_hold_are_counted():
    """A hundred thousand is infinite in half; the frequencies are not."""
    model = classical.Multinomial(3).half().fit(torch.arange(3).repeat_interleave(100_000))
    torch.testing.assert_close(model.probabilities, torch.full((3,), 1 / 3), rtol=1e-3, atol=0)


@TYPES
@pytest.mark.parametrize("registered", MODELS, ids=lambda registered: registered.name)
def test_every_model_says_how_probable_its_own_draws_are(registered, dtype):
    """In float32 whatever the model is in, and as in double but for the rounding of its layers."""
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)     # of receptive fields
        short = registered.make().to(dtype)
    if not hasattr(short, "sample"):
        pytest.skip("draws nothing")
    about = given(short, 4)
    x = short.sample(4, **about, generator=torch.Generator().manual_seed(0))
    assert x.dtype in (dtype, torch.long) and not x.isnan().any()
    if hasattr(short, "loss"):
        loss = short.loss(x, **about)
        if loss.requires_grad:
            loss.backward()
        assert loss.dtype == torch.float and loss.isfinite()
    if hasattr(short, "log_prob"):
        log_prob = short.log_prob(x, **about)
        assert log_prob.dtype == torch.float
        exact = copy.deepcopy(short).double().log_prob(x.double() if x.is_floating_point() else x, **about)
        least = 0.02 if dtype == torch.half else 0.15    # 2⁻¹¹ or 2⁻⁸, some tens of times
        torch.testing.assert_close(log_prob.double(), exact, rtol=least, atol=least)
    elif hasattr(short, "elbo"):
        assert short.elbo(x, k=3, **about).dtype == torch.float
