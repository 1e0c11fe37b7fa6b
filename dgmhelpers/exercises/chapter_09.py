"""Checkers for chapter 09, Transformers."""

import math

import torch
from torch import Generator

from dgmhelpers.exercises.compare import close, named, number, parts, tensor
from dgmhelpers.exercises.feedback import exercise, nothing


@exercise(
    "09.1",
    minutes=10,
    asks="a function weights(q, k) that returns a tensor (T, T)",
    hints=[
        "Three steps: a score for each pair, a mask, and a softmax. Over which of the two axes?",
        "Row t has the scores of query t with all keys, divided by the root of d. What is the future of t?",
        "Set the scores of s > t to minus infinity, and take the softmax along each row. t itself stays.",
    ],
    praise="five positions or five thousand: the same three lines, and every pair is looked at",
)
def _weights(answer):
    """Several lengths and widths, one position alone, and scores that are large."""
    g = Generator().manual_seed(1)
    for T, d, scale in [(5, 4, 1.0), (1, 3, 1.0), (7, 2, 1.0), (4, 16, 8.0)]:
        q, k = scale * torch.randn(2, T, d, generator=g, dtype=torch.double)
        got = answer(q.clone(), k.clone())
        if got is None:
            return nothing()
        got = tensor(got, (T, T), "weights")
        scores = q @ k.T
        future = torch.ones(T, T, dtype=torch.bool).triu(1)

        def masked(s, future=future):
            return s.masked_fill(future, -math.inf)

        right = masked(scores / math.sqrt(d)).softmax(1)
        if close(got, right):
            continue
        if not got.isfinite().all():
            return f"T = {T}, d = {d}: not all weights are finite; position 1 may look at itself"
        strict = torch.ones(T, T, dtype=torch.bool).triu(0)
        mistakes = {
            "the scores are not divided by the root of d": masked(scores).softmax(1),
            "the scores are divided by d, not by its root": masked(scores / d).softmax(1),
            "there is no mask: a position looks at its future": (scores / math.sqrt(d)).softmax(1),
            "the mask is upside down: a position looks at its future alone": masked(scores / math.sqrt(d), future.T)
            .softmax(1),
            "the softmax is over the queries: each row must sum to one": masked(scores / math.sqrt(d)).softmax(0),
            "the mask comes after the softmax: rows no longer sum to one": (scores / math.sqrt(d)).softmax(1)
            * ~future,
            "queries and keys are swapped": masked(scores.T / math.sqrt(d)).softmax(1),
            "a position may look at itself: its input is the symbol before": masked(scores / math.sqrt(d), strict)
            .softmax(1).nan_to_num(),
        }  # fmt: skip
        return f"T = {T}, d = {d}: {named(mistakes, got) or 'these are not the weights of causal attention'}"
    return None


@exercise(
    "09.2",
    minutes=10,
    asks="a function cache_bytes(T, h, L, size) that returns a number",
    hints=[
        "Which two things does each block keep of each position? How many numbers are they?",
        "All heads together, a key has h numbers, and so has a value. Queries are not kept.",
        "Two times h numbers for each of T positions and L blocks, and size bytes for each number.",
    ],
    praise="linear in the length; what grows with its square is the time that all symbols together take",
)
def _cache_bytes(answer):
    """GPT-2's smallest and largest, and a tiny model."""
    for T, h, L, size in [(1024, 768, 12, 4), (1024, 1600, 48, 2), (5, 8, 1, 8), (300, 120, 3, 2)]:
        got = answer(T, h, L, size)
        if got is None:
            return nothing()
        got, right = number(got, "bytes"), 2 * T * h * L * size
        if close(got, right):
            continue
        mistakes = {
            "values are kept as well as keys": right / 2,
            "queries are not kept: an old query is never asked again": 1.5 * right,
            "scores are not kept: they are computed from keys": T * T * L * size,
            "every block has a cache": right / L,
            "that is how many numbers there are: each takes size bytes": right / size,
        }
        words = named({m: torch.tensor(float(v)).double() for m, v in mistakes.items()}, torch.tensor(got).double())
        return f"T = {T}, h = {h}, L = {L}, size = {size}: {words or f'it is {right:,} bytes, you say {got:,.0f}'}"
    return None


@exercise(
    "09.3",
    minutes=15,
    asks="a function speculate(p, q) that returns a number and a tensor (K,)",
    hints=[
        "A draft x comes with probability q(x) and stays with min(1, p(x)/q(x)). Sum over x.",
        "What is missing to p(x), after the drafts that stay? It is never negative.",
        "The second is the positive part of p − q, divided by its sum; where that sum is zero, p.",
    ],
    praise="so the share of drafts that is kept is one minus the total variation from the large model",
)
def _speculate(answer):
    """Random pairs, symbols that one of them never draws, and two equal distributions."""
    g = Generator().manual_seed(3)
    a, b = torch.rand(2, 6, generator=g, dtype=torch.double).softmax(1)
    apart = torch.tensor([0.5, 0.5, 0, 0]).double(), torch.tensor([0, 0.25, 0.75, 0]).double()
    for p, q in [(a, b), (b, a), apart, apart[::-1], (a, a)]:
        got = answer(p.clone(), q.clone())
        if got is None:
            return nothing()
        kept, replaced = parts(got, 2, "two things: a probability, and a distribution")
        kept, replaced = number(kept, "a probability"), tensor(replaced, p.shape, "a distribution")
        left = (p - q).clamp(min=0)
        right = left / left.sum() if left.sum() > 1e-12 else p
        same = close(kept, torch.minimum(p, q).sum().item())
        if same and close(replaced, right):
            continue
        if torch.equal(p, q):
            return "for p = q nothing is refused: the probability is 1, and p is asked for as the second"
        if not replaced.isfinite().all() or not math.isfinite(kept):
            return "something is not finite: q(x) may be zero for some x, and so may p(x)"
        if not same:
            mistakes = {
                "that is the probability of a refusal": left.sum().item(),
                "that is a mean over symbols: weigh them by q": torch.minimum(p / q, torch.ones_like(p)).mean().item(),
                "p(x)/q(x) can be above one: a probability cannot": p[q > 0].sum().item(),
            }
            words = next((m for m, v in mistakes.items() if math.isfinite(v) and close(kept, v)), None)
            return words or f"a draft stays with probability {torch.minimum(p, q).sum():.4f} here, you say {kept:.4f}"
        mistakes = {
            "to draw again from p is the popular bug: symbols that q overrates would come twice": p,
            "that does not sum to one: divide by the probability of a refusal": left,
            "that is what q has too much of: the missing part is p − q": (q - p).clamp(min=0) / left.sum(),
            "that is a softmax of the differences: keep the positive part": (p - q).softmax(0),
            "take the positive part, not the absolute value": (p - q).abs() / (p - q).abs().sum(),
        }
        return named(mistakes, replaced) or f"the replacement should have {[round(v, 4) for v in right.tolist()]}"
    return None


@exercise(
    "09.4",
    minutes=10,
    asks="a function bits_saved(nats_a, nats_b, symbols_b, bytes) that returns a number",
    hints=[
        "Nats a symbol are paid once for each symbol. How many does each model pay for the whole text?",
        "A pays nats_a for every byte, B pays nats_b for every one of its symbols; divide both by the bytes.",
        "The difference of the two, in nats a byte, divided by the logarithm of two.",
    ],
    praise="the same holds for perplexities: across alphabets they compare with nothing",
)
def _bits_saved(answer):
    """Where nats a symbol mislead, where they do not, and a draw."""
    for nats_a, nats_b, symbols, count in [(1.5, 3.0, 400, 1000), (1.5, 3.0, 600, 1000), (1.0, 2.0, 500, 1000),
                                           (2.0, 1.9, 1000, 1000), (0.1, 0.7, 1, 7)]:  # fmt: skip
        got = answer(nats_a, nats_b, symbols, count)
        if got is None:
            return nothing()
        got, right = number(got, "bits a byte"), (nats_a - nats_b * symbols / count) / math.log(2)
        if close(got, right):
            continue
        case = f"{nats_a} nats a byte against {nats_b} a symbol, {symbols} symbols for {count} bytes"
        mistakes = {
            "you compared nats a symbol, and the symbols are not the same": (nats_a - nats_b) / math.log(2),
            "that is in nats": right * math.log(2),
            "that is for the whole text: bits a byte are asked for": right * count,
            "that is the wrong way round: positive if B needs fewer": -right,
            "a symbol has bytes / symbols bytes: divide B's nats by them": (nats_a - nats_b * count / symbols)
            / math.log(2),
        }  # fmt: skip
        return f"{case}: {named(mistakes, got) or f'B saves {right:.4f} bits a byte, you say {got:.4f}'}"
    return None


@exercise(
    "09.5",
    minutes=45,
    asks="a function cheapest(p, reward, target) that returns a tensor (K,)",
    hints=[
        "What does the theorem on the tilted distribution say of all distributions with the same mean reward?",
        "The answer is p · exp(a · reward), normalised, for one number a ≥ 0. How does the mean reward move with a?",
        "It rises with a: bisect. Subtract the largest reward before you take exponentials.",
    ],
    praise="the cost rises towards −log P(best) and no further: that is where best-of-n ends, too",
)
def _cheapest(answer):
    """Targets near both ends, ties among rewards, rewards in hundreds, and negative ones."""
    g = Generator().manual_seed(5)
    p = torch.rand(8, generator=g, dtype=torch.double).softmax(0)
    uneven = torch.tensor([0.9, 0.09, 0.009, 0.001]).double()
    rewards = torch.randn(8, generator=g, dtype=torch.double)
    ties = torch.tensor([0.0, 1, 1, 0, 2, 2, 1, 0]).double()
    cases = [(p, rewards, 0.3), (p, ties, 0.95), (p, 300 * rewards, 0.5), (uneven, torch.arange(4.0).double() - 3, 0.5)]
    for i, (prior, reward, share) in enumerate(cases):
        start, most = (prior * reward).sum().item(), reward.max().item()
        target = start + share * (most - start)
        got = answer(prior.clone(), reward.clone(), target)
        if got is None:
            return nothing()
        got, case = tensor(got, prior.shape, "a distribution"), f"case {i + 1}"
        if not got.isfinite().all():
            return f"{case}: not all is finite: rewards of hundreds overflow an exponential"
        if (got < -1e-9).any() or abs(got.sum().item() - 1) > 1e-6:
            return f"{case}: that is no distribution: it sums to {got.sum():.4f}"
        mean = (got * reward).sum().item()
        if abs(mean - target) > 1e-4 * (most - start):
            if abs(mean - start) < 1e-6 * (most - start):
                return f"{case}: that is p itself; its mean reward is {start:.4f}, not {target:.4f}"
            return f"{case}: its mean reward is {mean:.4f}, and {target:.4f} is asked for"
        low, high = 0.0, 1e5 / (most - reward.min().item())
        for _ in range(200):
            a = (low + high) / 2
            best = (prior.log() + a * (reward - most)).softmax(0)
            low, high = (a, high) if (best * reward).sum() < target else (low, a)
        cost = [torch.special.xlogy(pi, pi / prior).sum().item() for pi in (got, best)]
        if cost[0] > cost[1] + 1e-4:
            return (f"{case}: the mean reward is right, but it costs {cost[0]:.4f} nats, and {cost[1]:.4f} are enough: "
                    "tilt, do not mix or cut")
    return None
