"""11.1, a linear flow; 11.3, bits per dimension; 11.4, the logit with walls; 11.5, the slope that a bridge needs."""

import math

import torch
from torch import Generator

from dgmhelpers.exercises.compare import close, named, number, parts, tensor
from dgmhelpers.exercises.feedback import exercise, nothing

HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


@exercise(
    "11.1",
    minutes=10,
    asks="a function log_density(x, M, b) that returns one log-density for each point, (B,)",
    hints=[
        "Which z led to x? Solve M z = x − b.",
        "The density of z is known. The map from x to z has a Jacobian; which matrix is it?",
        "log p(x) = log N(z; 0, I) − log |det M|, and slogdet gives the log of the absolute value.",
    ],
    praise="this is the normal distribution with mean b and covariance M Mᵀ, and so all Gaussians are linear flows",
)
def _log_density(answer):
    """Dimensions 1, 2 and 5, determinants of either sign; against the normal with covariance M Mᵀ."""
    for seed, (D, flip) in enumerate([(2, 1), (5, -1), (1, -1), (2, -1)]):
        g = Generator().manual_seed(seed)
        A = torch.randn(D, D, generator=g, dtype=torch.double) + 2 * torch.eye(D, dtype=torch.double)
        A[0] *= flip * torch.linalg.det(A).sign()
        b, x = (torch.randn(size, generator=g, dtype=torch.double) for size in ((D,), (6, D)))
        got = tensor(answer(x.clone(), A.clone(), b.clone()), (6,), "one log-density for each of the 6 points")
        wanted = torch.distributions.MultivariateNormal(b, A @ A.T).log_prob(x)
        if close(got, wanted):
            continue
        logdet, z = torch.linalg.slogdet(A)[1], torch.linalg.solve(A, (x - b).T).T
        forwards = -0.5 * ((x - b) @ A.T).square().sum(1) - D * HALF_LOG_2PI
        mistakes = {
            "the determinant has the wrong sign: M spreads points out, which lowers the density": wanted + 2 * logdet,
            "the determinant is missing: M stretches space": wanted + logdet,
            "½ log 2π belongs to each of the D dimensions": wanted + (D - 1) * HALF_LOG_2PI,
            "the constant ½ D log 2π is missing": wanted + D * HALF_LOG_2PI,
            "z is M⁻¹(x − b): you multiplied by M": forwards - logdet,
            "the mean is b: take it off before you solve": wanted + 0.5 * (
                z.square().sum(1) - torch.linalg.solve(A, x.T).T.square().sum(1)),
            "that is the density, not its logarithm": wanted.exp(),
            "that is minus the log-density": -wanted,
        }  # fmt: skip
        return named(mistakes, got) or (
            f"in {D} dimensions with det M = {torch.linalg.det(A):.2f} the first point has {wanted[0]:.4f}, yours is "
            f"{got[0]:.4f}")
    return None


@exercise(
    "11.3",
    minutes=15,
    asks="a function bits(log_p_z, log_det, D, K) that returns one number",
    hints=[
        "Two maps: divide by K, then the flow. What is the log |det| of the first?",
        "log p of the image with its noise is log_p_z + log_det − D log K.",
        "Minus that is nats. Bits are nats over log 2, and per dimension means over D.",
    ],
    praise="and a flow that makes everything uniform on the unit cube costs log₂ K bits, as it should",
)
def _bits(answer):
    """Several sizes, K = 1 level among them, and numbers of either sign."""
    cases = [(-90.0, 12.5, 64, 17), (-3000.0, 1000.0, 784, 256), (0.0, 0.0, 5, 8), (2.0, -7.0, 3, 1)]
    for log_p_z, log_det, D, K in cases:
        given = number(answer(log_p_z, log_det, D, K), "the bits per dimension, one number")
        got = torch.tensor(given, dtype=torch.double)
        wanted = torch.tensor((D * math.log(K) - log_p_z - log_det) / (D * math.log(2)), dtype=torch.double)
        if close(got, wanted):
            continue
        scale = math.log2(K)
        mistakes = {
            "the scale is missing: dividing by K multiplies the density by K in each dimension": wanted - scale,
            "the scale has the wrong sign": wanted - 2 * scale,
            "the scale counts once for each of the D dimensions": wanted - scale + scale / D,
            "log_det has the wrong sign: it is added to log_p_z": wanted + 2 * log_det / (D * math.log(2)),
            "log_det is missing": wanted + log_det / (D * math.log(2)),
            "those are nats: divide by log 2": wanted * math.log(2),
            "that is for the whole image: divide by D": wanted * D,
            "the sign is wrong: a cost is minus a log-probability": -wanted,
        }
        return named(mistakes, got) or (
            f"for log p(z) = {log_p_z:g}, log |det| = {log_det:g}, D = {D} and K = {K} it is {wanted:.4f}, yours is "
            f"{got:.4f}")
    return None


@exercise(
    "11.4",
    minutes=20,
    asks="a function logit_layer(y, alpha) that returns the pair of the result, (B, D), and log |det|, (B,)",
    hints=[
        "Two maps in a row: w = α + (1 − 2α) y, then log w − log(1 − w). Their log-determinants add.",
        "The first stretches each of D directions by 1 − 2α.",
        "The derivative of the logit is 1 / (w(1 − w)), at the point w where the first map arrived.",
    ],
    praise="finite at y = 0 and y = 1, which is what α is for",
)
def _logit_layer(answer):
    """Walls among the points, three alphas, 0 among them; against the derivative by autograd."""
    for seed, alpha in enumerate([0.05, 0.2, 0.0]):
        y = torch.rand(4, 3, generator=Generator().manual_seed(seed), dtype=torch.double) * 0.98 + 0.01
        if alpha:
            y[0, 0], y[1, 2] = 0.0, 1.0
        got = answer(y.clone(), alpha)
        if got is None:
            return nothing()
        result, logdet = parts(got, 2, "a pair, the result and log |det|")
        at = y.clone().requires_grad_()
        z = torch.logit(alpha + (1 - 2 * alpha) * at)
        (slope,) = torch.autograd.grad(z.sum(), at)
        z, wanted = z.detach(), slope.log().sum(1)
        result = tensor(result, (4, 3), "the result")
        if not close(result, z):
            wrong = {"that is the logit of y itself: first squeeze y with α": torch.logit(y),
                     "that is the squeezed y: the logit is missing": alpha + (1 - 2 * alpha) * y}
            return named(wrong, result) or (
                f"for α = {alpha:g} the first result is {z[0, 0]:.4f}, yours is {result[0, 0]:.4f}")
        logdet = tensor(logdet, (4,), "one log |det| for each example")
        if close(logdet, wanted):
            continue
        w, stretch = alpha + (1 - 2 * alpha) * y, 3 * math.log(1 - 2 * alpha)
        mistakes = {
            "the stretch by 1 − 2α is missing": wanted - stretch,
            "the stretch counts in each of the D directions": wanted - stretch + stretch / 3,
            "the stretch has the wrong sign: 1 − 2α is below one": wanted - 2 * stretch,
            "the derivative of the logit is 1 / (w(1 − w)): the sign of its logarithm": -wanted + 2 * stretch,
            "that is minus log |det|, of the way back": -wanted,
            "take the derivative of the logit at w, not at y": -(y * (1 - y)).log().sum(1) + stretch,
            "that is a mean over the dimensions: a determinant is a product": wanted / 3,
            "1 / (w(1 − w)) has two factors: log(1 − w) is missing": -w.log().sum(1) + stretch,
        }
        return named(mistakes, logdet) or (
            f"for α = {alpha:g} the first log |det| is {wanted[0]:.4f}, yours is {logdet[0]:.4f}")
    return None


@exercise(
    "11.5",
    minutes=30,
    asks="a function least_slope(gap, bridge) that returns one number",
    hints=[
        "Part 2 of the theorem, for equal probabilities: bridge ≥ 2 Φ(δ / 2Λ) − 1. Which Λ satisfy it?",
        "Φ increases: solve for δ / 2Λ with Φ⁻¹, torch.special.ndtri.",
        "δ / 2Λ ≤ Φ⁻¹((1 + bridge) / 2).",
    ],
    praise="for thin bridges about δ / (bridge · √(2π)): a bridge ten times thinner takes a slope ten times steeper",
)
def _least_slope(answer):
    """Gaps of several sizes, bridges from one in a million to nine tenths; against bisection on Φ."""
    for gap, bridge in [(1.6, 0.01), (3.0, 0.5), (0.2, 0.9), (1.0, 1e-6)]:
        got = torch.tensor(number(answer(gap, bridge), "the slope, one number"), dtype=torch.double)
        wanted = gap / (2 * _quantile((1 + bridge) / 2))
        if bool((got - wanted).abs() <= 2e-3 * wanted if bridge < 1e-5 else close(got, wanted)):
            continue                                        # float32 has few digits of 1 + 0.000001
        mistakes = {
            "a factor of two: each side of the middle has the probability Φ(δ / 2Λ) − ½, half of the bridge": gap / (
                2 * _quantile(0.5 + bridge)) if bridge < 0.5 else math.nan,
            "δ / 2Λ, not δ / Λ: half of the gap is on either side of the middle": 2 * wanted,
            "that is the inverse: how far apart points of the noise are for each unit of gap": 1 / wanted,
            "that is a bound for thin bridges; the exact one has Φ⁻¹ in it": gap / (bridge * math.sqrt(2 * math.pi)),
            "the quantile is of (1 + bridge) / 2: the bridge is in the middle, the islands in the two tails": gap / (
                2 * abs(_quantile(bridge)) if abs(_quantile(bridge)) > 1e-9 else math.nan),
        }  # fmt: skip
        wrong = {says: torch.tensor(value, dtype=torch.double) for says, value in mistakes.items()}
        return named(wrong, got) or (
            f"for a gap of {gap:g} and a bridge of {bridge:g} the slope is at least {wanted:.4f}, yours is {got:.4f}")
    return None


def _quantile(p: float) -> float:
    """Φ⁻¹, by bisection."""
    low, high = -10.0, 10.0
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if 0.5 * math.erfc(-middle / math.sqrt(2)) < p else (low, middle)
    return (low + high) / 2
