"""Which densities can be exported to ONNX, and whether they come out the same: one line a model.

    pip install onnx onnxscript onnxruntime
    python benchmarks/onnx_export.py [NAME …]

Each is exported for any size of the batch, and if that cannot be, for one of four. What onnxruntime makes of four (or
twelve) examples is compared with ``log_prob``.
"""

import contextlib
import io
import logging
import sys
import tempfile
import warnings
from pathlib import Path

import onnxruntime
import torch

from dgmhelpers import autoregressive, classical, flows
from dgmhelpers.training import LogProb

EIGHT, THREE, FOUR = {"dim": 8}, {"dim": 3}, {"event_shape": (1, 4, 4), "channels": 4, "layers": 2}


def cases():
    """Name, model and four examples."""
    torch.manual_seed(0)
    bits, real = torch.bernoulli(torch.full((4, 8), 0.5)), torch.randn(4, 3)
    image, text = bits.repeat(1, 2).reshape(4, 1, 4, 4), torch.randint(5, (4, 6))
    return {
        "MADE": (lambda: autoregressive.MADE(hidden=16, **EIGHT), bits),
        "NADE": (lambda: autoregressive.NADE(hidden=6, **EIGHT), bits),
        "FVBN": (lambda: autoregressive.FVBN(**EIGHT), bits),
        "RNADE": (lambda: autoregressive.RNADE(hidden=8, components=2, **THREE), real),
        "PixelCNN": (lambda: autoregressive.PixelCNN(levels=2, **FOUR), image),
        "GatedPixelCNN": (lambda: autoregressive.GatedPixelCNN(levels=2, **FOUR), image),
        "CharRNN": (lambda: autoregressive.CharRNN(length=6, levels=5, hidden=8), text),
        "Gaussian": (lambda: classical.Gaussian(**THREE), real),
        "GaussianMixture": (lambda: classical.GaussianMixture(components=2, **THREE), real),
        "BernoulliMixture": (lambda: classical.BernoulliMixture(components=3, **EIGHT), bits),
        "NICE": (lambda: flows.NICE(**THREE), real),
        "RealNVP": (lambda: flows.RealNVP(**THREE), real),
    }


def exported(model, x: torch.Tensor, path: Path, any_size: bool) -> None:
    """Write the density to a file, in silence."""
    sizes = ({0: torch.export.Dim("B")},) if any_size else None
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        torch.onnx.export(LogProb(model), (x,), dynamo=True, dynamic_shapes=sizes, verbose=False).save(path)


def ran(path: Path, x: torch.Tensor):
    """What onnxruntime makes of examples."""
    session = onnxruntime.InferenceSession(path)
    return session.run(None, {session.get_inputs()[0].name: x.numpy()})[0]


def main(names: list[str]) -> int:
    """The table; 1 if one cannot be exported."""
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    status = 0
    for name, (make, x) in cases().items():
        if names and name not in names:
            continue
        said = "cannot be exported"
        for any_size in (True, False):
            model, many = make().float(), x.repeat(3, *[1] * (x.ndim - 1)) if any_size else x
            try:
                with tempfile.TemporaryDirectory() as folder:
                    exported(model, x, Path(folder) / "density.onnx", any_size)
                    found = ran(Path(folder) / "density.onnx", many)
            except Exception as error:  # the exporter's own kinds are many
                said = f"cannot be exported: {str(error).strip().splitlines()[0][:100]}"
                continue
            off = abs(found - model.log_prob(many).detach().numpy()).max()
            said = f"{'any batch' if any_size else 'a batch of one size'}, off by {off:.1g} nats"
            break
        status |= "cannot" in said
        print(f"{name:18s} {said}", flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
