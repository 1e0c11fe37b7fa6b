"""Faults that models with a bound really have; the rows are a name, a mutant, and the law that must name the fault."""

import math

import torch

from dgmhelpers import latent


class FlippedKL(latent.VAE):
    """Adds the KL instead of taking it off."""

    def _terms(self, x, mean, log_std, generator):
        reconstruction, kl = super()._terms(x, mean, log_std, generator)
        return latent.Terms(reconstruction, -kl)


class MeanOverPixels(latent.VAE):
    """The reconstruction is a mean over pixels, the KL a sum over latents."""

    def _terms(self, x, mean, log_std, generator):
        reconstruction, kl = super()._terms(x, mean, log_std, generator)
        return latent.Terms(reconstruction / self.event_shape.numel(), kl)


class MeanOverLatents(latent.VAE):
    """The KL is a mean over latents, as a framework's reduction has it by default."""

    def _terms(self, x, mean, log_std, generator):
        reconstruction, kl = super()._terms(x, mean, log_std, generator)
        return latent.Terms(reconstruction, kl / self.latent)


class LogVarianceDraws(latent.VAE):
    """Draws with exp(s / 2) where s is the log of a standard deviation; the densities know better."""

    def log_weights(self, x, k, *, generator=None):
        x = self.check(x)
        mean, log_std = self._encode(x)
        noise = self._noise((k, *mean.shape), generator)
        z = mean + (log_std / 2).exp() * noise
        log_q = torch.distributions.Normal(mean, log_std.exp()).log_prob(z).sum(-1)
        log_prior = torch.distributions.Normal(torch.zeros_like(z), 1.0).log_prob(z).sum(-1)
        return self._log_likelihood(x.expand(k, *x.shape), z) + log_prior - log_q


class LogVarianceKL(latent.VAE):
    """The closed form takes the log standard deviation for the log variance."""

    def _terms(self, x, mean, log_std, generator):
        reconstruction, _ = super()._terms(x, mean, log_std, generator)
        return latent.Terms(reconstruction, 0.5 * (mean.square() + log_std.exp() - 1 - log_std))


class DetachedDraws(latent.VAE):
    """Draws z without a gradient: the encoder hears of the KL alone."""

    def _terms(self, x, mean, log_std, generator):
        z = (mean + log_std.exp() * self._noise(mean.shape, generator)).detach()
        return latent.Terms(self._log_likelihood(x, z), latent.gaussian_kl(mean, log_std))


class MeanOfLogs(latent.VAE):
    """Averages log weights and calls it importance-weighted: the plain bound again, with less noise."""

    def elbo(self, x, k=1, *, generator=None):
        return self.log_weights(x, k, generator=generator).mean(0) if k > 1 else super().elbo(x, generator=generator)


class SumOfWeights(latent.VAE):
    """Forgets − log k: a sum of weights for their mean."""

    def elbo(self, x, k=1, *, generator=None):
        return self.log_weights(x, k, generator=generator).logsumexp(0) if k > 1 else super().elbo(
            x, generator=generator)


class NoPrior(latent.VAE):
    """The weights leave out the prior's normalising constant, which "does not matter" to the gradient."""

    def log_weights(self, x, k, *, generator=None):
        return super().log_weights(x, k, generator=generator) + 0.5 * self.latent * math.log(2 * math.pi)


class FreeBitsReported(latent.VAE):
    """Reports the objective with its free bits as if it were the bound."""

    def _terms(self, x, mean, log_std, generator):
        reconstruction, kl = super()._terms(x, mean, log_std, generator)
        return latent.Terms(reconstruction, kl.clamp(min=0.5))


class WidePrior(latent.VAE):
    """Samples from a prior of twice the spread."""

    def sample(self, n, *, temperature=1.0, generator=None):
        with torch.no_grad():
            return self.likelihood.sample(self.decode(2 * self._noise((n, self.latent), generator)), 1.0, generator)


class BatchNormVAE(latent.VAE):
    """Normalises over the batch between encoder and q."""

    def _encode(self, x):
        mean, log_std = super()._encode(x)
        return (mean - mean.mean(0)) / (1e-3 + mean.std(0)), log_std


class CountingVAE(latent.VAE):
    """Warms up by counting how often it is asked, also when it is only evaluated."""

    def __init__(self):
        super().__init__(dim=6, latent=2, hidden=(8,))
        self.register_buffer("asked", torch.zeros(()))

    def _encode(self, x):
        self.asked += 1
        return super()._encode(x)


class IsotropicPosterior(latent.LinearGaussianVAE):
    """Integrates z out and forgets the noise: the covariance is W Wᵀ + I, whatever σ."""

    def log_prob(self, x, context=None):
        covariance = self.W @ self.W.T + torch.eye(len(self.b), dtype=self.dtype)
        return torch.distributions.MultivariateNormal(self.b, covariance).log_prob(x)


def vae(kind):
    return lambda: kind(dim=6, latent=2, hidden=(8,))


ROWS = [
    ("sign of the KL flipped", vae(FlippedKL), "bound_is_below"),
    ("reconstruction averaged over pixels", vae(MeanOverPixels), "bound_is_below"),
    ("KL averaged over latents", vae(MeanOverLatents), "bound_matches_its_weights"),
    ("draws with exp(log-std / 2)", vae(LogVarianceDraws), "weights_average_to_p"),
    ("log-std for log-variance in the KL", vae(LogVarianceKL), "bound_matches_its_weights"),
    ("draws detached", vae(DetachedDraws), "gradient_matches_differences"),
    ("mean of log weights", vae(MeanOfLogs), "weights_average_to_p"),
    ("sum of weights", vae(SumOfWeights), "bound_is_below"),
    ("weights without the prior's constant", vae(NoPrior), "weights_average_to_p"),
    ("free bits in the reported bound", vae(FreeBitsReported), "bound_matches_its_weights"),
    ("prior too wide in the sampler", vae(WidePrior), "sampler_matches_density"),
    ("normalised over the batch", vae(BatchNormVAE), "ignores_the_batch"),
    ("a warm-up that counts calls", CountingVAE, "forward_changes_nothing"),
    ("noise left out of the marginal", lambda: IsotropicPosterior(dim=2, latent=1), "sampler_matches_density"),
]
