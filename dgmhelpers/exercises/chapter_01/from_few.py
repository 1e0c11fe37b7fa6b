"""01.6, a generative model from 100 examples."""

from functools import wraps

import torch
from torch import Generator, Tensor

from dgmhelpers.exercises.compare import parts, plain, tensor
from dgmhelpers.exercises.feedback import exercise, nothing


@exercise(
    "01.6",
    minutes=60,
    asks="a function patches → (log_prob, sample)",
    hints=[
        "a table of relative frequencies gives log 0 to what it has not seen: imagine every image was seen a little",
        "how much is a little? (count + a) / (N + 64 a); try a between 0.01 and 1 by cross-validation",
        "or spread the imagined counts as independent pixels would: a smoothing that knows something",
    ],
    praise="a generative model from 100 examples: it scores, it draws, and it knows something of what it never saw.",
)
def _from_few(build):
    """A density over 64 patches that sums to one, excludes nothing, samples itself, and beats independent pixels."""
    from dgmhelpers import laws

    everything, unseen = _patches("train"), torch.cat([_patches("valid"), _patches("test")])
    for seed in (0, 1, 2):
        few = everything[torch.randperm(len(everything), generator=Generator().manual_seed(seed))[:100]]
        built = build(few.clone())
        if built is None:
            return nothing("the pair (log_prob, sample)")
        log_prob, sample = parts(built, 2, "the pair (log_prob, sample)")
        if not (callable(log_prob) and callable(sample)):
            return "expected two functions, log_prob(x) and sample(n)"
        total = float(sum_of(log_prob))
        if not abs(total - 1) <= 1e-5:
            return f"the probabilities of all 64 images add up to {total:.4g}, not to one: this is no distribution"
        score = tensor(log_prob(unseen), (len(unseen),), "one log-probability a patch")
        if score.isinf().any():
            return (
                f"{int(score.isinf().sum())} of {len(unseen)} held-out patches have probability zero: seen in 100 "
                "examples or not, nothing possible may be called impossible"
            )
        nats, rival = -score.mean().item(), independent_nats(few, unseen)
        report = laws.audit(log_prob=_plain(log_prob), sample=_plain(sample), event_shape=(2, 3), levels=2)
        verdict = report["sampler_matches_density"]
        if verdict.held is not True:
            return f"the sampler does not draw what log_prob says ({verdict.measured})"
        if nats >= rival:
            return (
                f"{nats:.3f} nats on held-out patches, no better than independent pixels ({rival:.3f}): "
                "use how pixels occur together"
            )
    return None


def _plain(function):
    """The same function, with tensors for whatever it returns."""
    return wraps(function)(lambda *a, **k: torch.as_tensor(plain(function(*a, **k))))


def _patches(split: str) -> Tensor:
    """The middle 2 × 3 pixels of every binary digit, ``(N, 2, 3)``, float64."""
    from dgmhelpers import data

    return data.load("binary-digits8").split(split)[:, 0, 3:5, 2:5].double()


def independent_nats(few: Tensor, x: Tensor) -> float:
    """Mean −log p of ``x`` if pixels are independent, with one imagined white and one black pixel added to each."""
    white = (few.sum(0) + 1) / (len(few) + 2)
    return -(x * white.log() + (1 - x) * (1 - white).log()).sum((1, 2)).mean().item()


def sum_of(log_prob) -> Tensor:
    """Σ p over all 64 binary images of 2 × 3 pixels."""
    images = torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=torch.double)] * 6).reshape(64, 2, 3)
    return tensor(log_prob(images), (64,), "one log-probability a patch").exp().sum()
