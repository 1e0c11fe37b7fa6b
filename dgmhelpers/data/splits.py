"""A split that is the same on every machine and with every version of every library.

Random generators promise less than one thinks about their streams from version to version. A cryptographic
hash promises everything: example i takes its place in the order of sha256("i").
"""

from hashlib import sha256

import numpy as np


def permutation(n: int) -> np.ndarray:
    """The numbers 0 to n - 1 in the order of the sha256 of their decimal digits."""
    return np.array(sorted(range(n), key=lambda i: sha256(str(i).encode()).digest()), dtype=np.int64)


def split(n: int, valid: int, test: int) -> dict[str, np.ndarray]:
    """Indices of the three splits: the permutation's first ``test``, then ``valid``, then all the rest."""
    order = permutation(n)
    return {"train": order[test + valid :], "valid": order[test : test + valid], "test": order[:test]}
