"""What surrounds a training loop: a Ctrl-C that waits for the end of a step, arithmetic that does not crawl, and words.

The words are those for a run that broke down, and for one that was interrupted.
"""

import contextlib
import signal
import threading
import warnings

import torch
from torch import nn

CHECK_EVERY = 100   # steps between looks at the loss where looking means waiting for the device


class TrainingDiverged(RuntimeError):
    """The loss stopped being a number. The model holds the last weights known to be good.

    Attributes:
        step: the step whose loss was not finite, counted from 1.
        lr: the learning rate of that step.
        last_loss: the last finite training loss, or None if there was none.
        good_step: the step after which the model's present weights were taken (0: as it was given).
    """

    def __init__(
        self, step: int, lr: float, loss: float, last_loss: float | None, good_step: int, what="loss",
        advice="Lower lr, lengthen warmup or set clip",
    ):
        self.step, self.lr, self.last_loss, self.good_step = step, lr, last_loss, good_step
        before = "no loss was finite before it" if last_loss is None else f"the last finite loss was {last_loss:.6g}"
        super().__init__(
            f"training diverged at step {step} (learning rate {lr:.3g}): the {what} is {loss}; {before}. The model "
            f"holds its weights of step {good_step}. {advice}"
        )


def random_state_kept(device: torch.device):
    """A context that puts PyTorch's own random state back when it is left."""
    return torch.random.fork_rng([device] if device.type == "cuda" else [])


@contextlib.contextmanager
def no_denormals():
    """Treat numbers below 1e-38 as zero: Adam's moments of a weight without gradient sink there, and CPUs crawl."""
    already = (torch.tensor(1e-39) * 1).item() == 0
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(already)


@contextlib.contextmanager
def sound_convolutions(model: nn.Module, device: torch.device, precision: str):
    """On a CPU in bfloat16, convolutions without oneDNN.

    Where an image is smaller than the kernel, its gradients of the weights hold memory that was never written (oneDNN
    in torch 2.13: NaN in 250 of 300 trials with 1 × 1 images and 3 × 3 kernels, none without it).
    """
    convolves = any(isinstance(part, nn.modules.conv._ConvNd) for part in model.modules())
    if device.type != "cpu" or precision == "no" or not convolves:
        yield
        return
    with warnings.catch_warnings():                      # setting its flags tells of Intel's GPUs
        warnings.simplefilter("ignore", UserWarning)
        without = torch.backends.mkldnn.flags(enabled=False)
        without.__enter__()
    try:
        yield
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            without.__exit__(None, None, None)


class Interrupts:
    """While this is entered, a first Ctrl-C waits for the step to end; a second one does not."""

    def __enter__(self):
        self.pending = self.installed = False
        if threading.current_thread() is threading.main_thread():
            if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
                signal.signal(signal.SIGINT, self._asked)
                self.installed = True
        return self

    def _asked(self, number, frame) -> None:
        if self.pending:
            raise KeyboardInterrupt
        self.pending = True

    def __exit__(self, *_) -> None:
        if self.installed:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def interrupted(state, steps: int, checkpoint) -> str:
    """What to say of a run that was interrupted, and how to go on."""
    kept = f"the model holds its weights of step {state.kept_step:,}"
    if checkpoint is None:
        return f"interrupted after step {state.step:,} of {steps:,}; {kept}; no checkpoint path was given"
    return f"interrupted after step {state.step:,} of {steps:,}; {kept}; the same call goes on from {checkpoint}"
