"""04.6, NADE's gradient by hand."""

import torch
from torch import Generator

from dgmhelpers.exercises.chapter_04.shared import weights
from dgmhelpers.exercises.compare import close, named, tensor
from dgmhelpers.exercises.feedback import exercise


@exercise(
    "04.6",
    minutes=60,
    asks="a function gradient(x, W, V, b, c) that returns a tensor (H, D)",
    hints=[
        "The k-th term has the derivative x_k − p_k by its logit, δ_k = (x_k − p_k) V[k] ⊙ h_k ⊙ (1 − h_k) by a_k.",
        "Column k of W is in a_{k+1}, …, a_D, multiplied by x_k: its gradient is x_k times the sum of δ_l over l > k.",
        "Run k from D − 1 down to 0, write x_k times the sum so far, then add δ_k to the sum.",
    ],
    praise="one pass forward, one pass back, and only one hidden layer in memory: this is how the package trains NADE",
)
def _nade_gradient(answer):
    """Against the backward recursion in float64, for three sizes."""
    for seed, (D, H) in enumerate([(5, 3), (7, 4), (1, 2)]):
        W, V, b, c = weights(D, H, 10 + seed)
        x = torch.randint(2, (D,), generator=Generator().manual_seed(seed)).double()
        x[0] = 1.0
        got = answer(x.clone(), W.clone(), V.clone(), b.clone(), c.clone())
        got = tensor(got, W.shape, "a gradient of W's shape")
        before = torch.stack([c + W[:, :k] @ x[:k] for k in range(D)])                          # (D, H)
        h = before.sigmoid()
        p = (b + (V * h).sum(1)).sigmoid()                                                      # (D,)
        delta = (x - p)[:, None] * V * h * (1 - h)                                              # (D, H)
        total = delta.sum(0) - delta.cumsum(0)                                                  # sum over l > k
        right = (x[:, None] * total).T
        if close(got, right):
            continue
        following = torch.cat([delta[1:], torch.zeros_like(delta[:1])])
        flat = (x - p)[:, None] * V
        mistakes = {
            "the sign is wrong: this is the gradient of the negative log-likelihood": -right,
            "the sum starts at l = k: column k does not enter a_k, which knows only the pixels before k": (
                x[:, None] * (total + delta)
            ).T,
            "only the next conditional is counted: column k enters every later hidden layer": (
                x[:, None] * following
            ).T,
            "the factor x_k is missing: a black pixel adds no column, so its column gets no gradient": total.T,
            "the derivative of σ in the hidden layer, h(1 − h), is missing": (
                x[:, None] * (flat.sum(0) - flat.cumsum(0))
            ).T,
        }
        if mistake := named(mistakes, got):
            return mistake
        worst = int((got.double() - right).abs().sum(0).argmax())
        return f"for D = {D}, H = {H} your gradient differs most in column {worst}; autograd will tell you the values"
    return None
