"""Byte-pair encoding: the commonest pair of neighbours becomes a symbol of its own, again and again.

Source
    P. Gage, "A new algorithm for data compression", The C Users Journal 1994; for words R. Sennrich, B. Haddow and
    A. Birch, "Neural machine translation of rare words with subword units", ACL 2016.
Differs
    Pairs may cross words, as the text is one stream of bytes; so a merge can make a symbol of "e t".
"""

from collections import Counter

import torch
from torch import Tensor

from dgmhelpers.arguments import at_least

__all__ = ["decode", "encode", "learn"]

Pair = tuple[int, int]
BYTES = 256


def learn(text: str, count: int) -> list[Pair]:
    """At most ``count`` merges, the commonest pair first; a tie goes to the pair that comes first. Symbol 256 + i is
    pair i.

    A text in which no pair occurs twice has no more.
    """
    symbols = list(text.encode())
    merges: list[Pair] = []
    for _ in range(at_least("count", count, 0)):
        pairs = Counter(zip(symbols, symbols[1:], strict=False))
        pair, times = max(pairs.items(), key=lambda item: item[1], default=((0, 0), 0))
        if times < 2:
            break
        symbols = _merge(symbols, pair, BYTES + len(merges))
        merges.append(pair)
    return merges


def encode(text: str, merges: list[Pair]) -> Tensor:
    """Symbols of a text, ``long``: its bytes, merged in the order in which the merges were learnt."""
    symbols = list(text.encode())
    for i, pair in enumerate(merges):
        symbols = _merge(symbols, pair, BYTES + i)
    return torch.tensor(symbols, dtype=torch.long)


def decode(symbols: Tensor, merges: list[Pair]) -> str:
    """The text of symbols; what is no text in UTF-8 is replaced."""
    spelt = [bytes([i]) for i in range(BYTES)]
    for a, b in merges:
        spelt.append(spelt[a] + spelt[b])
    return b"".join(spelt[i] for i in symbols.tolist()).decode(errors="replace")


def _merge(symbols: list[int], pair: Pair, new: int) -> list[int]:
    """The symbols with each occurrence of a pair, from left to right, as one."""
    merged: list[int] = []
    for symbol in symbols:
        if merged and (merged[-1], symbol) == pair:
            merged[-1] = new
        else:
            merged.append(symbol)
    return merged
