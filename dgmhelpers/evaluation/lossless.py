r"""What a lossless coder of sound takes: a fixed predictor and Golomb–Rice codes, as in Shorten and FLAC's fixed mode.

Each block of levels is predicted by a polynomial of order 0 to 3 through the samples before it, and the errors are
written by a Rice code of parameter r: an error e, folded to :math:`u = 2|e| - [e < 0]`, takes
:math:`\lfloor u / 2^r \rfloor + 1 + r` bits. Order and r are the best of each block and are written with it. The bits
are counted, not written.

Source
    T. Robinson, "SHORTEN: simple lossless and near-lossless waveform compression", 1994.
"""

import torch
from torch import Tensor

HEADER = 2 + 4      # bits of a block: which of four predictors, which of sixteen parameters


def rice_bits(levels: Tensor, block: int = 256) -> int:
    """Bits of a vector of whole numbers, ``(T,)``: the best predictor and Rice parameter for each block."""
    if levels.ndim != 1 or levels.is_floating_point() or not len(levels):
        raise ValueError(f"expected a vector of whole numbers, got {levels.dtype} {tuple(levels.shape)}")
    errors, rows = levels.long(), []
    for _ in range(4):                                             # differences: polynomials of order 0, 1, 2, 3
        rows.append(errors)
        errors = torch.cat([errors[:1], errors.diff()])
    folded = torch.stack([2 * e.abs() - (e < 0).long() for e in rows])                         # (4, T)
    r = torch.arange(16)[:, None, None]
    each = (folded >> r) + 1 + r                                                               # (16, 4, T)
    return sum(int(part.sum(-1).min()) + HEADER for part in each.split(block, dim=-1))
