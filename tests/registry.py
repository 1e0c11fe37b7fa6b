"""Every model the package exports, small enough to enumerate, with the laws it obeys.

A model that is exported and not here fails ``test_every_exported_model_is_registered``.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from dgmhelpers import classical, latent
from dgmhelpers.adversarial import GAN, ListingGAN, RemedyGAN
from dgmhelpers.autoregressive import (
    FVBN,
    MADE,
    NADE,
    RNADE,
    CharRNN,
    ConvNADE,
    DeepNADE,
    DiagonalBiLSTM,
    GatedPixelCNN,
    MultinomialNADE,
    PixelCNN,
    RowLSTM,
)

SHUFFLED = [3, 1, 2, 0, 5, 4, 8, 7, 6]
DENSITY = (
    "sums_to_one",
    "sampler_matches_density",
    "ignores_the_batch",
    "cached_equals_naive",
    "forward_changes_nothing",
    "depends_on_exactly_its_past",
    "loss_estimates_log_prob",
    "starts_sane",
    "learns_a_constant",
    "never_beats_entropy",
)
CONTINUOUS = tuple(law for law in DENSITY if law not in ("sums_to_one", "sampler_matches_density", "learns_a_constant"))
IN_THE_PLANE = (*CONTINUOUS, "integrates_to_one", "sampler_matches_density")


TABLE = (  # densities without an order: everything but what looks at conditionals
    "sums_to_one",
    "sampler_matches_density",
    "ignores_the_batch",
    "forward_changes_nothing",
    "starts_sane",
    "learns_a_constant",
    "never_beats_entropy",
)
REAL = (
    "integrates_to_one",
    "sampler_matches_density",
    "ignores_the_batch",
    "forward_changes_nothing",
    "starts_sane",
    "never_beats_entropy",
)


BOUND = (  # with one or two latents there is an exact log p to hold the bound against
    "sampler_matches_density",
    "bound_is_below",
    "weights_average_to_p",
    "bound_matches_its_weights",
    "gradient_matches_differences",
    "ignores_the_batch",
    "forward_changes_nothing",
    "starts_sane",
    "learns_a_constant",
    "never_beats_entropy",
)
DEEPER = tuple(law for law in BOUND if law not in ("sampler_matches_density", "bound_is_below"))
REAL_BOUND = tuple(law for law in BOUND if law != "learns_a_constant")
MANY_REAL = tuple(law for law in REAL_BOUND if law != "sampler_matches_density")
CODE = ("ignores_the_batch", "forward_changes_nothing", "learns_a_constant")
IMPLICIT = ("ignores_the_batch", "forward_changes_nothing")  # no likelihood: only draws can be looked at


@dataclass(frozen=True)
class Registered:
    """A small model, and the laws it is held to."""

    name: str
    make: Callable
    laws: tuple[str, ...] = DENSITY


MODELS = [
    Registered("FVBN", lambda: FVBN(dim=9)),
    Registered("FVBN shuffled", lambda: FVBN(dim=9, order=SHUFFLED)),
    Registered("FVBN of one", lambda: FVBN(dim=1)),
    Registered("NADE", lambda: NADE(dim=9, hidden=12)),
    Registered("NADE shuffled", lambda: NADE(dim=9, hidden=12, order=SHUFFLED)),
    Registered("NADE of one", lambda: NADE(dim=1, hidden=3)),
    Registered("MultinomialNADE", lambda: MultinomialNADE(dim=5, levels=3, hidden=8)),
    Registered("MultinomialNADE shuffled", lambda: MultinomialNADE(4, levels=4, hidden=8, order=[2, 0, 3, 1])),
    Registered("MultinomialNADE of two levels", lambda: MultinomialNADE(dim=9, levels=2, hidden=12)),
    Registered("MultinomialNADE of one", lambda: MultinomialNADE(dim=1, levels=5, hidden=3)),
    Registered("MADE", lambda: MADE(dim=9, hidden=16)),
    Registered("MADE deep, indirect", lambda: MADE(dim=9, hidden=24, layers=3, direct=False)),
    Registered("MADE shuffled", lambda: MADE(dim=9, hidden=16, layers=2, order=SHUFFLED)),
    Registered("MADE blind", lambda: MADE(dim=9, hidden=4, direct=False)),
    Registered("MADE of several masks", lambda: MADE(dim=9, hidden=16, masks=3)),
    Registered("MADE of random orders", lambda: MADE(dim=9, hidden=16, layers=2, masks=4, order="random", seed=1)),
    Registered("MADE of one", lambda: MADE(dim=1, hidden=3)),
    Registered("RNADE", lambda: RNADE(dim=9, hidden=12, components=2), CONTINUOUS),
    Registered("RNADE shuffled", lambda: RNADE(dim=9, hidden=12, components=1, order=SHUFFLED), CONTINUOUS),
    Registered("RNADE of two", lambda: RNADE(dim=2, hidden=8, components=3, order=[1, 0], scale=1.5), IN_THE_PLANE),
    Registered("RNADE of one", lambda: RNADE(dim=1, hidden=3, components=4), IN_THE_PLANE),
    Registered("DeepNADE", lambda: DeepNADE(dim=9, hidden=16)),
    Registered("DeepNADE of one layer", lambda: DeepNADE(dim=9, hidden=16, layers=1, orders=1)),
    Registered("DeepNADE deep, shuffled", lambda: DeepNADE(dim=9, hidden=16, layers=3, orders=[SHUFFLED])),
    Registered("DeepNADE of one", lambda: DeepNADE(dim=1, hidden=3, orders=2)),
    Registered("ConvNADE", lambda: ConvNADE(event_shape=(1, 3, 3), channels=6, layers=2, orders=2)),
    Registered("ConvNADE of 3 levels", lambda: ConvNADE(event_shape=(1, 2, 3), levels=3, channels=6, layers=2)),
    Registered("ConvNADE blind", lambda: ConvNADE(event_shape=(2, 1, 4), channels=4, layers=1, orders=2)),
    Registered("ConvNADE of one", lambda: ConvNADE(event_shape=(1, 1, 1), channels=2, layers=1, orders=1)),
    Registered("PixelCNN", lambda: PixelCNN(event_shape=(1, 3, 3), channels=8, layers=2)),
    Registered("PixelCNN of 4 levels", lambda: PixelCNN(event_shape=(1, 2, 3), levels=4, channels=8, layers=3)),
    Registered("PixelCNN wide kernels", lambda: PixelCNN((1, 2, 5), channels=8, layers=1, kernel=5)),
    Registered("PixelCNN wide first kernel", lambda: PixelCNN((1, 3, 3), channels=8, layers=1, first_kernel=5)),
    Registered("PixelCNN RGB", lambda: PixelCNN(event_shape=(3, 2, 2), channels=14, layers=1)),
    Registered("PixelCNN RGB of 4 levels", lambda: PixelCNN((3, 1, 2), levels=4, channels=12, layers=2, head=13)),
    Registered("PixelCNN of one", lambda: PixelCNN(event_shape=(1, 1, 1), channels=2, layers=1)),
    Registered("GatedPixelCNN", lambda: GatedPixelCNN(event_shape=(1, 3, 3), channels=6, layers=3)),
    Registered("GatedPixelCNN wide first", lambda: GatedPixelCNN((1, 2, 4), channels=6, layers=2, first_kernel=5)),
    Registered("GatedPixelCNN of 4 levels", lambda: GatedPixelCNN((1, 3, 2), levels=4, channels=6, layers=4)),
    Registered("GatedPixelCNN wide kernels", lambda: GatedPixelCNN((1, 2, 5), channels=6, layers=2, kernel=5)),
    Registered("GatedPixelCNN RGB", lambda: GatedPixelCNN(event_shape=(3, 2, 2), channels=7, layers=2)),
    Registered("GatedPixelCNN RGB of 4 levels", lambda: GatedPixelCNN((3, 2, 1), levels=4, channels=6, layers=3)),
    Registered("GatedPixelCNN of one", lambda: GatedPixelCNN(event_shape=(1, 1, 1), channels=2, layers=1)),
    Registered("CharRNN GRU", lambda: CharRNN(length=5, levels=4, hidden=12)),
    Registered("CharRNN LSTM", lambda: CharRNN(length=9, levels=2, hidden=12, layers=2, cell="lstm", dropout=0.2)),
    Registered("CharRNN of one", lambda: CharRNN(length=1, levels=7, hidden=4)),
    Registered("RowLSTM", lambda: RowLSTM(event_shape=(1, 3, 4), hidden=6, layers=1)),
    Registered("RowLSTM of one row", lambda: RowLSTM(event_shape=(1, 1, 6), hidden=6, layers=4)),
    Registered("RowLSTM wide", lambda: RowLSTM(event_shape=(1, 2, 6), hidden=6, layers=2, kernel=3, first_kernel=5)),
    Registered("RowLSTM of 4 levels", lambda: RowLSTM(event_shape=(1, 3, 2), levels=4, hidden=6, layers=3)),
    Registered("RowLSTM in colour", lambda: RowLSTM(event_shape=(3, 2, 2), hidden=7, layers=2)),
    Registered("RowLSTM in colour, 4 levels", lambda: RowLSTM(event_shape=(3, 1, 2), levels=4, hidden=6, layers=2)),
    Registered("RowLSTM of one", lambda: RowLSTM(event_shape=(1, 1, 1), hidden=3, layers=1)),
    Registered("DiagonalBiLSTM", lambda: DiagonalBiLSTM(event_shape=(1, 3, 4), hidden=6, layers=1)),
    Registered("DiagonalBiLSTM high", lambda: DiagonalBiLSTM(event_shape=(1, 5, 2), hidden=6, layers=3)),
    Registered("DiagonalBiLSTM wide", lambda: DiagonalBiLSTM((1, 2, 6), hidden=6, layers=2, first_kernel=5)),
    Registered("DiagonalBiLSTM of one column", lambda: DiagonalBiLSTM(event_shape=(1, 5, 1), hidden=5, layers=2)),
    Registered("DiagonalBiLSTM of 4 levels", lambda: DiagonalBiLSTM((1, 3, 2), levels=4, hidden=6, layers=2)),
    Registered("DiagonalBiLSTM in colour", lambda: DiagonalBiLSTM(event_shape=(3, 2, 2), hidden=7, layers=2)),
    Registered("DiagonalBiLSTM in colour, 4 levels", lambda: DiagonalBiLSTM((3, 1, 2), levels=4, hidden=6, layers=1)),
    Registered("DiagonalBiLSTM of one", lambda: DiagonalBiLSTM(event_shape=(1, 1, 1), hidden=3, layers=1)),
    Registered("Multinomial", lambda: classical.Multinomial(levels=6), TABLE),
    Registered("Multinomial of two", lambda: classical.Multinomial(levels=2), TABLE),
    Registered("Gaussian", lambda: classical.Gaussian(dim=2, mean=[0.2, 0.4], covariance=[[1.5, 0.8], [0.8, 1]]), REAL),
    Registered("Gaussian of one", lambda: classical.Gaussian(dim=1), REAL),
    Registered("GaussianMixture", lambda: classical.GaussianMixture(dim=2, components=3), REAL),
    Registered("GaussianMixture of one", lambda: classical.GaussianMixture(dim=1, components=4), REAL),
    Registered("BernoulliMixture", lambda: classical.BernoulliMixture(dim=9, components=4), TABLE),
    Registered("BernoulliNaiveBayes", lambda: classical.BernoulliNaiveBayes(dim=9, classes=3), TABLE),
    Registered("HMM", lambda: classical.HMM(length=4, states=6, levels=5), TABLE),
    Registered("HMM binary", lambda: classical.HMM(length=5, states=8, levels=2), TABLE),
    Registered("HMM of one", lambda: classical.HMM(length=1, states=1, levels=3), TABLE),
    Registered("KDE", lambda: classical.KDE(dim=2).fit(torch.randn(30, 2, dtype=torch.double)), REAL),
    Registered("KDE of one", lambda: classical.KDE(dim=1, examples=1, bandwidth=0.7), REAL),
    Registered("VAE", lambda: latent.VAE(dim=6, latent=2, hidden=(8,)), BOUND),
    Registered("VAE deep", lambda: latent.VAE(dim=6, latent=3, hidden=(32, 16)), DEEPER),
    Registered("VAE of one", lambda: latent.VAE(dim=1, latent=1, hidden=(64,)), BOUND),
    Registered("VAE of levels", lambda: latent.VAE(dim=3, latent=1, hidden=(8,), levels=5, activation="silu"), BOUND),
    Registered("VAE categorical", lambda: latent.VAE(dim=3, latent=2, hidden=(8,), levels=4, likelihood="categorical"),
               BOUND),
    Registered("VAE Gaussian", lambda: latent.VAE(dim=1, latent=1, hidden=(8,), levels=None), REAL_BOUND),
    Registered("VAE Gaussian, std fixed", lambda: latent.VAE(dim=3, latent=1, hidden=(8,), levels=None, std=0.8),
               MANY_REAL),
    Registered("VAE Gaussian, std predicted",
               lambda: latent.VAE(dim=1, latent=1, hidden=(32,), levels=None, std="predicted"), REAL_BOUND),
    Registered("ConvVAE", lambda: latent.ConvVAE((1, 3, 3), latent=2, channels=(3, 4), hidden=8), BOUND),
    Registered("ConvVAE of levels", lambda: latent.ConvVAE((2, 1, 2), latent=1, channels=(3, 4), hidden=8, levels=3),
               BOUND),
    Registered("ConvVAE of one", lambda: latent.ConvVAE((1, 1, 1), latent=1, channels=(2, 2), hidden=4), BOUND),
    Registered("LinearGaussianVAE", lambda: latent.LinearGaussianVAE(dim=2, latent=1),
               (*REAL_BOUND, "integrates_to_one")),
    Registered("LinearGaussianVAE of three", lambda: latent.LinearGaussianVAE(dim=3, latent=2), MANY_REAL),
    Registered("Autoencoder", lambda: latent.Autoencoder(dim=9, latent=3, hidden=(12,)), CODE),
    Registered("DenoisingAutoencoder", lambda: latent.DenoisingAutoencoder(dim=9, latent=12, hidden=()), CODE),
    Registered("CRF", lambda: classical.CRF(length=2, levels=4), TABLE),
    Registered("GAN", lambda: GAN(dim=2, latent=3, hidden=8), IMPLICIT),
    Registered("GAN of one", lambda: GAN(dim=1, latent=1, hidden=3, layers=1, prior="uniform"), IMPLICIT),
    Registered("GAN of signs", lambda: GAN(dim=2, latent=6, hidden=8, prior="signs"), IMPLICIT),
    Registered("RemedyGAN", lambda: RemedyGAN(dim=2, hidden=8), IMPLICIT),
    Registered("RemedyGAN packed, with waves", lambda: RemedyGAN(dim=2, hidden=8, packing=3, waves=4), IMPLICIT),
    Registered("RemedyGAN spectral", lambda: RemedyGAN(dim=3, hidden=8, spectral=2.0, input_noise=0.1), IMPLICIT),
    Registered("RemedyGAN minibatch", lambda: RemedyGAN(dim=2, hidden=8, minibatch=3), IMPLICIT),
    Registered("ListingGAN", lambda: ListingGAN(dim=9, latent=5, hidden=8), IMPLICIT),
    Registered("ListingGAN with a softmax", lambda: ListingGAN(dim=4, hidden=8, softmax=True), IMPLICIT),
]
