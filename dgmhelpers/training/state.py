"""Everything a run of training is made of, so that it can be put down and taken up again bit for bit.

Beside weights and Adam's moments these are the places in three streams of random numbers: the permutation of the
examples, what the loss draws, and PyTorch's own (dropout). The schedule needs only the step.
"""

import contextlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Generator, Tensor, nn

from dgmhelpers.arguments import local_path
from dgmhelpers.training import files
from dgmhelpers.training.files import CheckpointError


@dataclass
class History:
    """What happened during training.

    Attributes:
        steps: 1, 2, ... for each step taken.
        train_loss: the batch's loss at each of these steps, before the update.
        valid_loss: pairs (step, mean over the validation examples in nats).
        best_step: the step whose weights the model holds, if there was a validation split.
        best_valid: the validation figure of these weights.
        seconds: time spent in the loop, evaluation included, over all resumed parts.
        stopped: None if all steps were taken, else why not: "patience", "time" or "interrupted".
    """

    per_step: ClassVar[tuple[str, ...]] = ("train_loss",)   # lists of one number for each step
    pairs: ClassVar[tuple[str, ...]] = ("valid_loss",)      # lists of (step, figure)

    steps: list[int] = field(default_factory=list)
    train_loss: list[float] = field(default_factory=list)
    valid_loss: list[tuple[int, float]] = field(default_factory=list)
    best_step: int | None = None
    best_valid: float | None = None
    seconds: float = 0.0
    stopped: str | None = None

    def __str__(self) -> str:
        parts = [f"{len(self.steps):,} steps in {self.seconds:.0f} s"]
        if self.train_loss:
            recent = self.train_loss[-20:]
            parts.append(f"training loss {sum(recent) / len(recent):.4g}")
        if self.best_valid is not None:
            parts.append(f"best validation {self.best_valid:.4f} at step {self.best_step:,}")
        if self.stopped:
            parts.append({"patience": "stopped early", "time": "stopped by the clock"}.get(self.stopped, self.stopped))
        return ", ".join(parts)


class State:
    """One run: model, optimisers, history, the weights worth keeping, and the random streams.

    Args:
        optimizers: one optimiser, or several by name.
        examples: how many there are to permute.
        ema: decay of the moving average of the weights, or None.
        rank: index of this process; batches and the loss draw the same in all, dropout differs.
        history: an empty one, of the kind this training keeps.
        averaged: the parameters to average, if not all.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizers: torch.optim.Optimizer | Mapping[str, torch.optim.Optimizer],
        examples: int,
        seed: int,
        device,
        ema: float | None,
        rank: int,
        history: History | None = None,
        averaged: Iterable[nn.Parameter] | None = None,
    ):
        self.model, self.examples = model, examples
        self.optimizers = dict(optimizers) if isinstance(optimizers, Mapping) else {"adam": optimizers}
        self.seed, self.device, self.decay, self.rank = seed, torch.device(device), ema, rank
        self.history = history or History()
        self.step = 0
        self.worse = 0                                   # validations in a row without improvement
        self.parameters = list(model.parameters() if averaged is None else averaged)
        self.average = [p.detach().clone() for p in self.parameters] if ema is not None else []
        torch.manual_seed(seed + 7919 * rank)            # dropout
        self.draws = Generator(self.device).manual_seed(seed)   # what the loss asks for
        self.shuffler = Generator().manual_seed(seed)    # on the CPU: the same batches on every device
        self.shuffled, self.cursor = self.shuffler.get_state(), examples
        self.permutation: Tensor | None = None
        self.keep()

    def next_batch(self, size: int) -> Tensor:
        """Indices of the next ``size`` examples: permutation after permutation, none skipped at the seam."""
        parts = []
        while size > 0:
            if self.cursor == self.examples:
                self.shuffled, self.cursor = self.shuffler.get_state(), 0
                self.permutation = torch.randperm(self.examples, generator=self.shuffler).to(self.device)
            part = self.permutation[self.cursor : self.cursor + size]
            self.cursor += len(part)
            size -= len(part)
            parts.append(part)
        return torch.cat(parts) if len(parts) > 1 else parts[0]

    @torch.no_grad()
    def updated(self) -> None:
        """Count an update of the weights, and take it into their average."""
        self.step += 1
        if self.average:
            decay = min(self.decay, self.step / (self.step + 9))   # forgets the first steps sooner
            torch._foreach_lerp_(self.average, self.parameters, 1 - decay)

    @contextlib.contextmanager
    def averaged(self):
        """Within this context the model holds the average of its weights, if one is kept."""
        if not self.average:
            yield
            return
        with torch.no_grad():
            live = [p.detach().clone() for p in self.parameters]
            torch._foreach_copy_(self.parameters, self.average)
        try:
            yield
        finally:
            with torch.no_grad():
                torch._foreach_copy_(self.parameters, live)

    def keep(self) -> None:
        """Remember the model's present weights as those to leave it with."""
        self.kept = {name: tensor.detach().clone() for name, tensor in self.model.state_dict().items()}
        self.kept_step = self.step

    def leave(self) -> None:
        """Give the model the weights that were kept."""
        self.model.load_state_dict(self.kept)

    def record(self, valid: float) -> bool:
        """Enter a validation figure; whether it is the best so far."""
        history = self.history
        history.valid_loss.append((self.step, valid))
        if history.best_valid is not None and not valid < history.best_valid:
            self.worse += 1
            return False
        history.best_step, history.best_valid, self.worse = self.step, valid, 0
        return True

    # ------------------------------------------------------------------------------------------ on the disk

    def save(self, path: str | os.PathLike, identity: dict) -> None:
        """Write all of it to ``path``, atomically."""
        tensors = {f"model/{k}": v for k, v in self.model.state_dict().items()}
        tensors |= {f"kept/{k}": v for k, v in self.kept.items()}
        tensors |= {f"average/{i}": v for i, v in enumerate(self.average)}
        for name, optimizer in self.optimizers.items():
            for i, moments in optimizer.state_dict()["state"].items():
                tensors |= {f"{name}/{i}/{k}": torch.as_tensor(v) for k, v in moments.items() if v is not None}
        tensors["random/dropout"] = torch.get_rng_state()
        tensors["random/draws"] = self.draws.get_state()
        tensors["random/shuffled"] = self.shuffled
        if self.device.type == "cuda":
            tensors["random/cuda"] = torch.cuda.get_rng_state(self.device)
        history_of, history = type(self.history), vars(self.history).copy()
        for name in history_of.per_step:
            tensors[f"history/{name}"] = torch.tensor(history.pop(name), dtype=torch.double)
        del history["steps"]
        metadata = {
            "kind": "training", "identity": identity, "history": history, "step": self.step, "cursor": self.cursor,
            "kept_step": self.kept_step, "worse": self.worse, "device": self.device.type,
            "torch": torch.__version__,
        }
        files.write(path, tensors, metadata)

    def restore(self, path: str | os.PathLike, identity: dict) -> bool:
        """Go to where the run in ``path`` was; False if there is no such file.

        Raises:
            CheckpointError: if the file is damaged or was written by a run with another ``identity``.
        """
        if not local_path(path).exists():
            return False
        tensors, metadata = files.read(path)
        if metadata.get("kind") != "training":
            raise CheckpointError(f"{path} holds trained weights, not the state of a training run; give another path")
        difference = _difference(metadata["identity"], json.loads(json.dumps(identity)))
        if difference:
            raise CheckpointError(
                f"{path} was written by another run: {difference}. Give another checkpoint path, or resume=False to "
                f"start afresh in its place"
            )
        groups: dict[str, dict[str, Tensor]] = {}
        for key, tensor in tensors.items():
            group, _, name = key.partition("/")
            groups.setdefault(group, {})[name] = tensor
        self.model.load_state_dict(groups["model"])
        self.kept = {k: v.to(self.device) for k, v in groups["kept"].items()}
        self.average = [groups["average"][str(i)].to(self.device) for i in range(len(groups.get("average", {})))]
        for name, optimizer in self.optimizers.items():
            moments: dict[int, dict[str, Tensor]] = {}
            for key, tensor in groups.get(name, {}).items():
                i, _, kind = key.partition("/")
                moments.setdefault(int(i), {})[kind] = tensor
            optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})
        self.step, self.kept_step, self.worse = metadata["step"], metadata["kept_step"], metadata["worse"]
        self._restore_random(groups["random"], metadata)
        kind = type(self.history)
        history = metadata["history"] | {name: groups["history"][name].tolist() for name in kind.per_step}
        pairs = {name: [tuple(pair) for pair in value] for name, value in history.items() if name in kind.pairs}
        self.history = kind(steps=list(range(1, self.step + 1)), **(history | pairs))
        return True

    def _restore_random(self, random: dict[str, Tensor], metadata: dict) -> None:
        same_device = metadata["device"] == self.device.type
        if self.rank == 0 and same_device:
            torch.set_rng_state(random["dropout"])
            if self.device.type == "cuda":
                torch.cuda.set_rng_state(random["cuda"], self.device)
        else:                                            # no bits to match: fresh numbers, but not the first again
            torch.manual_seed(self.seed + 7919 * self.rank + self.step)
        if same_device:
            self.draws.set_state(random["draws"])
        else:
            self.draws.manual_seed(self.seed + self.step)
        self.shuffler.set_state(random["shuffled"])
        self.cursor = self.examples
        if metadata["step"]:
            self.next_batch(1)                           # the same permutation again
            self.cursor = metadata["cursor"]


def _difference(old: dict, new: dict, prefix: str = "") -> str | None:
    """One sentence on the first thing in which two identities differ."""
    for key in [*new, *(k for k in old if k not in new)]:
        before, now = old.get(key), new.get(key)
        if before == now:
            continue
        if isinstance(before, dict) and isinstance(now, dict):
            return _difference(before, now, f"{prefix}{key} ")
        if key in ("train", "valid", "context", "valid_context") and before and now:
            return f"the examples given as {key} are not the same"
        return f"{prefix}{key} was {json.dumps(before)} and is {json.dumps(now)}"
    return None
