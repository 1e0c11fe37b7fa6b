"""Laws of the values themselves: one number for each example, and one story of what they are."""

import torch
from torch import Generator, Tensor

from dgmhelpers.laws.subject import Subject
from dgmhelpers.laws.verdict import Verdict, law, not_offered

EXAMPLES = 5        # a number that no usual shape has
COMPARED = 64


@law("scores")
def gives_one_number_each(subject: Subject, generator: Generator) -> Verdict:
    """What is evaluated (log p, a bound, an energy) is one number for each example, ``(B,)``, and a number.

    A mean over the batch, or one number for each variable, would only show as another law's failure further on.
    """
    name, wanted = "gives_one_number_each", f"({EXAMPLES},)"
    what = "log_prob" if subject.log_prob is not None else "the bound" if subject.elbo is not None else "the score"
    x = subject.encode(subject.random_states(EXAMPLES, generator))
    assert subject.scores is not None
    with torch.no_grad():
        found = subject.scores(x)
    if not isinstance(found, Tensor):
        return Verdict(name, False, f"{what} returns a {type(found).__name__}", f"a tensor, {wanted}",
                       "It should return one tensor: one number for each example.")
    if found.numel() != EXAMPLES or len(found) != EXAMPLES:
        if found.numel() == 1:
            why = "It is a mean or a sum over the batch: return a number for each example."
        elif tuple(found.shape) == tuple(x.shape) or tuple(found.shape) == (EXAMPLES, subject.dim):
            why = "It is one number for each variable: sum over the variables."
        else:
            why = "It should be one number for each example."
        return Verdict(name, False, f"{what} of shape {tuple(found.shape)} for {EXAMPLES} examples", wanted, why)
    if found.isnan().any():
        return Verdict(name, False, f"{int(found.isnan().sum())} of {EXAMPLES} values are NaN", "numbers",
                       "It breaks down on ordinary examples: a log of 0 times 0, or a division by 0.")
    return Verdict(name, True, f"{what} of shape {tuple(found.shape)}", wanted, "Each example has its number.")


@law("conditionals", "two forms", redrawn=True)
def conditionals_multiply_to_log_prob(subject: Subject, generator: Generator) -> Verdict:
    """The log_prob that is offered beside the conditionals is the sum of their log-probabilities, at 64 examples."""
    name = "conditionals_multiply_to_log_prob"
    if subject.levels is None:
        return not_offered(name, "the values are real")
    x = subject.random_states(COMPARED, generator)
    ours, said = subject.log_probs(x), subject.log_probs(x, of=subject.stated_log_prob)
    gap = (ours - said).abs().max().item()
    allowed = 10 * subject.slack * (1 + ours.abs().max().item())
    held = gap <= allowed
    meaning = "Both forms tell one density." if held else (
        "log_prob is not the sum of the conditionals' log-probabilities: another order, a shift by one, or a term left "
        "out."
    )
    return Verdict(name, held, f"apart by {gap:.2g} nats", f"{allowed:.1g}", meaning)
