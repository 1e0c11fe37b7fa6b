"""Checkers for chapter 06, PixelRNN and PixelCNN."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from dgmhelpers import masks
from dgmhelpers.autoregressive.diagonal_bilstm import skew
from dgmhelpers.exercises.compare import close, listed, mask, parts, tensor, whole
from dgmhelpers.exercises.feedback import exercise, nothing


@exercise(
    "06.1",
    minutes=10,
    asks="a function steps(height, width, layers) that returns three whole numbers",
    hints=[
        "Within one layer, what has to be finished before what? In a convolution, nothing.",
        "Row LSTM: a row waits for the row above. Diagonal BiLSTM: a diagonal waits for the one before.",
        "An image of H rows and W columns has H + W − 1 diagonals. Every layer waits for the one below.",
    ],
    praise="a convolution's steps do not grow with the image: that is why it trains fastest",
)
def _steps(answer):
    """Four shapes of image and numbers of layers, and the slips: rows for columns, one diagonal too many."""
    for H, W, L in [(28, 28, 7), (3, 10, 2), (5, 2, 1), (1, 1, 4)]:
        got = answer(H, W, L)
        if got is None:
            return nothing()
        cnn, row, diagonal = map(whole, parts(got, 3, "three numbers (PixelCNN, Row LSTM, Diagonal BiLSTM)"))
        case = f"for {H} × {W} pixels and {L} layers"
        if cnn != L:
            if cnn == L * H * W:
                return f"{case}: that is PixelCNN's sampling; in one pass no place waits for another"
            return f"{case}: PixelCNN's places do not wait for each other, its layers do; you say {cnn}"
        if row != L * H:
            if row == H:
                return f"{case}: a layer of the Row LSTM needs all rows of the one below: multiply by the layers"
            if row == L * W:
                return f"{case}: Row LSTM goes from row to row, so it is the height that counts"
            return f"{case}: Row LSTM takes one step a row and layer; you say {row}"
        if diagonal != L * (H + W - 1):
            if diagonal == L * (H + W):
                return f"{case}: count the diagonals once more; or did you count the added column?"
            if diagonal == 2 * L * (H + W - 1):
                return f"{case}: the two directions do not wait for each other, they run side by side"
            if diagonal == L * H * W:
                return f"{case}: pixels of one diagonal do not wait for each other"
            return f"{case}: Diagonal BiLSTM takes one step a diagonal and layer; you say {diagonal}"
    return None


@exercise(
    "06.2",
    minutes=20,
    asks="a function colour_mask(receivers, senders, kernel, kind) that returns a boolean tensor",
    hints=[
        "Before the centre, in the rows above and to the left, colours do not matter.",
        "Only at the centre do they: compare receivers[:, None] with senders[None, :].",
        'Mask A: sender < receiver. Mask B: sender ≤ receiver.',
    ],
    praise="MADE's two inequalities, at one place of a kernel",
)
def _colour_mask(answer):
    """Masks A and B for several assignments of channels to colours and sizes of kernel."""
    cases = [([0, 1, 2], [0, 1, 2], 3), ([0, 0, 1, 1, 2, 2], [0, 1, 2], 5), ([0, 1, 2, 0], [2, 1, 0], 1)]
    for receivers, senders, kernel in cases:
        for kind in "AB":
            got = answer(list(receivers), list(senders), kernel, kind)
            if got is None:
                return nothing()
            shape, half = (len(receivers), len(senders), kernel, kernel), kernel // 2
            got = mask(got, shape, "a mask (outputs, inputs, kernel, kernel)")
            case = f"mask {kind}, kernel {kernel}"
            after = torch.ones(kernel, kernel, dtype=torch.bool)
            after[:half], after[half, : half + 1] = False, False
            if got[:, :, after].any():
                return f"{case}: something after the centre is visible, which is the future"
            before = ~after
            before[half, half] = False
            if not got[:, :, before].all():
                return f"{case}: before the centre every colour may see every colour"
            right = masks.may_see(torch.tensor(receivers), torch.tensor(senders), strict=kind == "A")
            centre = got[:, :, half, half]
            if not torch.equal(centre, right):
                exchanged = masks.may_see(torch.tensor(receivers), torch.tensor(senders), strict=kind == "B")
                if torch.equal(centre, exchanged):
                    return f"{case}: A and B are exchanged at the centre"
                if kind == "A" and not centre.any():
                    return f"{case}: at the centre G may still see R, and B may see R and G"
                if kind == "B" and centre.all():
                    return f"{case}: at the centre R must not see features of G and B of the same pixel"
                return f"{case}: at the centre, compare the colours of receiver and sender"
    return None


@exercise(
    "06.3",
    minutes=20,
    asks="a function skew_left(x) that returns a tensor (H, H + W − 1)",
    hints=[
        "Write down a 2 × 3 example: the last row begins in column 0, the first in column 1.",
        "Row r begins in column H − 1 − r.",
        "With the package's skew: flip the columns, skew, flip back.",
    ],
    praise="and with it the LSTM from the right needs no flipping",
)
def _skew_left(answer):
    """Against the skew to the right, mirrored, on images wider than high and higher than wide."""
    for H, W in [(3, 4), (4, 2), (1, 5), (5, 1)]:
        x = torch.arange(1.0, H * W + 1).reshape(H, W)
        got = answer(x.clone())
        if got is None:
            return nothing()
        got = tensor(got, (H, H + W - 1), f"for {H} × {W} a tensor")
        right = skew(x.flip(1)).flip(1)
        if close(got, right):
            continue
        if close(got, skew(x)):
            return "that is the skewing to the right: each row must begin further left than the row above"
        if close(got, skew(x.flip(1))):
            return "the rows are mirrored: flip back after skewing"
        if close(got, skew(x).flip(1)):
            return "each row begins where it should, with its values mirrored: flip before skewing, and back after it"
        if close(got, skew(x.flip(0)).flip(1)) or close(got, skew(x.flip(0))):
            return "the rows are upside down: the first row of x stays the first"
        if close(got, torch.stack([row.roll(-1) for row in right])) and H > 1:
            return "every row begins one column too far left: the last row begins in column 0"
        row = int((got != right).any(1).nonzero()[0])
        return f"for {H} × {W} row {row} of x should begin in column {H - 1 - row}, with zeros around it"
    return None


@exercise(
    "06.4",
    minutes=15,
    asks="a function row_blind(row, column, width) that returns a whole number",
    hints=[
        "From one row above, the rightmost column seen is column + 1; from two above, column + 2.",
        "u rows above there are width − 1 − column columns to the right, of which u are seen.",
        "Sum max(0, width − 1 − column − u) over u = 1 … row.",
    ],
    praise="chapter 07 proves the same number for PixelCNN, and then makes it zero",
)
def _row_blind(answer):
    """Against the count row by row, at the borders too, where the triangle is cut."""
    for row, column, width in [(5, 3, 9), (0, 0, 7), (2, 0, 6), (20, 1, 6), (3, 8, 9)]:
        got = answer(row, column, width)
        if got is None:
            return nothing()
        got = whole(got)
        right = sum(max(0, width - 1 - column - u) for u in range(1, row + 1))
        if got == right:
            continue
        case = f"for row {row}, column {column}, width {width}"
        if got == sum(width - 1 - column - u for u in range(1, row + 1)):
            return f"{case}: where the triangle has reached the edge nothing is hidden, not a negative number"
        if got == sum(max(0, width - column - u) for u in range(1, row + 1)):
            return f"{case}: one too many a row. Is the last column width − 1, and the first row above u = 1?"
        if got == sum(max(0, width - 1 - column - u) + max(0, column - u) for u in range(1, row + 1)):
            return f"{case}: on the left nothing is hidden: with enough layers the row itself is seen to its left end"
        return f"{case}: count, row by row above, the columns to the right less those seen: {right}; you say {got}"
    return None


@exercise(
    "06.5",
    minutes=20,
    asks="a function cooled(p, tau) that returns two 2 × 2 tensors",
    hints=[
        "Dividing logits by τ raises a distribution to the power 1/τ and normalises it again.",
        "Ancestral: do that to p(x₁), the sums of the rows, and to each row's p(x₂ | x₁). Then multiply.",
        "Joint: do it to the whole table at once.",
    ],
    praise="so a cold sample is not the likeliest image: it is a chain of likeliest steps",
)
def _cooled(answer):
    """Tables with and without zeros at four temperatures: cooled at once, and question by question."""
    tables = [[[0.3, 0.3], [0.4, 0.0]], [[0.1, 0.2], [0.3, 0.4]], [[0.25, 0.05], [0.05, 0.65]]]
    for table in tables:
        p = torch.tensor(table, dtype=torch.double).clamp(min=1e-9)
        p = p / p.sum()
        for tau in (1.0, 0.5, 0.2, 2.0):
            got = answer(p.clone(), tau)
            if got is None:
                return nothing()
            got = [tensor(each, (2, 2)) for each in parts(got, 2, "two tensors: ancestral, joint")]
            ancestral, joint = _ancestral(p, tau), _power(p.flatten(), tau).reshape(2, 2)
            case = f"at temperature {tau:g}"
            if close(got[0], joint) and close(got[1], ancestral) and not close(ancestral, joint):
                return f"{case}: the two are exchanged; ancestral comes first"
            if not close(got[1], joint):
                if close(got[1], p**tau / (p**tau).sum()):
                    return f"{case}: the joint is raised to 1/τ, not to τ"
                if not close(got[1].sum(), torch.tensor(1.0)):
                    return f"{case}: the joint does not sum to one: normalise it"
                return (
                    f"{case}: the joint one is the whole table to the power 1/τ, made to sum to one; yours is "
                    "another"
                )
            if not close(got[0], ancestral):
                if close(got[0], joint):
                    return f"{case}: the first is the joint one; ancestral sampling cools each conditional by itself"
                if close(got[0], p.sum(1, keepdim=True) * _power(p / p.sum(1, keepdim=True), tau)):
                    return f"{case}: the first pixel is drawn at temperature τ as well"
                if close(got[0], _ancestral(p.T, tau).T):
                    return f"{case}: x₁ is drawn first; its values are the rows"
                return (
                    f"{case}: the ancestral one is p(x₁) cooled, times each p(x₂ | x₁) cooled by itself; yours is "
                    "another"
                )
    return None


@exercise(
    "06.6",
    minutes=60,
    asks="a tensor (N, 1, 3, 6) of at most 8 different binary images",
    hints=[
        "What does the first pixel of a row not see of the row above?",
        "Copy a random bit from the last column of one row to the first column of the next: log 2 is lost.",
        "Do it with two independent bits; see that no copy can be guessed from anything that is seen.",
    ],
    praise="no training, no depth and no width could have helped: it is not in the window",
)
def _hurtful(answer):
    """At most eight images on which the best model with the blind spot pays log 4 above the entropy."""
    answer = tensor(answer, (len(listed(answer, "a tensor (N, 1, 3, 6)")), 1, 3, 6), "images")
    if not 1 <= len(answer) <= 8:
        return f"between 1 and 8 images, got {len(answer)}"
    if not ((answer == 0) | (answer == 1)).all():
        return "the images must be binary: 0 and 1"
    x = answer.long().flatten(1)
    if len(x.unique(dim=0)) < len(x):
        return "two of the images are equal: all must be different"
    lost = excess(x, 3, 6)
    if lost >= 2 * math.log(2) - 1e-9:
        return None
    if lost < 1e-9:
        return "a model with the blind spot pays nothing more: whatever a pixel depends on, it can see"
    return f"the blind spot costs {lost:.3f} nats here, and {2 * math.log(2):.3f} are asked for"


def excess(x: Tensor, height: int, width: int) -> float:
    """Nats above the entropy that the best model with 3 × 3 kernels pays on equally likely images ``x``, ``(N, D)``.

    The best conditional given what is seen is the frequency among the images that agree there.
    """
    up, right = masks.offsets(height, width)
    seen = masks.past(torch.arange(height * width)) & (right <= torch.where(up > 0, up, -1))
    cost = 0.0
    for i, sees in enumerate(seen):
        same = (x[:, None, sees] == x[None, :, sees]).all(-1)                      # (N, N): agree on what is seen
        agree = (same & (x[:, None, i] == x[None, :, i])).sum(1)
        cost -= (agree.double() / same.sum(1)).log().mean().item()
    return cost - math.log(len(x))


def _ancestral(p: Tensor, tau: float) -> Tensor:
    first = p.sum(1)
    return _power(first, tau)[:, None] * _power(p / first[:, None], tau)


def _power(p: Tensor, tau: float) -> Tensor:
    return F.softmax(p.log() / tau, -1)
