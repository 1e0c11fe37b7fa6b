"""How often does EM reach the best optimum? Our starts and scikit-learn's, the same data, 20 starts each.

    python benchmarks/em_starts.py

A start counts if it ends within 0.01 nats an example of the best that any start of any method found. Both add the same
ridge to every variance, 1e-6 of the mean variance of an entry, and climb until a step gains less than 1e-6 nats.
"""

import argparse
import warnings

import sklearn.datasets
import torch
from sklearn.mixture import GaussianMixture

from dgmhelpers import classical, data

WITHIN = 0.01   # nats an example


def standardised(x) -> torch.Tensor:
    x = torch.as_tensor(x, dtype=torch.double)
    return (x - x.mean(0)) / x.std(0)


def sets() -> dict[str, tuple[torch.Tensor, int]]:
    """Examples and number of components, by name."""
    draw = torch.Generator().manual_seed(0)
    ring = data.toys.get("ring_of_8").sample(800, generator=draw).double()
    grid = data.toys.get("grid_of_25").sample(2500, generator=draw).double()
    digits = data.load("digits8").flat().train.double()[:1000]
    _, _, directions = torch.linalg.svd(digits - digits.mean(0), full_matrices=False)
    return {
        "ring of 8 clusters": (ring, 8),
        "grid of 25 clusters": (grid, 25),
        "iris": (standardised(sklearn.datasets.load_iris().data), 3),
        "wine, standardised": (standardised(sklearn.datasets.load_wine().data), 3),
        "digits, 5 main directions": (standardised(digits @ directions[:5].T), 10),
    }


def ours(x, k, seed, how) -> float:
    model = classical.GaussianMixture(dim=x.shape[1], components=k, ridge=None)
    try:
        model.fit(x, steps=2000, start=how, generator=torch.Generator().manual_seed(seed))
    except ValueError:
        return -torch.inf
    return model.log_prob(x).mean().item()


def theirs(x, k, seed) -> float:
    ridge = 1e-6 * x.var(0, correction=0).mean().item()
    model = GaussianMixture(k, tol=1e-6, reg_covar=ridge, max_iter=2000, random_state=seed)
    return float(model.fit(x.numpy()).score(x.numpy()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--starts", type=int, default=20)
    starts = parser.parse_args().starts
    warnings.simplefilter("ignore")
    methods = {"examples": lambda *a: ours(*a, "examples"), "k-means++": lambda *a: ours(*a, "k-means++"),
               "scikit-learn": theirs}  # fmt: skip
    print(f"{'':26}" + "".join(f"{name:>14}" for name in methods) + f"{'best, nats':>12}")
    for name, (x, k) in sets().items():
        ends = {method: torch.tensor([fit(x, k, seed) for seed in range(starts)]) for method, fit in methods.items()}
        best = max(found.max().item() for found in ends.values())
        reached = [int((found > best - WITHIN).sum()) for found in ends.values()]
        print(f"{name:26}" + "".join(f"{f'{n} of {starts}':>14}" for n in reached) + f"{-best:12.3f}", flush=True)


if __name__ == "__main__":
    main()
