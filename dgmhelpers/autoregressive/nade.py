r"""NADE: the conditionals share one hidden layer, grown one input at a time.

Each conditional is a small network with its own hidden layer, but all those layers use the same weights, so that
the next one is the previous one plus a single column:

.. math::  a_{k+1} = a_k + W_{:,o_k}\, x_{o_k}, \quad a_1 = c, \qquad h_k = \sigma(a_k), \qquad
           p(x_{o_k} = 1 \mid x_{o_{<k}}) = \sigma\big(b_{o_k} + V_{o_k,:}\, h_k\big).

That is D updates of size H for all conditionals together, O(DH), where computing each from scratch takes O(D²H).

Source
    H. Larochelle and I. Murray, "The Neural Autoregressive Distribution Estimator", AISTATS 2011.
Differs
    W is stored by rows, a row of H weights for each input: the transpose of the paper's.
Cost
    ``log_prob``: O(DH) per example, and as much memory as one layer. ``sample``: O(DH) cached, O(D²H) naive.
"""

import torch
from torch import Tensor, nn

from dgmhelpers.arguments import at_least
from dgmhelpers.autoregressive.base import Autoregressive
from dgmhelpers.likelihoods import Bernoulli


class NADE(Autoregressive):
    """Exact density over binary vectors.

    Args:
        dim: number of variables D.
        hidden: size H of the shared hidden layer.
        order: the order of the chain rule, a permutation of 0 … D − 1; raster if not given.
    """

    PAPER = {"dim": 784, "hidden": 500}

    def __init__(self, dim: int = 64, hidden: int = 128, order=None):
        at_least("dim", dim, 1)
        at_least("hidden", hidden, 1)
        super().__init__([dim], Bernoulli(), order, {"dim": dim, "hidden": hidden, "order": order})
        self.W = nn.Parameter(torch.empty(dim, hidden).uniform_(-1, 1) / dim**0.5)  # input to hidden
        self.V = nn.Parameter(torch.empty(dim, hidden).uniform_(-1, 1) / hidden**0.5)  # hidden to output
        self.b = nn.Parameter(torch.zeros(dim))
        self.c = nn.Parameter(torch.zeros(hidden))

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Logit of every conditional at once, shape ``(B, D)``."""
        self._refuse_context(context)
        logits = _SharedHidden.apply(x[:, self.order], self.W[self.order], self.V[self.order], self.c)
        return logits[:, self.order.argsort()] + self.b

    def conditionals(self, n, context=None):
        """The recursion itself: keep ``a``, add a row when a value arrives."""
        self._refuse_context(context)
        a = self.c.repeat(n, 1)                                                    # (n, H)
        for i in self.steps():
            x_i = yield a.sigmoid() @ self.V[i] + self.b[i]                        # (n,)
            a = torch.addcmul(a, x_i[:, None], self.W[i])                          # (n, 1) * (H,)


class _SharedHidden(torch.autograd.Function):
    """``logits[:, k] = V[k] · σ(c + Σ_{j<k} x_j W[j])`` for all k, without storing D hidden layers.

    Plain autograd would keep all ``(B, D, H)`` activations. The backward pass walks the recursion in reverse
    instead, taking off again what each input added, and holds one hidden layer at a time. Where the gradient is itself
    to be differentiated (``create_graph=True``) plain autograd does it, activations and all.
    """

    @staticmethod
    def forward(ctx, x, W, V, c):
        a = c.repeat(len(x), 1)                                                    # (B, H)
        columns = []
        for x_k, W_k, V_k in zip(x.unbind(1), W, V, strict=True):
            columns.append(a.sigmoid() @ V_k)                                      # (B,)
            a.addcmul_(x_k[:, None], W_k)
        ctx.save_for_backward(x, W, V, c, a)
        return torch.stack(columns, 1)                                             # (B, D)

    @staticmethod
    def backward(ctx, grad):
        x, W, V, c, a = ctx.saved_tensors
        grad = grad.to(c.dtype)                                                    # shorter in mixed precision
        if torch.is_grad_enabled():                                                # as it is under create_graph
            return _differentiable_backward(grad, (x, W, V, c), ctx.needs_input_grad)
        a = a.clone()
        grad_a = torch.zeros_like(a)                                               # (B, H), of the a above step k
        grad_x = torch.empty_like(x) if ctx.needs_input_grad[0] else None
        grad_W, grad_V = torch.empty_like(W), torch.empty_like(V)
        for k in reversed(range(x.shape[1])):
            if grad_x is not None:
                grad_x[:, k] = grad_a @ W[k]
            grad_W[k] = x[:, k] @ grad_a
            a.addcmul_(x[:, k, None], W[k], value=-1)                              # back to a_k
            h = a.sigmoid()
            grad_V[k] = grad[:, k] @ h
            grad_a += (grad[:, k, None] * V[k]) * (h * (1 - h))
        return grad_x, grad_W, grad_V, grad_a.sum(0)


def _differentiable_backward(grad, inputs, needed):
    """The same gradients as a graph of their own: by autograd, through the definition of the logits."""
    x, W, V, c = inputs
    added = x[:, :, None] * W                                                      # (B, D, H)
    before = torch.cat([torch.zeros_like(added[:, :1]), added[:, :-1].cumsum(1)], 1)
    logits = ((c + before).sigmoid() * V).sum(2)                                   # (B, D)
    wanted = [tensor for tensor, need in zip(inputs, needed, strict=True) if need]
    found = iter(torch.autograd.grad(logits, wanted, grad, create_graph=True))
    return tuple(next(found) if need else None for need in needed)
