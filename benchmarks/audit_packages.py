"""Audits models of other packages: flows of zuko and nflows, GPT-2 of transformers with random weights.

    python benchmarks/audit_packages.py [FOLDER]

It makes a virtual environment in FOLDER (a temporary one by default, outside of the checkout), installs the packages
there from your registry, and runs the audits in it. An audit must hold, and end within 30 seconds.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ["torch==2.13.0", "zuko==1.6.0", "nflows==0.14", "transformers==5.24.0", "accelerate", "safetensors",
            "tqdm"]
SECONDS = 30


def main() -> int:
    """Install and audit, or audit, inside of the environment; 1 if one did not hold or took too long."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, help="of the environment; a temporary one by default")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.inside:
        return audits()
    if arguments.folder is not None:
        return install_and_run(arguments.folder.expanduser().resolve())
    with tempfile.TemporaryDirectory() as folder:
        return install_and_run(Path(folder))


def install_and_run(folder: Path) -> int:
    """The environment, if it is not there, and this script in it."""
    if ROOT in (folder, *folder.parents):
        raise SystemExit(f"{folder} is inside of the checkout: name a folder elsewhere")
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run([str(python), __file__, "--inside"], env=environment).returncode


def zuko_flows():
    """Flows of zuko: called, they give a distribution of torch."""
    import torch
    import zuko

    for name in ("MAF", "NSF", "NICE"):
        torch.manual_seed(0)
        flow = getattr(zuko.flows, name)(features=2, transforms=2, hidden_features=(16,))
        yield f"zuko {name}, 2 variables", {"model": flow(), "modules": [flow]}
    torch.manual_seed(0)
    flow = zuko.flows.MAF(features=5, transforms=3, hidden_features=(16,))
    yield "zuko MAF, 5 variables", {"model": flow(), "modules": [flow]}
    mixture = zuko.flows.GMM(features=2, components=3)
    yield "zuko GMM, 2 variables", {"model": mixture(), "modules": [mixture]}


def nflows_flows():
    """Flows of nflows: modules with log_prob and sample."""
    import torch
    from nflows.distributions import StandardNormal
    from nflows.flows import Flow, MaskedAutoregressiveFlow, SimpleRealNVP
    from nflows.transforms import CompositeTransform, MaskedAffineAutoregressiveTransform, ReversePermutation

    methods = {"log_prob": "log_prob", "sample": "sample"}
    for kind in (MaskedAutoregressiveFlow, SimpleRealNVP):
        torch.manual_seed(0)
        flow = kind(features=2, hidden_features=16, num_layers=2, num_blocks_per_layer=1)
        yield f"nflows {kind.__name__}, 2 variables", {"model": flow.eval(), "methods": methods, "event_shape": (2,)}
    torch.manual_seed(0)
    steps = [each for _ in range(2) for each in (ReversePermutation(5), MaskedAffineAutoregressiveTransform(5, 16))]
    flow = Flow(CompositeTransform(steps), StandardNormal([5]))
    yield "nflows affine autoregressive, 5 variables", {"model": flow.eval(), "methods": methods, "event_shape": (5,)}


def gpt2():
    """GPT-2 of transformers: four tokens, random weights; with its own loss and its own generate."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    from dgmhelpers import laws

    torch.manual_seed(0)
    # 0.2 as the scale of its weights, ten times GPT-2's own, so that the tokens differ
    config = GPT2Config(vocab_size=5, n_positions=8, n_embd=16, n_layer=2, n_head=2, initializer_range=0.2,
                        bos_token_id=0, eos_token_id=None, pad_token_id=0)
    model = GPT2LMHeadModel(config).eval()
    yield "transformers GPT-2, 5 tokens, 4 places", laws.causal_lm(model, vocab=5, length=4)
    cut = laws.causal_lm(model, vocab=5, length=4, generate={"do_sample": True, "top_k": 3})
    yield "the same, generate(top_k=3): must be caught", cut


def audits() -> int:
    """One line for each model, its report if it is not what it should be."""
    import logging

    from dgmhelpers import laws

    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    failed = 0
    for source in (zuko_flows, nflows_flows, gpt2):
        for name, told in source():
            begun = time.perf_counter()
            report = laws.audit(**told, seconds=SECONDS)
            took = time.perf_counter() - begun
            right = bool(report.broken) == ("must be caught" in name) and took < SECONDS
            right = right and (report.held or "must be caught" in name)
            failed += not right
            print(f"{'ok' if right else 'NOT':3} {name}: {str(report).splitlines()[0].split(': ')[1]}, {took:.1f} s",
                  flush=True)
            if not right or report.broken:
                print(report, flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
