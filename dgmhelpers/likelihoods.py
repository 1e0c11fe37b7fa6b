"""What one variable's conditional can be: ``log_prob`` and ``sample`` of the same parameters, side by side.

A model computes parameters; a likelihood says what they mean. Keeping the density and the sampler of those
parameters in one class is what stops them from drifting apart (a sigmoid applied twice, a noise of half the
width). In every class ``params`` has the shape of ``x`` followed by ``parameter_shape``, ``log_prob`` is in nats
per element, ``sample`` draws from exactly what ``log_prob`` evaluates, and ``mean`` is the expected value of that.

Finite parameters, however large, give a ``log_prob`` that is not NaN and has no NaN in its gradient. It is computed and
given in float32 at least, whatever shorter type the parameters come in.
"""

import abc
import math
from collections.abc import Generator as Coroutine

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from dgmhelpers.arguments import at_least, cast_values, check_values
from dgmhelpers.numerics import exp, log1mexp, logsumexp, over_scale, single


class Likelihood(abc.ABC):
    """What all of them do with values.

    Attributes:
        levels: number of values, 2 for binary; None for real values.
        parameter_shape: shape of the parameters of one element.
    """

    levels: int | None
    parameter_shape: tuple[int, ...]

    @abc.abstractmethod
    def log_prob(self, params: Tensor, x: Tensor) -> Tensor:
        """Log-probability or log-density of ``x`` in nats, element by element."""

    @abc.abstractmethod
    def sample(self, params: Tensor, temperature: float = 1.0, generator: Generator | None = None) -> Tensor:
        """A draw for each element."""

    @abc.abstractmethod
    def mean(self, params: Tensor) -> Tensor:
        """The expected value of each element."""

    def check(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        """``x`` as the likelihood takes it: 0/1 (bool and integers are converted) or real values in ``dtype``, or
        levels as ``long``. Anything else is refused: see :func:`dgmhelpers.arguments.check_values`."""
        return check_values(x, self.levels, dtype)

    def cast(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        """What :meth:`check` returns, without looking at the values (a look costs a wait on a GPU)."""
        return cast_values(x, self.levels, dtype)


class Bernoulli(Likelihood):
    """Binary values 0 and 1, one logit each."""

    parameter_shape = ()
    levels = 2

    def log_prob(self, params: Tensor, x: Tensor) -> Tensor:
        """``x log σ(a) + (1 − x) log σ(−a)`` for logits ``a``, without overflow."""
        params = single(params)
        return -F.binary_cross_entropy_with_logits(params, x.to(params.dtype), reduction="none")

    def sample(self, params: Tensor, temperature: float = 1.0, generator: Generator | None = None) -> Tensor:
        """0 or 1 in the dtype of ``params``."""
        return torch.bernoulli(torch.sigmoid(params / temperature), generator=generator)

    def mean(self, params: Tensor) -> Tensor:
        """Expected value: the probability of 1."""
        return params.sigmoid()


class Categorical(Likelihood):
    """One of ``levels`` values 0 … K − 1, one logit for each: ``parameter_shape`` is ``(K,)``."""

    levels: int

    def __init__(self, levels: int):
        self.levels = at_least("levels", levels, 2)
        self.parameter_shape = (self.levels,)

    def log_prob(self, params: Tensor, x: Tensor) -> Tensor:
        """Log of the softmax of the logits, at ``x``."""
        return single(params).log_softmax(-1).gather(-1, x.long().unsqueeze(-1)).squeeze(-1)

    def sample(self, params: Tensor, temperature: float = 1.0, generator: Generator | None = None) -> Tensor:
        """Levels, ``long``."""
        params = single(params)
        return _draw_index(((params - params.amax(-1, keepdim=True)) / temperature).softmax(-1), generator)

    def mean(self, params: Tensor) -> Tensor:
        """Expected level, a real number."""
        return params.softmax(-1) @ torch.arange(self.levels, dtype=params.dtype, device=params.device)


class Gaussian(Likelihood):
    """A real value with a mean and the log of a standard deviation: ``parameter_shape`` is ``(2,)``."""

    parameter_shape = (2,)
    levels = None

    def log_prob(self, params: Tensor, x: Tensor) -> Tensor:
        """Log-density, ``−½((x − µ)/s)² − log s − ½ log 2π``."""
        mean, log_std = single(params).unbind(-1)
        return -0.5 * over_scale(x - mean, log_std) ** 2 - log_std - 0.5 * math.log(2 * math.pi)

    def sample(self, params: Tensor, temperature: float = 1.0, generator: Generator | None = None) -> Tensor:
        """``mean + temperature · std · noise``."""
        mean, log_std = params.unbind(-1)
        noise = torch.empty_like(mean).normal_(generator=generator)
        return mean + temperature * exp(log_std) * noise

    def mean(self, params: Tensor) -> Tensor:
        """Expected value."""
        return params[..., 0]


class MixtureOfGaussians(Likelihood):
    """A real value from one of ``components`` Gaussians: ``parameter_shape`` is ``(3, M)``.

    The three rows are the logits of the weights, the means and the logs of the standard deviations.
    """

    levels = None

    def __init__(self, components: int):
        self.parameter_shape = (3, at_least("components", components, 1))

    def log_prob(self, params: Tensor, x: Tensor) -> Tensor:
        """Log-density of the mixture: a log-sum-exp over components."""
        logits, mean, log_std = single(params).unbind(-2)
        each = Gaussian().log_prob(torch.stack([mean, log_std], -1), x.unsqueeze(-1))
        return logsumexp(logits.log_softmax(-1) + each, -1)

    def sample(self, params: Tensor, temperature: float = 1.0, generator: Generator | None = None) -> Tensor:
        """Draw a component, then a value; the temperature sharpens both."""
        logits, mean, log_std = params.unbind(-2)
        chosen = Categorical(2).sample(logits, temperature, generator).unsqueeze(-1)
        one = torch.cat([mean.gather(-1, chosen), log_std.gather(-1, chosen)], -1)
        return Gaussian().sample(one, temperature, generator)

    def mean(self, params: Tensor) -> Tensor:
        """Expected value: the components' means, weighed."""
        logits, mean, _ = params.unbind(-2)
        return (logits.softmax(-1) * mean).sum(-1)


class DiscretizedLogisticMixture(Likelihood):
    r"""Levels 0 … K − 1 as rounded draws from a mixture of logistics on [−1, 1]: ``parameter_shape`` is ``(3, M)``.

    Level ``k`` owns the interval of width 2/(K − 1) around ``−1 + 2k/(K − 1)``; the first and the last level own
    everything beyond them, so that the levels sum to one whatever the parameters. The rows are the logits of the
    weights, the means and the logs of the scales. After PixelCNN++ (Salimans et al., 2017).

    *Colours.* The colours of one pixel share the component, and the mean of each is linear in those before it:

    .. math::  p(x_1, …, x_C) = \sum_m \pi_m \prod_c P\Big(x_c \,\Big|\, \mu_{cm} +
               \sum_{c' < c} \tanh(a_{cc'm})\, \tilde x_{c'},\; s_{cm}\Big),
               \qquad \tilde x = 2x/(K - 1) - 1.

    The parameters of a whole pixel are ``(rows, M)``, in this order: 1 row of logits, C of means, C of log-scales and
    C(C − 1)/2 of slopes a, of green on red, blue on red, blue on green. :meth:`by_colour` turns them into those of each
    colour given the ones before it, a mixture like any other, whose weights have seen the earlier colours.

    Args:
        levels: K.
        components: M.
        colours: C, of one pixel.
    """

    levels: int

    def __init__(self, levels: int, components: int, colours: int = 1):
        self.levels = at_least("levels", levels, 2)
        self.parameter_shape = (3, at_least("components", components, 1))
        self.colours = at_least("colours", colours, 1)
        self.rows = 1 + 2 * colours + colours * (colours - 1) // 2

    def log_prob(self, params: Tensor, x: Tensor) -> Tensor:
        """Log of the probability of each level's interval, by differences of logs that cannot cancel."""
        logits, mean, log_scale = single(params).unbind(-2)
        return logsumexp(logits.log_softmax(-1) + self._of_each(mean, log_scale, x), -1)

    def log_prob_of_pixel(self, pixel: Tensor, x: Tensor) -> Tensor:
        """Log-probability of all colours of a pixel together, ``(...,)``, from ``(..., rows, M)`` and ``(..., C)``.

        No component gives a colour less than −1e30, so that a sum over an image stays finite: exp(−1e30) is 0 anyway.
        """
        step = self.in_turn(pixel)
        joint = next(step)
        for colour in x.unbind(-1):
            joint = step.send(colour)
        return logsumexp(joint, -1)

    def by_colour(self, pixel: Tensor, x: Tensor) -> Tensor:
        """Parameters of each colour given those before it, ``(..., C, 3, M)``: of :meth:`log_prob` and :meth:`sample`.

        Args:
            pixel: ``(..., rows, M)``.
            x: levels, ``(..., C)``.
        """
        step = self.in_turn(pixel)
        return torch.stack([next(step), *(step.send(colour) for colour in x.unbind(-1)[:-1])], -3)

    def in_turn(self, pixel: Tensor) -> Coroutine[Tensor, Tensor, None]:
        """One pixel, colour after colour: gives the parameters of the next, ``(..., 3, M)``, and is sent its value,
        ``(...)``. Sent the last, it gives ``log p(x, m)``, ``(..., M)``."""
        C = self.colours
        logits, means, log_scales, slopes = single(pixel).split([1, C, C, C * (C - 1) // 2], -2)
        joint = logits.squeeze(-2).log_softmax(-1)                                 # log p(m, the colours so far)
        means, log_scales, slopes = means.unbind(-2), log_scales.unbind(-2), slopes.tanh().unbind(-2)
        known: list[Tensor] = []
        for c in range(C):
            mean, first = means[c], c * (c - 1) // 2
            for slope, value in zip(slopes[first:], known, strict=False):
                mean = mean + slope * value
            x = yield torch.stack([joint, mean, log_scales[c]], -2)
            joint = joint + self._of_each(mean, log_scales[c], x).clamp(min=-1e30)
            known.append(x.to(mean.dtype).unsqueeze(-1) * (2 / (self.levels - 1)) - 1)
        yield joint

    def _of_each(self, mean: Tensor, log_scale: Tensor, x: Tensor) -> Tensor:
        """Log-probability of ``x``, ``(...)``, under each component, ``(..., M)``."""
        half = 1 / (self.levels - 1)
        centre = x.unsqueeze(-1).to(mean.dtype) * 2 * half - 1
        above = over_scale(centre + half - mean, log_scale)  # upper edge, in scales from the mean
        below = over_scale(centre - half - mean, log_scale)
        # σ(u) − σ(l) = σ(u) σ(−l) (1 − e^{l − u}): every factor has an exact logarithm, even in the far tails
        inside = F.logsigmoid(above) + F.logsigmoid(-below) + log1mexp(math.log(2 * half) - log_scale)
        first, last = x.unsqueeze(-1) == 0, x.unsqueeze(-1) == self.levels - 1
        return torch.where(first, F.logsigmoid(above), torch.where(last, F.logsigmoid(-below), inside))

    def sample(self, params: Tensor, temperature: float = 1.0, generator: Generator | None = None) -> Tensor:
        """Draw a component, a logistic value, and round to the nearest level."""
        logits, mean, log_scale = single(params).unbind(-2)
        chosen = Categorical(2).sample(logits, temperature, generator).unsqueeze(-1)
        mean, log_scale = mean.gather(-1, chosen).squeeze(-1), log_scale.gather(-1, chosen).squeeze(-1)
        u = torch.empty_like(mean).uniform_(generator=generator).clamp(1e-12 if mean.dtype == torch.double else 1e-7)
        value = mean + temperature * exp(log_scale) * (u.log() - torch.log1p(-u))
        return ((value + 1) * (self.levels - 1) / 2).round().clamp(0, self.levels - 1).long()

    def mean(self, params: Tensor) -> Tensor:
        """Expected level, a real number: the sum of the probabilities of being above each."""
        logits, mean, log_scale = single(params).unbind(-2)
        total = torch.zeros_like(mean[..., 0])
        for level in range(self.levels - 1):
            edge = (2 * level + 1) / (self.levels - 1) - 1                         # between this level and the next
            above = torch.sigmoid(over_scale(mean - edge, log_scale))
            total = total + (logits.softmax(-1) * above).sum(-1)
        return total


def for_levels(levels: int) -> Bernoulli | Categorical:
    """The likelihood of ``levels`` values: binary is a Bernoulli (float 0/1), more a Categorical (``long``)."""
    return Bernoulli() if levels == 2 else Categorical(levels)


def _draw_index(probabilities: Tensor, generator: Generator | None) -> Tensor:
    flat = probabilities.reshape(-1, probabilities.shape[-1])
    if not len(flat):
        return flat.new_zeros(probabilities.shape[:-1], dtype=torch.long)
    return torch.multinomial(flat, 1, generator=generator).reshape(probabilities.shape[:-1])
