"""03.8, research: an order from the tree of highest mutual information."""

import itertools
import math

import torch
from torch import Generator, Tensor

from dgmhelpers.exercises.compare import listed, parts, whole
from dgmhelpers.exercises.feedback import exercise, nothing


@exercise(
    "03.8",
    minutes=90,
    asks="a function best_tree(joint) that returns D − 1 pairs",
    hints=[
        (
            "Entropies of one and of two bits come from the table by summing over the other axes; "
            "torch.special.entr(p) is −p log p."
        ),
        "Sort all pairs by mutual information, and take them one by one.",
        "Skip a pair if a path already joins its two bits; a list of component numbers is enough to know.",
    ],
    praise="now the open part: does an order from the tree beat raster order on the digits?",
)
def check_tree(answer):
    """Random tables and a chain: a tree, and none of more mutual information."""
    generator = Generator().manual_seed(8)
    chain = torch.tensor([3, 0, 4, 1, 2])
    for D, kind in ((2, "random"), (3, "random"), (5, "chain"), (6, "random")):
        joint = torch.rand([2] * D, generator=generator, dtype=torch.double) ** 3
        if kind == "chain":
            joint = _markov(chain, generator)
        joint /= joint.sum()
        tree = answer(joint.clone())
        if tree is None:
            return nothing("a list of D − 1 pairs (i, j)")
        pairs = [parts(edge, 2, "pairs (i, j)") for edge in listed(tree, "a list of pairs (i, j)")]
        tree = [tuple(sorted((whole(i), whole(j)))) for i, j in pairs]
        if len(tree) != D - 1:
            return f"a tree on {D} bits has {D - 1} edges, yours has {len(tree)}"
        if not _is_tree(tree, D):
            return f"these edges do not make a tree on {D} bits: {tree} has a cycle, or leaves a bit out"
        gain = _mutual_information(joint)
        best = sum(gain[edge] for edge in _spanning_tree(gain, D))
        got = sum(gain[edge] for edge in tree)
        if got < best - 1e-9:
            if abs(got - sum(gain[edge] for edge in _spanning_tree({e: -g for e, g in gain.items()}, D))) < 1e-9:
                return "this is the *worst* tree: take the pairs of highest mutual information first"
            return (
                f"a tree, but not the best: its mutual informations sum to {got:.4f} nats, and {best:.4f} is "
                "possible"
            )
    return None


def _mutual_information(joint) -> dict[tuple[int, int], float]:
    def entropy(*keep):
        others = [k for k in range(joint.ndim) if k not in keep]
        return torch.special.entr(joint.sum(others) if others else joint).sum().item()

    pairs = itertools.combinations(range(joint.ndim), 2)
    return {(i, j): entropy(i) + entropy(j) - entropy(i, j) for i, j in pairs}


def _spanning_tree(gain, D):
    """Edges of the tree of highest total gain (Kruskal)."""
    component, tree = list(range(D)), []
    for i, j in sorted(gain, key=gain.get, reverse=True):
        if component[i] != component[j]:
            component = [component[i] if c == component[j] else c for c in component]
            tree.append((i, j))
    return tree


def _is_tree(edges, D) -> bool:
    known = {(i, j) for i in range(D) for j in range(i + 1, D)}
    return set(edges) <= known and len(_spanning_tree(dict.fromkeys(edges, 1.0), D)) == D - 1


def _markov(order, generator) -> Tensor:
    """A table in which each bit depends on the one before it in ``order`` alone."""
    D = len(order)
    stays = 0.6 + 0.35 * torch.rand(D, generator=generator)
    table = torch.zeros([2] * D, dtype=torch.double)
    for x in itertools.product((0, 1), repeat=D):
        path = [x[i] for i in order.tolist()]
        table[x] = 0.5 * math.prod(
            (stays[k] if a == b else 1 - stays[k]).item() for k, (a, b) in enumerate(itertools.pairwise(path))
        )
    return table
