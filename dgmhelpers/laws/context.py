"""The law of conditional models: a context is looked at before it is used."""

import torch
from torch import Generator

from dgmhelpers.laws.subject import Subject
from dgmhelpers.laws.verdict import Verdict, law

EXAMPLES = 3


@law("context")
def refuses_wrong_contexts(subject: Subject, generator: Generator) -> Verdict:
    """A context that cannot be one (missing, of another shape, kind or range) is a ValueError that says so.

    A class out of range that is wrapped around, or a missing one that is taken for zero, is another condition than was
    asked for, and nothing would show it.
    """
    assert subject.conditional is not None
    model, about = subject.conditional
    x = subject.encode(subject.random_states(EXAMPLES, generator))
    right = torch.stack([about.row(i) for i in range(EXAMPLES)])
    tries = {"sample": lambda context: model.sample(EXAMPLES, context=context)}
    if subject.log_prob is not None:
        tries["log_prob"] = lambda context: model.log_prob(x, context)
    accepted = []
    for method, call in tries.items():
        call(right)
        for what, wrong in about.wrong(EXAMPLES).items():
            try:
                call(wrong)
            except (ValueError, TypeError):
                continue
            accepted.append(f"{method} takes {what}")
    held, count = not accepted, len(tries) * len(about.wrong(EXAMPLES))
    meaning = "What is no context is refused." if held else "A context that cannot be one is used all the same."
    measured = f"{count - len(accepted)} of {count} refused" + (f": {accepted[0]}" if accepted else "")
    return Verdict("refuses_wrong_contexts", held, measured, "all", meaning)
