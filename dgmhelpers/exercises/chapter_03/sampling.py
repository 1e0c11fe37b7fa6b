"""03.3, the mask of an order, and 03.4, ancestral sampling."""

import torch
from torch import Generator, Tensor

from dgmhelpers.exercises.compare import mask, tensor
from dgmhelpers.exercises.feedback import exercise, nothing
from dgmhelpers.masks import past


@exercise(
    "03.3",
    minutes=15,
    asks="a function mask_of(order) that returns a D × D boolean mask",
    hints=[
        "Take the order 1, 2, 0. In which step is pixel 0 asked? And what is order[0]?",
        "order maps steps to pixels. You need the map from pixels to steps.",
        "With the step of each pixel in a tensor, compare it with itself, once as a column and once as a row.",
    ],
    praise="`argsort` inverts a permutation. Test masks on orders that are not their own inverse",
)
def check_mask(answer):
    """Orders that are their own inverse and orders that are not, which is where ``order`` and its inverse part."""
    for order in ([0, 1, 2, 3], [3, 2, 1, 0], [1, 2, 0], [2, 0, 3, 1], [4, 1, 7, 0, 8, 3, 5, 2, 6]):
        order = torch.tensor(order)
        got = answer(order)
        if got is None:
            return nothing("a D × D boolean mask")
        right = past(order)
        got = mask(got, right.shape, f"for {len(order)} pixels a mask")
        if torch.equal(got, right):
            continue
        name = order.tolist()
        if got.diagonal().any():
            return f"in the order {name} a pixel may see itself: the diagonal has to be empty"
        if torch.equal(got, torch.ones_like(right).tril(-1)):
            return f"that is the raster order's mask; for {name} it has to be another one"
        if torch.equal(got, right.T):
            return f"in the order {name} rows and columns are swapped: row i says what pixel i may look at"
        if torch.equal(got, order[None, :] < order[:, None]):
            return (
                f"that is the mask with the bug. In the order {name} it compares which pixel is asked in "
                "step i with which "
                "is asked in step j; compare *when* pixel i and pixel j are asked"
            )
        return (
            f"wrong for the order {name}: row {order[0]} should be empty, and row {order[-1]} full but for "
            "the diagonal"
        )
    return None


@exercise(
    "03.4",
    minutes=20,
    asks="a function ancestral(W, b, order, u) that returns images",
    hints=[
        "One loop over the order. Within it: one sum, one logistic function, one comparison.",
        "The sum runs over the pixels drawn so far; those not drawn yet may be zero in x.",
        "u[:, k] belongs to step k, and the bit it decides is x[:, order[k]].",
    ],
    praise=(
        "the same numbers u and the same weights give the same images for ever: that is how a sampler is "
        "tested"
    ),
)
def check_ancestral(answer):
    """The same uniform numbers, weights and order must give the same bits."""
    generator = Generator().manual_seed(4)
    for D, order in ((1, [0]), (5, [0, 1, 2, 3, 4]), (6, [2, 5, 0, 3, 1, 4])):
        W = 2 * torch.randn(D, D, generator=generator, dtype=torch.double)
        b = torch.randn(D, generator=generator, dtype=torch.double)
        u = torch.rand(200, D, generator=generator, dtype=torch.double)
        order = torch.tensor(order)
        got = answer(W, b, order, u)
        if got is None:
            return nothing("the images, of the shape of u")
        got = tensor(got, u.shape, "images")
        if not ((got == 0) | (got == 1)).all():
            return "images are zeros and ones: compare u with the probability, do not return the probability"
        right = _ancestral(W, b, order, u)
        if torch.equal(got, right):
            continue
        if torch.equal(got, 1 - right) or torch.equal(got, _ancestral(W, b, order, u, flip=True)):
            return "the comparison is the wrong way round: the bit is 1 with probability p, so where u < p"
        alone = torch.sigmoid(b)
        if any(torch.equal(got, (v < alone).double()) for v in (u, u[:, order.argsort()])):
            return (
                "every bit is drawn from its bias alone: the sum over bits that are drawn already is missing"
            )
        if torch.equal(got, _ancestral(W, b, order, torch.full_like(u, 0.5))):
            return "you take the likelier value at every step. That is one image, not a draw: compare with u"
        if torch.equal(got, _ancestral(W, b, torch.arange(D), u)):
            return f"you draw in raster order, and the order is {order.tolist()}"
        by_position = torch.empty_like(u)
        by_position[:, :] = u[:, order]
        if torch.equal(got, _ancestral(W, b, order, by_position)):
            return "in step k use u[:, k]; you use u[:, i], where i is the pixel"
        if torch.equal(got, _ancestral(W.T, b, order, u)):
            return "rows and columns of W are swapped: W[i, j] is what pixel i makes of pixel j"
        return (
            f"wrong in the order {order.tolist()}: in step k, p = σ(b_i + Σ_j W_ij x_j) with i = order[k] "
            "and the bits drawn so far"
        )
    return None


def _ancestral(W, b, order, u, flip: bool = False) -> Tensor:
    x = torch.zeros_like(u)
    for k, i in enumerate(order.tolist()):
        p = torch.sigmoid(b[i] + x @ W[i])
        x[:, i] = ((u[:, k] >= p) if flip else (u[:, k] < p)).double()
    return x
