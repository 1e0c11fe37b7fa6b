"""What several recipes say in the same words."""

from collections.abc import Mapping
from typing import Any

QUICK_SET = "binary-digits8"    # stands in for the small binary sets where there is no network
DIGITS = "binary-digits28"      # the embedded digits, thresholded
SMALLER = "ours has fewer than 80,000 parameters and trained for nine epochs at most, on a processor"
DNA_SPLIT = "trained on the public copy's 1,600 / 400 split of the training data, where the papers have 1,400 / 600"


def quick(
    dataset: str, *, steps: int, candidates: tuple[Mapping, ...] = ({},), config: Mapping | None = None, **training
) -> dict[str, Any]:
    """The fields of a recipe that differ in the quick profile: embedded data, few steps, small sizes.

    What comes out says that the machinery works, and is compared with nothing but itself.
    """
    changed = dict(steps=steps, batch_size=64, lr=1e-2, evaluate_every=max(1, steps // 5)) | training
    fields: dict[str, Any] = {"source": dataset, "training": changed, "candidates": tuple(candidates)}
    fields |= {"published": {}, "witness": None}
    if dataset == QUICK_SET:
        fields["size"] = (8, 8)
    return fields | ({"config": config} if config is not None else {})
