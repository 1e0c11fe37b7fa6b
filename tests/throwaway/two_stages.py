"""A VQ-VAE, and then a prior over its codes: what the second stage learns from is what the first has made."""

import torch
import torch.nn.functional as F
from torch import nn

from dgmhelpers.data import Dataset
from dgmhelpers.evaluation import mean
from dgmhelpers.recipes import Experiment, Stage
from dgmhelpers.recipes.measures import Measure
from dgmhelpers.training.files import fingerprint


class VQVAE(nn.Module):
    """Images of 8 × 8 bits by 4 × 4 codes of K."""

    def __init__(self, event_shape, levels: int = 2, codes: int = 8, width: int = 16):
        super().__init__()
        self.event_shape, self.codes = torch.Size(event_shape), codes
        self.encoder = nn.Sequential(nn.Conv2d(1, width, 4, 2, 1), nn.SiLU(), nn.Conv2d(width, width, 1))
        self.decoder = nn.Sequential(nn.Conv2d(width, width, 3, 1, 1), nn.SiLU(), nn.ConvTranspose2d(width, 1, 4, 2, 1))
        self.book = nn.Parameter(0.5 * torch.randn(codes, width))

    def encode(self, x):
        """The nearest entries of the book, ``(B, 4, 4)``."""
        z = self.encoder(x)
        return (z[:, None] - self.book[None, :, :, None, None]).pow(2).sum(2).argmin(1)

    def decode(self, codes):
        """Logits, ``(B, 1, 8, 8)``."""
        return self.decoder(self.book[codes].permute(0, 3, 1, 2))

    def loss(self, x, context=None, *, generator=None):
        z = self.encoder(x)
        near = self.book[self.encode(x)].permute(0, 3, 1, 2)
        logits = self.decoder(z + (near - z).detach())
        moved = (near - z.detach()).pow(2).mean() + 0.25 * (near.detach() - z).pow(2).mean()
        return F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x) + 16 * moved


class Painter(nn.Module):
    """Codes from the prior, an image from the codes."""

    def __init__(self, vqvae: nn.Module, prior: nn.Module):
        super().__init__()
        self.vqvae, self.prior, self.event_shape = vqvae, prior, vqvae.event_shape

    @torch.no_grad()
    def sample(self, n, *, generator=None):
        p = self.vqvae.decode(self.prior.sample(n, generator=generator)[:, 0]).sigmoid()
        return torch.bernoulli(p, generator=generator)

    @torch.no_grad()
    def elbo(self, x):
        """``log p(codes) + log p(x | codes)`` at the codes that the encoder chooses: below log p(x)."""
        codes = self.vqvae.encode(x)
        bits = -F.binary_cross_entropy_with_logits(self.vqvae.decode(codes), x, reduction="none").flatten(1).sum(1)
        return bits + self.prior.log_prob(codes[:, None])


class Bound(Measure):
    name, words, kind = "elbo", "negative evidence lower bound", "bound"

    def estimate(self, model, x, context):
        return mean(-model.elbo(x).double())


def codes(made):
    """The codes of every split, as images of 4 × 4 levels."""
    vqvae, digits = made.models["vqvae"], made.dataset
    with torch.no_grad():
        splits = {name: vqvae.encode(x)[:, None] for name, x in digits.splits.items()}
    return Dataset(
        name="codes", **splits, event_shape=torch.Size([1, 4, 4]), levels=vqvae.codes,
        sha256=fingerprint(splits["train"]), licence="", attribution="", source="an earlier stage", quick=True,
    )  # fmt: skip


RUN = {"batch_size": 64, "lr": 5e-3, "progress": False}
EXPERIMENT = Experiment(
    "throwaway-two-stages", "a VQ-VAE of the small digits and a PixelCNN of its codes",
    stages=(
        Stage(VQVAE, "binary-digits8", training=RUN | {"steps": 200, "evaluate_every": 50}, name="vqvae"),
        Stage("autoregressive.PixelCNN", codes, {"channels": 8, "layers": 3}, RUN | {"steps": 60}, name="prior"),
    ),
    whole=Painter, measures=(Bound(),), dtype="float32", size=(8, 8), candidates=({}, {"prior/channels": 16}),
)  # fmt: skip
