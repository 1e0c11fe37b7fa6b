"""VAE: small ones that are held to every law, and faults that such a model really has."""

import math

import torch

from dgmhelpers.classical import GaussianMixture
from dgmhelpers.latent import VAE, DiagonalNormal, Terms, gaussian_kl
from models import BOUND, CONDITIONAL, DEEPER, MANY_REAL, REAL_BOUND, Case, Mutant


class Stretched(DiagonalNormal):
    """A normal whose second latent is stretched by the first: the smallest inverse autoregressive flow.

    ``volume`` is what the stretching adds to log q, as a multiple of what it should be.
    """

    volume = 1.0

    def rsample(self, q, shape=(), *, generator=None):
        return self.rsample_and_log_prob(q, shape, generator=generator)[0]

    def rsample_and_log_prob(self, q, shape=(), *, generator=None):
        u, log_q = super().rsample_and_log_prob(q, shape, generator=generator)
        stretch = u[..., 0].tanh() / 2
        return torch.stack([u[..., 0], u[..., 1] * stretch.exp()], -1), log_q - self.volume * stretch

    def log_prob(self, z, q):
        stretch = z[..., 0].tanh() / 2
        u = torch.stack([z[..., 0], z[..., 1] * (-stretch).exp()], -1)
        return super().log_prob(u, q) - self.volume * stretch

    def closed(self, prior):
        return False


class NoVolume(Stretched):
    """Forgets that stretching changes the density."""

    volume = 0.0


class ClosedAgainstAnything(DiagonalNormal):
    """Takes the divergence from the standard normal whatever the prior is."""

    def closed(self, prior):
        return True


class OldPrior(VAE):
    """Samples from the standard normal although it was given another prior."""

    def sample(self, n, *, context=None, temperature=1.0, generator=None):
        with torch.no_grad():
            return self.likelihood.sample(self.decode(self._noise((n, self.latent), generator)), 1.0, generator)


class AnyClass(VAE):
    """Takes any class modulo their number, and a missing one for zero."""

    def _check_context(self, context, n):
        return torch.zeros(n).long() if context is None else context.flatten()[:n].long() % self.classes


class Forgetful(VAE):
    """Draws from another class than it is asked for."""

    def sample(self, n, *, context=None, temperature=1.0, generator=None):
        return super().sample(n, context=(context + 1) % self.classes, temperature=temperature, generator=generator)


class FlippedKL(VAE):
    """Adds the KL instead of taking it off."""

    def _terms(self, x, q, generator, *about):
        reconstruction, kl = super()._terms(x, q, generator, *about)
        return Terms(reconstruction, -kl)


class MeanOverPixels(VAE):
    """The reconstruction is a mean over pixels, the KL a sum over latents."""

    def _terms(self, x, q, generator, *about):
        reconstruction, kl = super()._terms(x, q, generator, *about)
        return Terms(reconstruction / self.event_shape.numel(), kl)


class MeanOverLatents(VAE):
    """The KL is a mean over latents, as a framework's reduction has it by default."""

    def _terms(self, x, q, generator, *about):
        reconstruction, kl = super()._terms(x, q, generator, *about)
        return Terms(reconstruction, kl / self.latent)


class LogVarianceDraws(VAE):
    """Draws with exp(s / 2) where s is the log of a standard deviation; the densities know better."""

    def log_weights(self, x, k, context=None, *, generator=None):
        x = self.check(x)
        mean, log_std = self._encode(x)
        noise = self._noise((k, *mean.shape), generator)
        z = mean + (log_std / 2).exp() * noise
        log_q = torch.distributions.Normal(mean, log_std.exp()).log_prob(z).sum(-1)
        log_prior = torch.distributions.Normal(torch.zeros_like(z), 1.0).log_prob(z).sum(-1)
        return self._log_likelihood(x.expand(k, *x.shape), z) + log_prior - log_q


class LogVarianceKL(VAE):
    """The closed form takes the log standard deviation for the log variance."""

    def _terms(self, x, q, generator, *about):
        reconstruction, _ = super()._terms(x, q, generator, *about)
        return Terms(reconstruction, 0.5 * (q[0].square() + q[1].exp() - 1 - q[1]))


class DetachedDraws(VAE):
    """Draws z without a gradient: the encoder hears of the KL alone."""

    def _terms(self, x, q, generator, *about):
        z = self.q.rsample(q, generator=generator).detach()
        return Terms(self._log_likelihood(x, z), gaussian_kl(*q))


class MeanOfLogs(VAE):
    """Averages log weights and calls it importance-weighted: the plain bound again, with less noise."""

    def elbo(self, x, k=1, context=None, *, generator=None):
        return self.log_weights(x, k, generator=generator).mean(0) if k > 1 else super().elbo(x, generator=generator)


class SumOfWeights(VAE):
    """Forgets − log k: a sum of weights for their mean."""

    def elbo(self, x, k=1, context=None, *, generator=None):
        return self.log_weights(x, k, generator=generator).logsumexp(0) if k > 1 else super().elbo(
            x, generator=generator)


class NoPrior(VAE):
    """The weights leave out the prior's normalising constant, which "does not matter" to the gradient."""

    def log_weights(self, x, k, context=None, *, generator=None):
        return super().log_weights(x, k, generator=generator) + 0.5 * self.latent * math.log(2 * math.pi)


class FreeBitsReported(VAE):
    """Reports the objective with its free bits as if it were the bound."""

    def _terms(self, x, q, generator, *about):
        reconstruction, kl = super()._terms(x, q, generator, *about)
        return Terms(reconstruction, kl.clamp(min=0.5))


class WidePrior(VAE):
    """Samples from a prior of twice the spread."""

    def sample(self, n, *, temperature=1.0, generator=None):
        with torch.no_grad():
            return self.likelihood.sample(self.decode(2 * self._noise((n, self.latent), generator)), 1.0, generator)


class BatchNormVAE(VAE):
    """Normalises over the batch between encoder and q."""

    def _encode(self, x):
        mean, log_std = super()._encode(x)
        return (mean - mean.mean(0)) / (1e-3 + mean.std(0)), log_std


class CountingVAE(VAE):
    """Warms up by counting how often it is asked, also when it is only evaluated."""

    def __init__(self):
        super().__init__(dim=6, latent=2, hidden=(8,))
        self.register_buffer("asked", torch.zeros(()))

    def _encode(self, x):
        self.asked += 1
        return super()._encode(x)


def vae(kind, **more):
    return lambda: kind(dim=6, latent=2, hidden=(8,), **more)


def mixture():
    return GaussianMixture(dim=2, components=2).float()


CASES = [
    Case("VAE", lambda: VAE(dim=6, latent=2, hidden=(8,)), BOUND),
    Case("VAE deep", lambda: VAE(dim=6, latent=3, hidden=(32, 16)), DEEPER),
    Case("VAE of one", lambda: VAE(dim=1, latent=1, hidden=(64,)), BOUND, slow=True),
    Case("VAE of levels", lambda: VAE(dim=3, latent=1, hidden=(8,), levels=5, activation="silu"), BOUND, slow=True),
    Case("VAE categorical",
         lambda: VAE(dim=3, latent=2, hidden=(8,), levels=4, likelihood="categorical"), BOUND, slow=True),
    Case("VAE Gaussian", lambda: VAE(dim=1, latent=1, hidden=(8,), levels=None), REAL_BOUND, slow=True),
    Case("VAE Gaussian, std fixed",
         lambda: VAE(dim=3, latent=1, hidden=(8,), levels=None, std=0.8), MANY_REAL, slow=True),
    Case("VAE Gaussian, std predicted",
         lambda: VAE(dim=1, latent=1, hidden=(32,), levels=None, std="predicted"), REAL_BOUND, slow=True),
    Case("VAE of classes", vae(VAE, classes=3), (*BOUND, *CONDITIONAL)),
    Case("VAE with a mixture as prior", lambda: VAE(dim=6, latent=2, hidden=(8,), prior=mixture()),
         tuple(law for law in BOUND if law != "weights_average_to_p")),  # no grid for the latents of a mixture
    Case("VAE with a stretched posterior", lambda: VAE(dim=6, latent=2, hidden=(8,), posterior=Stretched(2)), BOUND),
]
MUTANTS = [
    Mutant("sign of the KL flipped", vae(FlippedKL), "bound_is_below"),
    Mutant("reconstruction averaged over pixels", vae(MeanOverPixels), "bound_is_below"),
    Mutant("KL averaged over latents", vae(MeanOverLatents), "bound_matches_its_weights"),
    Mutant("draws with exp(log-std / 2)", vae(LogVarianceDraws), "weights_average_to_p"),
    Mutant("log-std for log-variance in the KL", vae(LogVarianceKL), "bound_matches_its_weights"),
    Mutant("draws detached", vae(DetachedDraws), "gradient_matches_differences"),
    Mutant("mean of log weights", vae(MeanOfLogs), "weights_average_to_p"),
    Mutant("sum of weights", vae(SumOfWeights), "bound_is_below"),
    Mutant("weights without the prior's constant", vae(NoPrior), "weights_average_to_p"),
    Mutant("free bits in the reported bound", vae(FreeBitsReported), "bound_matches_its_weights"),
    Mutant("prior too wide in the sampler", vae(WidePrior), "sampler_matches_density"),
    Mutant("normalised over the batch", vae(BatchNormVAE), "ignores_the_batch"),
    Mutant("a warm-up that counts calls", CountingVAE, "forward_changes_nothing"),
    Mutant("a posterior without its change of volume", lambda: vae(VAE, posterior=NoVolume(2))(),
           "weights_average_to_p"),
    Mutant("the KL from another prior than the model's",
           lambda: vae(VAE, prior=mixture(), posterior=ClosedAgainstAnything(2))(), "bound_matches_its_weights"),
    Mutant("draws from another prior than the model's", lambda: vae(OldPrior, prior=mixture())(),
           "sampler_matches_density"),
    Mutant("any class is taken", vae(AnyClass, classes=3), "refuses_wrong_contexts"),
    Mutant("draws of another class", vae(Forgetful, classes=3), "sampler_matches_density"),
]
