"""05.4, a conditional over levels."""

import torch
from torch import Generator

from dgmhelpers.exercises.compare import close, named, tensor
from dgmhelpers.exercises.feedback import exercise


@exercise(
    "05.4",
    minutes=15,
    asks="a function level_probabilities(x, past, i, W, V, b, c) that returns a tensor (K,)",
    hints=[
        "The hidden layer starts at c and adds one column for each pixel of the past.",
        "Which of the K columns of pixel j? The one of its value: W[j, x[j]].",
        "V[i] is (K, H): one logit for each level. Then a softmax.",
    ],
    praise="a lookup where NADE multiplies; with two levels and zeros for level 0 it is NADE",
)
def _level_probabilities(answer):
    """Pasts of several sizes, the empty one too; what stands outside the past is changed and must not matter."""
    g = Generator().manual_seed(11)
    D, K, H = 6, 4, 5
    W, V = (torch.randn(D, K, H, generator=g, dtype=torch.double) for _ in range(2))
    b, c = (torch.randn(size, generator=g, dtype=torch.double) for size in [(D, K), (H,)])
    for past, i in [([], 2), ([4], 0), ([5, 0, 3], 1), ([0, 1, 2, 4, 5], 3)]:
        x = torch.randint(K, (D,), generator=g)
        got = answer(x.clone(), list(past), i, W.clone(), V.clone(), b.clone(), c.clone())
        got = tensor(got, (K,), "one probability a level")

        def logits(added, start=1.0, squash=torch.sigmoid, bias=b[i], rows=V[i]):
            return bias + rows @ squash(start * c + added.sum(0))

        columns = W[past, x[past]] if past else torch.zeros(0, H, dtype=torch.double)
        right = logits(columns).softmax(-1)
        if close(got, right):
            continue
        everything = W[torch.arange(D), x]
        multiplied = W[past, 1] * x[past, None] if past else columns
        mistakes = {
            "those are the logits: a softmax turns them into probabilities": logits(columns),
            "that is a sigmoid of each logit: the K probabilities must sum to one": logits(columns).sigmoid(),
            "those are the logs of the probabilities": right.log(),
            "the hidden bias c is missing": logits(columns, start=0.0).softmax(-1),
            "the hidden layer is not squashed": logits(columns, squash=lambda a: a).softmax(-1),
            "the pixel itself is in the sum: that is peeking": logits(
                torch.cat([columns, W[i, x[i]][None]])).softmax(-1),
            "every pixel is in the sum, the future too": logits(everything).softmax(-1),
            "a column is multiplied by the value; the value should choose the column": logits(multiplied).softmax(-1),
        }
        return named(mistakes, got) or (
            f"with {len(past)} known pixels p(0) is {right[0]:.4f}, yours is {float(got[0]):.4f}")
    return None
