"""Checkers on steps of games: how far, which matrix, what is kept, how large."""

import math

import torch
from torch import Generator, Tensor

from dgmhelpers.adversarial import games
from dgmhelpers.exercises.compare import close, named, number, tensor
from dgmhelpers.exercises.feedback import exercise, nothing


@exercise(
    "22.1",
    minutes=10,
    asks="a function steps_until(factor, eta) that returns a whole number",
    hints=[
        "After t simultaneous steps the distance is (1 + η²)^(t/2) times what it was.",
        "Take logarithms: t/2 · log(1 + η²) must reach log(factor).",
        "Solve for t, and round up: the step before does not reach it.",
    ],
    praise="half the step takes four times as many steps, and so twice the time: smaller steps only postpone it",
)
def _steps_until(answer):
    """Four pairs against a count step by step, and the slips: no root, e^(ηt), rounding down."""
    for factor, eta in [(10.0, 0.1), (2.0, 0.5), (100.0, 0.05), (1.5, 0.9)]:
        got = answer(factor, eta)
        if got is None:
            return nothing("a whole number")
        got = number(got, "a whole number")
        exact = 2 * math.log(factor) / math.log(1 + eta**2)
        right = math.ceil(exact)
        if got == right:
            continue
        mistakes = {
            "that forgets the square root: r², not r, grows by 1 + η² a step": math.ceil(exact / 2),
            "rounded down: so many steps do not yet reach it": math.floor(exact),
            "not a whole number: round up": exact,
            "that takes the growth for e^η a step, not √(1 + η²)": math.ceil(math.log(factor) / eta),
            "that takes the growth for 1 + η a step, not √(1 + η²)": math.ceil(math.log(factor) / math.log(1 + eta)),
        }
        return named(mistakes, got) or f"for a factor of {factor:g} with η = {eta:g} expected {right}, got {got}"
    return None


@exercise(
    "22.2",
    minutes=15,
    asks="a function lookahead_matrix(A, eta) that returns a matrix of the same shape as A",
    hints=[
        "Near the rest point v(w) = A w. What is the point that is looked at?",
        "The point ahead is (1 − ηA) w, and the field there A (1 − ηA) w.",
        "w' = w − η A (1 − ηA) w: read off the matrix.",
    ],
    praise="for any game, not only for xy: an eigenvalue λ of A becomes 1 − ηλ + η²λ²",
)
def _lookahead_matrix(answer):
    """Random fields against a step of extragradient, differentiated; and the slips."""
    for seed, eta in enumerate([0.1, 0.7, 1.3]):
        g = Generator().manual_seed(seed)
        a = torch.randn(3, 3, generator=g, dtype=torch.double)
        got = answer(a.clone(), eta)
        if got is None:
            return nothing("a matrix")
        got = tensor(got, a.shape, "a matrix")
        one = torch.eye(3, dtype=torch.double)
        wanted = one - eta * a + eta**2 * a @ a
        if close(got, wanted):
            continue
        mistakes = {
            "that is two steps of simultaneous descent: the second starts from w, not from the point ahead":
                (one - eta * a) @ (one - eta * a),
            "that is one step of simultaneous descent: the field is taken at the point ahead": one - eta * a,
            "the last term has the wrong sign: −η A (−ηA) is plus": one - eta * a - eta**2 * a @ a,
            "A² is the matrix product A @ A, not each entry squared": one - eta * a + eta**2 * a * a,
            "the 1 is the identity matrix, not a 1 in every entry": 1 - eta * a + eta**2 * a @ a,
            "η enters squared in the last term": one - eta * a + eta * a @ a,
        }
        return named(mistakes, got) or "that is not the matrix of w − η v(w − η v(w)) for v(w) = A w"
    return None


@exercise(
    "22.3",
    minutes=25,
    asks="a function mean_bound(eta) that returns one number",
    hints=[
        "x_{t+1} − x_t = −η y_t. What is the sum of y_0 … y_{T−1}?",
        "It telescopes: (x_0 − x_T) / η. And |x_T| is no more than the distance, which the theorem bounds.",
        "|x_0 − x_T| ≤ r_0 + r_T ≤ 1 + √((1 + η/2) / (1 − η/2)).",
    ],
    praise="the path never arrives and its average does, at the speed 1/T: one reason to average a generator's weights",
)
def _mean_bound(answer):
    """The constant C of |mean y| ≤ C / T: it must hold on long paths from everywhere, and not be needlessly large."""
    for eta in (0.1, 0.5, 1.2):
        got = answer(eta)
        if got is None:
            return nothing("the constant C")
        got, wanted = number(got), (1 + math.sqrt((1 + eta / 2) / (1 - eta / 2))) / eta
        if close(got, wanted):
            continue
        if close(got, wanted * eta):
            return "the sum of the y's is (x_0 − x_T) / η: the step is missing"
        worst = max(_times_mean(eta, angle) for angle in torch.linspace(0, math.pi, 13).tolist())
        if not got >= worst - 1e-9:
            return f"for η = {eta:g} a path has T·|mean y| = {worst:.3f}, which is more than {got:.3f}"
        how = "true, but larger than" if got > wanted else "smaller than what"
        return f"that is {how} the theorem gives: for η = {eta:g} its C is {wanted:.3f}, and yours {got:.3f}"
    return None


def _times_mean(eta: float, angle: float) -> float:
    """The largest T · |mean of y_0 … y_{T−1}| over 200 alternating steps from distance 1."""
    path = games.play(games.bilinear(), [math.cos(angle), math.sin(angle)], method="alternating", rate=eta, steps=200)
    return path[:-1, 1].cumsum(0).abs().max().item()


@exercise(
    "22.4",
    minutes=25,
    asks="a function largest_step(c) that returns the bound on η",
    hints=[
        "The eigenvalues are ½(c ± √(c² − 1)). For c ≤ 1 they are complex, and the page has the bound.",
        "For c > 1 they are real and positive: |1 − ηλ| < 1 for both. Which of the two asks for the smaller step?",
        "2 divided by the larger eigenvalue: 4 / (c + √(c² − 1)).",
    ],
    praise="largest at c = 1, where it is 4: more penalty than that only makes the steps smaller",
)
def _largest_step(answer):
    """Five dampings against eigenvalues of the Dirac-GAN's step just below and above the bound."""
    for c in (0.1, 0.5, 1.0, 1.25, 3.0):
        got = answer(c)
        if got is None:
            return nothing("the bound on η")
        got = number(got)
        root = math.sqrt(max(c * c - 1, 0.0))
        wanted = 4 * c if c <= 1 else 4 / (c + root)
        if close(got, wanted):
            continue
        if c > 1:
            mistakes = {
                "for c > 1 the eigenvalues are real, and 4c is the bound for complex ones": 4 * c,
                "both eigenvalues must be inside: that is the bound of the smaller one": 4 / (c - root),
                "that is where the larger eigenvalue vanishes; it may go on to −1, twice as far": 2 / (c + root),
            }
            return named(mistakes, got) or f"for c = {c:g} expected {wanted:.4f}, got {got:.4f}"
        return f"for c = {c:g} expected {wanted:.4f}, got {got:.4f}: 2 Re a / |a|² with Re a = c/2 and |a|² = ¼"
    return None


def largest_eigenvalue(c: float, eta: float) -> float:
    """Of a simultaneous step of the Dirac-GAN with damping c; what 22.4 is about."""
    step: Tensor = games.update_matrix(
        games.dirac_gan(penalty=c), [0.0, 0.0], method="simultaneous", rate=eta
    )
    return torch.linalg.eigvals(step).abs().max().item()
