"""The clock of the benchmarks: the median of several runs after one that does not count."""

import statistics
import time

import torch


def median_seconds(work, device: str, repeats: int = 5) -> float:
    """Median wall-clock seconds of ``work()``, waiting for an accelerator to finish."""

    def finished():
        work()
        if device.startswith("cuda"):
            torch.cuda.synchronize()

    finished()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        finished()
        times.append(time.perf_counter() - start)
    return statistics.median(times)
