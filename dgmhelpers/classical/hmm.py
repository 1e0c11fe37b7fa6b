r"""Hidden Markov model over symbols: forward, Viterbi, Baum–Welch.

A chain of K hidden states that nobody sees, and at each step a symbol that its state emits:

.. math::  p(x, z) = \pi_{z_1} B_{z_1 x_1} \prod_{t=2}^{T} A_{z_{t-1} z_t} B_{z_t x_t}, \qquad
           p(x) = \sum_z p(x, z).

The sum has Kᵀ terms, but each step needs only what the last one left,
:math:`\alpha_t(j) = B_{j x_t} \sum_i \alpha_{t-1}(i) A_{ij}`. A maximum in the place of the sum gives the likeliest
path (Viterbi); the same messages from both ends give expected counts, and those EM (Baum–Welch).

Source
    L. Baum, T. Petrie, G. Soules and N. Weiss, "A maximization technique occurring in the statistical analysis of
    probabilistic functions of Markov chains", 1970; L. R. Rabiner, "A tutorial on hidden Markov models", 1989.
Differs
    Messages in logarithms rather than rescaled. A state that is never visited (expected visits below 1e-9) keeps its
    rows: the step still never lowers the likelihood.
Cost
    O(TK²) an example for each of ``log_prob``, ``viterbi``, ``posterior`` and a Baum–Welch step; ``sample``: O(TK).
"""

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from dgmhelpers.arguments import at_least, not_negative
from dgmhelpers.classical.base import Classical, draw, parameter, probabilities, refuse_impossible, some
from dgmhelpers.numerics import logsumexp, single

EMPTY = 1e-9  # expected visits


class HMM(Classical):
    """Exact density over sequences of symbols, of any length.

    ``trace`` lists what Baum–Welch climbed before each step of the last ``fit``: the mean log-likelihood of a sequence
    in nats (plus, with smoothing, the mean log-prior).

    Args:
        length: T of the sequences that ``sample`` draws. ``log_prob`` takes any length: the law of a shorter sequence
            is the marginal of a longer one's.
        states: K.
        levels: number of symbols L.
        start: probabilities of the first state, ``(K,)``; random if not given, as are the others.
        transition: ``(K, K)``, a row for each state that is left.
        emission: ``(K, L)``, a row for each state.

    Raises:
        ValueError: if given probabilities are negative or a row does not sum to one.
    """

    def __init__(self, length: int = 10, states: int = 3, levels: int = 4, start=None, transition=None, emission=None):
        at_least("length", length, 1)
        at_least("states", states, 1)
        at_least("levels", levels, 2)
        super().__init__([length], levels, {"length": length, "states": states, "levels": levels})
        self.states = states
        self.start = parameter(states, spread=0.5)                                     # (K,) logits, as the others
        self.transition = parameter(states, states, spread=0.5)                        # (K, K)
        self.emission = parameter(states, levels, spread=0.5)                          # (K, L)
        self.trace: list[float] = []
        for name, given in {"start": start, "transition": transition, "emission": emission}.items():
            if given is not None:
                given, wanted = probabilities(given, name), getattr(self, name).shape
                if given.shape != wanted:
                    raise ValueError(f"{name} must have shape {tuple(wanted)}, got {tuple(given.shape)}")
                self._set(**{name: given.log()})

    def check(self, x: Tensor, *, look: bool = True) -> Tensor:
        """``x`` as long ``(B, T)``, of any length T ≥ 1."""
        return super().check(x, look=look).long()

    def _check_shape(self, x: Tensor) -> None:
        if x.ndim != 2 or x.shape[1] < 1:
            raise ValueError(f"expected x of shape (B, T), got {tuple(x.shape)}")

    def tables(self) -> tuple[Tensor, Tensor, Tensor]:
        """``log π`` (K,), ``log A`` (K, K) and ``log B`` (K, L)."""
        start, transition, emission = single(self.start), single(self.transition), single(self.emission)
        return start.log_softmax(0), transition.log_softmax(1), emission.log_softmax(1)

    def forward_messages(self, x: Tensor) -> Tensor:
        """``log α_t(k) = log p(x_1 … x_t, z_t = k)``, shape ``(B, T, K)``."""
        return self._forward(self.check(x))

    def backward_messages(self, x: Tensor) -> Tensor:
        """``log β_t(k) = log p(x_{t+1} … x_T | z_t = k)``, shape ``(B, T, K)``."""
        return self._backward(self.check(x))

    def posterior(self, x: Tensor) -> Tensor:
        """``p(z_t = k | x)`` for every step, shape ``(B, T, K)``.

        Raises:
            ValueError: if a sequence has probability zero.
        """
        x = self.check(x)
        alpha = self._forward(x)
        self._refuse_impossible(alpha)
        return (alpha + self._backward(x)).softmax(2)

    def viterbi(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The likeliest path of states, long ``(B, T)``, and ``log p(x, path)``, ``(B,)``."""
        x = self.check(x)
        start, A, B = self.tables()
        best, came = start + B[:, x[:, 0]].T, []                                       # (B, K)
        for t in range(1, x.shape[1]):
            best, before = (best.unsqueeze(2) + A).max(1)                              # (B, K): over the state left
            best = best + B[:, x[:, t]].T
            came.append(before)
        value, state = best.max(1)                                                     # (B,)
        path = [state]
        for before in reversed(came):
            path.append(before.gather(1, path[-1][:, None])[:, 0])
        return torch.stack(path[::-1], 1), value

    @torch.no_grad()
    def fit(
        self, x, *, steps: int = 200, tolerance: float = 1e-6, smoothing: float = 0.0
    ) -> "HMM":
        """Baum–Welch from the present parameters until a step gains less than ``tolerance`` nats a sequence.

        Args:
            x: sequences ``(N, T)``, or a list of vectors of several lengths.
            steps: at most so many.
            smoothing: α, added to every expected count: the maximum then is of the likelihood times a
                Dirichlet(1 + α) prior on each row.

        Raises:
            ValueError: if a sequence has probability zero under the parameters to start from.
        """
        at_least("steps", steps, 1)
        smoothing, self.trace = not_negative("smoothing", smoothing), []
        groups = self._by_length(x)
        for _ in range(steps):
            self.trace.append(self._step(groups, smoothing))
            if len(self.trace) > 1 and self.trace[-1] - self.trace[-2] < tolerance:
                break
        return self

    @torch.no_grad()
    def sample_joint(self, n: int, *, generator: Generator | None = None) -> tuple[Tensor, Tensor]:
        """``n`` sequences and the paths of states behind them, ``(n, T)`` each."""
        self._check_draw(n, generator)
        start, A, B = (table.exp() for table in self.tables())
        z, paths, symbols = draw(start.expand(n, -1), generator), [], []
        for t in range(self.event_shape[0]):
            z = draw(A[z], generator) if t else z
            paths.append(z)
            symbols.append(draw(B[z], generator))
        x = torch.stack(symbols, 1)
        return (x.to(self.dtype) if self.levels == 2 else x), torch.stack(paths, 1)

    def expected_counts(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What Baum–Welch counts, summed over sequences: first states (K,), moves (K, K), emissions (K, L), and
        ``log p`` of each sequence, (B,)."""
        x = self.check(x)
        _, A, B = self.tables()
        alpha, beta = self._forward(x), self._backward(x)
        log_p = self._refuse_impossible(alpha)                                         # (B,)
        visits = (alpha + beta - log_p[:, None, None]).exp()                           # (B, T, K)
        moves = torch.zeros_like(A)
        for t in range(1, x.shape[1]):
            arrive = B[:, x[:, t]].T + beta[:, t] - log_p[:, None]                     # (B, K)
            moves += (alpha[:, t - 1, :, None] + A + arrive[:, None]).exp().sum(0)
        emitted = visits.flatten(0, 1).T @ F.one_hot(x, B.shape[1]).flatten(0, 1).to(visits)
        return visits[:, 0].sum(0), moves, emitted, log_p

    def _step(self, groups, smoothing):
        counts = [self.expected_counts(x) for x in groups]
        first, moves, emitted = (sum(each) for each in list(zip(*counts, strict=True))[:3])
        many = sum(len(x) for x in groups)
        value = sum(each[3].sum() for each in counts).item()
        if smoothing:
            value += smoothing * sum(table.sum() for table in self.tables()).item()
        for name, count in {"start": first, "transition": moves, "emission": emitted}.items():
            seen = count.sum(-1, keepdim=True) > EMPTY                                 # rows that were visited
            count = count + smoothing
            new = (count / count.sum(-1, keepdim=True)).log()
            self._set(**{name: torch.where(seen, new, getattr(self, name))})
        return value / many

    def _by_length(self, x) -> list[Tensor]:
        if isinstance(x, Tensor):
            return [some(self.check(x))]
        found: dict[int, list[Tensor]] = {}
        for i, sequence in enumerate(x):
            sequence = torch.as_tensor(sequence)
            if sequence.ndim != 1 or not len(sequence):
                raise ValueError(f"sequence {i} must be a vector of at least one symbol, got {tuple(sequence.shape)}")
            found.setdefault(len(sequence), []).append(sequence)
        if not found:
            raise ValueError("there is nothing to fit: x holds no sequence")
        return [self.check(torch.stack(same)) for same in found.values()]

    def _forward(self, x):
        start, A, B = self.tables()
        alpha = [start + B[:, x[:, 0]].T]                                              # (B, K)
        for t in range(1, x.shape[1]):
            alpha.append(logsumexp(alpha[-1].unsqueeze(2) + A, 1) + B[:, x[:, t]].T)
        return torch.stack(alpha, 1)

    def _backward(self, x):
        _, A, B = self.tables()
        beta = [torch.zeros(len(x), self.states, dtype=A.dtype, device=A.device)]      # (B, K)
        for t in range(x.shape[1] - 1, 0, -1):
            beta.append(logsumexp(A + (B[:, x[:, t]].T + beta[-1]).unsqueeze(1), 2))
        return torch.stack(beta[::-1], 1)

    def _refuse_impossible(self, alpha):
        return refuse_impossible(logsumexp(alpha[:, -1], 1), "sequence", "this model")

    def _log_prob(self, x):
        return logsumexp(self._forward(x)[:, -1], 1)

    def _sample(self, n, generator):
        return self.sample_joint(n, generator=generator)[0]
