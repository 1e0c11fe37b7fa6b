"""Forty small models as somebody else would write them: twenty that are right, twenty with one fault each.

Each is what ``laws.audit`` takes. Of a fault it is said which law must break, and a word that its meaning must have.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from foreign import ForeignNet, OrderAverage
from foreign_models import (
    FOUR_OF_FIVE,
    NINE_BITS,
    THREE_OF_THREE,
    Coupling,
    Noisy,
    Peeking,
    Steps,
    backwards,
    bits,
    called_minimax,
    diffusion_bound,
    flow,
    language_model,
    mixture,
    nonsaturating,
    plane_bound,
    ridge,
    steps,
    vae,
    von_mises_fisher,
    wgan_gp,
)
from torch import distributions as D


@dataclass(frozen=True)
class Case:
    """One model, and what an audit must say of it.

    Args:
        make: gives the arguments of ``laws.audit``.
        law: that must break; None for a right model.
        word: that the meaning (or what was measured) must have.
    """

    family: str
    name: str
    make: Callable[[], dict]
    law: str | None = None
    word: str = ""


RIGHT = [
    Case("autoregressive", "masked network, its own names",
         lambda: {"model": ForeignNet().eval(), "methods": {"log_prob": "score", "sample": "generate"}, **NINE_BITS}),
    Case("autoregressive", "closures over a network", lambda: bits(log_prob=lambda n: lambda x: n.score(x.float()))),
    Case("autoregressive", "levels, loss a cross-entropy", lambda: steps(loss=lambda n: n.nll)),
    Case("autoregressive", "logits alone", lambda: {"logits": Steps(), **FOUR_OF_FIVE}),
    Case("autoregressive", "logits in reverse order",
         lambda: {"logits": backwards(Steps()), "order": [3, 2, 1, 0], **FOUR_OF_FIVE}),
    Case("autoregressive", "a factory of functions",
         lambda: {"factory": lambda: {"logits": (n := Steps(3, 3, 0.1)), "loss": n.nll, **THREE_OF_THREE}}),
    Case("autoregressive", "twenty-four bits, too many to enumerate",
         lambda: {"log_prob": (n := Steps(24, 2, 0.1).eval()).score, "sample": lambda k: n.draw(k),
                  "event_shape": (24,), "levels": 2}),
    Case("language model", "one layer of a transformer", language_model),
    Case("flow", "couplings in the plane", flow),
    Case("flow", "couplings of five", lambda: flow(5)),
    Case("flow", "bijection alone", lambda: {"forward": (n := Coupling(5)), "inverse": n.inverse, "event_shape": (5,)}),
    Case("latent", "VAE of six bits", vae),
    Case("latent", "a bound in the plane", plane_bound),
    Case("diffusion", "one step", diffusion_bound),
    Case("density", "von Mises–Fisher on a sphere", von_mises_fisher),
    Case("density", "mixture in the plane", mixture),
    Case("density", "nine correlated variables", lambda: ridge(0.0)),
    Case("density", "torch's gamma distribution",
         lambda: {"model": D.Gamma(torch.tensor([2.0, 0.7, 3.0], dtype=torch.double), 1.5)}),
    Case("adversarial", "non-saturating loss", lambda: {"loss": nonsaturating, "kind": "gan"}),
    Case("adversarial", "gradient penalty", lambda: {"penalty": wgan_gp, "kind": "gradient_penalty"}),
]
WRONG = [
    Case("autoregressive", "sigmoid applied twice",
         lambda: bits(sample=lambda n: n.generate_twice_squashed), "sampler_matches_density", "sigmoid is applied"),
    Case("autoregressive", "bits called nats", lambda: bits(log_prob=lambda n: lambda x: n.score(x) / math.log(2)),
         "sums_to_one", "in bits"),
    Case("autoregressive", "loss handed over as log p", lambda: bits(log_prob=lambda n: lambda x: -n.score(x)),
         "sums_to_one", "sign is wrong"),
    Case("autoregressive", "a number for each variable",
         lambda: bits(log_prob=lambda n: lambda x: F.logsigmoid((2 * x - 1) * n.logits(x))),
         "gives_one_number_each", "sum over the variables"),
    Case("autoregressive", "the batch's mean", lambda: bits(log_prob=lambda n: lambda x: n.score(x).mean()),
         "gives_one_number_each", "mean or a sum over the batch"),
    Case("autoregressive", "logits averaged over orders",
         lambda: {"log_prob": OrderAverage().score, **NINE_BITS}, "sums_to_one", "averaged"),
    Case("autoregressive", "the mask keeps the diagonal", lambda: {"logits": Peeking(), **FOUR_OF_FIVE},
         "depends_on_exactly_its_past", "its own value"),
    Case("autoregressive", "draws from the three likeliest", lambda: steps(sample=lambda n: lambda k: n.draw(k, top=3)),
         "sampler_matches_density", "3 likeliest"),
    Case("autoregressive", "draws at temperature 0.8", lambda: steps(sample=lambda n: lambda k: n.draw(k, 0.8)),
         "sampler_matches_density", "temperature of 0.8"),
    Case("autoregressive", "batch normalisation",
         lambda: {"log_prob": ForeignNet(batch_norm=True).score, **NINE_BITS}, "ignores_the_batch", "the batch"),
    Case("autoregressive", "weights change in the forward pass",
         lambda: {"log_prob": Noisy().score, **NINE_BITS}, "forward_changes_nothing", "changes it"),
    Case("language model", "attends to what follows", lambda: language_model(causal=False),
         "depends_on_exactly_its_past", "comes later"),
    Case("language model", "generates from the two likeliest",
         lambda: language_model({"do_sample": True, "top_k": 2}), "sampler_matches_density", "2 likeliest"),
    Case("flow", "forgets a log-determinant", lambda: flow(2, forget=True), "integrates_to_one", "integral is not one"),
    Case("flow", "draws from a narrower base, of five", lambda: flow(5, draw=0.8), "sampler_matches_density", "width"),
    Case("flow", "log-determinant with the wrong sign",
         lambda: {"forward": (n := Coupling(5, sign=-1.0)), "inverse": n.inverse, "event_shape": (5,)},
         "logdet_matches_jacobian", "sign"),
    Case("latent", "logs of weights averaged", lambda: vae("jensen"), "weights_average_to_p", "logs are averaged"),
    Case("diffusion", "half of the KL", lambda: diffusion_bound(0.5), "bound_is_below", "above log p"),
    Case("density", "log p five too high, of nine", ridge, "integrates_to_one", "integral is not one"),
    Case("adversarial", "non-saturating, called minimax", lambda: {"loss": called_minimax, "kind": "gan"},
         "loss_matches_closed_form", "non-saturating"),
]
CASES = RIGHT + WRONG
