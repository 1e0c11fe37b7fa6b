"""Checkers on tables of probabilities: the value, the best discriminator, divergences, costs."""

import math

import torch
from torch import Generator

from dgmhelpers.exercises.chapter_21.common import kl, table, two_jsd
from dgmhelpers.exercises.compare import close, named, number, tensor
from dgmhelpers.exercises.feedback import exercise, nothing


@exercise(
    "21.1",
    minutes=5,
    asks="a function value_of_game(D_real, D_fake) that returns one number",
    hints=[
        "The arguments are probabilities of being real, as D answered them, not logits.",
        "A real example contributes log D, a fake one log(1 − D).",
        "Each expectation is a mean over its own batch; V is the sum of the two means.",
    ],
    praise="and minus this is the discriminator's loss: no half, no sum over the batch",
)
def _value(answer):
    """V of batches of unequal size, and the slips: a sign, a half, a sum, a log of a mean, both batches in one."""
    for seed, (n, m) in enumerate([(3, 8), (5, 5), (1, 2)]):
        g = Generator().manual_seed(seed)
        real, fake = (0.05 + 0.9 * torch.rand(k, generator=g, dtype=torch.double) for k in (n, m))
        got = answer(real.clone(), fake.clone())
        if got is None:
            return nothing()
        got, a, b = number(got), real.log().mean(), (1 - fake).log().mean()
        if close(got, a + b):
            continue
        mistakes = {
            "that is the discriminator's loss: V is minus it": -(a + b),
            "a half is too many: V is the sum of the two means": (a + b) / 2,
            "the fake term is log D; it should be log(1 − D)": a + fake.log().mean(),
            "that is the mean over both batches together: each expectation has its own": torch.cat(
                [real.log(), (1 - fake).log()]
            ).mean(),
            "that is a sum over the batch: V is made of means": real.log().sum() + (1 - fake).log().sum(),
            "that is the log of a mean: V is made of means of logs": real.mean().log() + (1 - fake.mean()).log(),
        }
        other = (
            f"for {n} real and {m} fake examples you say {got:.4f}: the mean of log D plus the mean of log(1 − D) "
            f"is {a + b:.4f}"
        )
        return named(mistakes, got) or other
    return None


@exercise(
    "21.2",
    minutes=15,
    asks="a function best_answer(p, q, share) that returns a tensor of probabilities",
    hints=[
        "Of all examples shown, a share of them is real: what is the joint probability of (x, real)?",
        "Repeat the proof: maximise u log y + v log(1 − y), with other u and v.",
        "u = share · p(x), v = (1 − share) · q(x); where both are zero any answer is best, say the share itself.",
    ],
    praise="Bayes' rule: a discriminator trained on unequal batches carries their ratio in its logit, as an offset",
)
def _best(answer):
    """Three shares on tables with a zero, and the slips: no share, the wrong one, a ratio for a probability."""
    for seed, share in enumerate([0.5, 0.2, 0.9]):
        p, q = table(seed), table(seed + 50)
        p[0] = 0.0
        got = answer(p.clone(), q.clone(), share)
        if got is None:
            return nothing()
        got = tensor(got, p.shape, "one probability for each x")
        u, v = share * p, (1 - share) * q
        if close(got, u / (u + v)):
            continue
        case = f"with a share of {share} real"
        mistakes = {
            "that is the answer for equal shares; the share is not used": p / (p + q),
            "share and 1 − share are exchanged": (1 - share) * p / ((1 - share) * p + share * q),
            "that is the probability of being fake": v / (u + v),
            "the share must be in the denominator too": u / (p + q),
            "that is a density ratio, not a probability": u / v,
        }
        other = f"of all shown at the second x, {(u / (u + v))[1]:.4f} are real; you say {got[1]:.4f}"
        return f"{case}: {named(mistakes, got) or other}"
    return None


@exercise(
    "21.3",
    minutes=15,
    asks="a function js_divergence(p, q) that returns one number, in nats",
    hints=[
        "m is the average of the two tables; it is zero only where both are.",
        "Half of KL(p‖m) plus half of KL(q‖m), with the natural logarithm.",
        "0 log 0 counts as 0: torch.special.xlogy knows that.",
    ],
    praise="finite even for tables with nothing in common, where it is log 2, and KL is infinite",
)
def _jsd(answer):
    """Tables alike, unlike and with nothing in common, and the slips: twice, in bits, KL to the other and not to m."""
    disjoint = (torch.tensor([0.5, 0.5, 0, 0, 0], dtype=torch.double),    # and one entry that is zero in both
                torch.tensor([0, 0, 0.3, 0.7, 0], dtype=torch.double))
    for p, q in [(table(0), table(1)), (table(2), table(2)), disjoint]:
        got = answer(p.clone(), q.clone())
        if got is None:
            return nothing()
        got, m = number(got), (p + q) / 2
        right = (kl(p, m) + kl(q, m)) / 2
        if close(got, right):
            continue
        if math.isnan(got):
            return "that is NaN where a probability is zero, or both are: 0 log 0 counts as 0, and 0 / 0 does not"
        mistakes = {
            "that is twice the divergence: each KL counts a half": 2 * right,
            "that is V of the best discriminator; JSD = (V + log 4) / 2": 2 * right - math.log(4),
            "that is in bits: the book counts in nats": right / math.log(2),
            "that is half of KL(p‖q) + KL(q‖p): both must be taken to the average m": (kl(p, q) + kl(q, p)) / 2,
            "that is KL(p‖m) alone": kl(p, m),
            "that is KL(m‖p) and KL(m‖q), the wrong way round": (kl(m, p) + kl(m, q)) / 2,
        }
        other = f"half of KL(p‖m) and half of KL(q‖m) make {right:.4f} nats here, and you say {got:.4f}"
        return named(mistakes, got) or other
    return None


@exercise(
    "21.4",
    minutes=30,
    asks="a function likelihood_cost(a) of the fake logits, one number for each",
    hints=[
        "With the best discriminator a = log p − log q. Which function of a makes Σ ∂q f(a) the derivative of KL(p‖q)?",
        "The derivative of KL(p‖q) = Σ p log p − Σ p log q by q is −p/q.",
        "p/q is an exponential of a.",
    ],
    praise="a generator of a GAN can descend the divergence of maximum likelihood; look how e^a treats a good sample",
)
def _likelihood_cost(answer):
    """The gradient of Σ q f(a) by q's logits against that of KL(p‖q), minimax and flipped costs named."""
    for seed in range(3):
        p = table(seed)
        logits = torch.randn(6, generator=Generator().manual_seed(seed + 9), dtype=torch.double).requires_grad_()
        q = logits.softmax(0)
        a = (p / q).log().detach()
        cost = answer(a.clone())
        if cost is None:
            return nothing()
        cost = tensor(cost, a.shape, "one cost for each logit")
        (got,) = torch.autograd.grad((q * cost).sum(), logits, retain_graph=True)
        (wanted,) = torch.autograd.grad(kl(p, q), logits, retain_graph=True)
        if close(got, wanted):
            continue
        reverse, js = (torch.autograd.grad(f, logits, retain_graph=True)[0] for f in (kl(q, p), two_jsd(p, q)))
        mistakes = {
            "its sign is flipped: the generator would climb": -wanted,
            "that is the cost of the non-saturating loss": reverse - js,
            "that is the cost of the minimax loss": js,
            "that descends KL(q‖p), the other direction: −a, where a function of p/q itself is asked for": reverse,
        }
        factor = ((got @ wanted) / (wanted @ wanted)).item()
        if factor > 0 and close(got, factor * wanted):
            return f"right up to a factor of {factor:.3g}: the derivative of KL(p‖q) itself is asked for"
        return named(mistakes, got) or "the gradient of Σ q f(a) is not that of KL(p‖q): what is ∂KL/∂q at one x?"
    return None


@exercise(
    "21.6",
    minutes=25,
    asks="a function worth(p, q) that returns one number",
    hints=[
        "At one x the discriminator pays p (f − 1)² + q f². For which f is that least?",
        "f = p / (p + q) again. Put it back.",
        "p q² / (p + q)² + q p² / (p + q)² has the factor pq / (p + q)².",
    ],
    praise="½ when p = q, and below it by a quarter of Σ (p − q)² / (p + q): this game measures another divergence",
)
def _worth(answer):
    """Three pairs of tables, and the slips: a half, a sign, ½ for every D, the value of the logistic game."""
    for seed in range(3):
        p, q = table(seed), table(seed + 20)
        got = answer(p.clone(), q.clone())
        if got is None:
            return nothing()
        got, right = number(got), (p * q / (p + q)).sum()
        if close(got, right):
            continue
        mistakes = {
            "a half is too many: the two squares are summed": right / 2,
            "that is minus the worth: the loss is a sum of squares": -right,
            "that is what a discriminator who always says ½ pays": 0.5,
            "that is the cross-entropy of the logistic game": math.log(4) - two_jsd(p, q),
            "weigh each square by its own table, p for real and q for fake": (q * q + p * p).div((p + q) ** 2).sum(),
        }
        other = f"the loss of the best f is {right:.4f} here, and you say {got:.4f}: which f is best at one x?"
        return named(mistakes, got) or other
    return None
