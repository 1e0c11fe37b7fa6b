"""Everything a run of training is made of, so that it can be put down and taken up again bit for bit.

Beside weights and the optimisers' moments these are the places in the streams of random numbers: the permutation of
each stream of examples, what the losses draw, and PyTorch's own (dropout). The schedules need only the step.
"""

import contextlib
import math
import os
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Generator, Tensor, nn

from dgmhelpers.arguments import local_path
from dgmhelpers.training import files
from dgmhelpers.training.files import CheckpointError
from dgmhelpers.training.history import Record
from dgmhelpers.training.identity import difference

LONGER = "; fit(..., extend=True) makes the same run longer"


class Stream:
    """Examples in an order of their own: permutation after permutation, none skipped at the seam.

    Args:
        tensors: one or several along the same first axis, which stay together; None stands for one that is not there.
        seed: decides the order, which is made on the CPU: the same on every device.
    """

    def __init__(self, tensors: Tensor | tuple[Tensor | None, ...], seed: int, device: torch.device):
        self.single, several = isinstance(tensors, Tensor), tensors if isinstance(tensors, tuple) else (tensors,)
        self.tensors = tuple(None if x is None else files.move(x, device) for x in several)
        (self.examples,) = {len(x) for x in self.tensors if x is not None}
        self.device, self.shuffler = device, Generator().manual_seed(seed)
        self.shuffled, self.cursor = self.shuffler.get_state(), self.examples
        self.permutation: Any = None                     # made when it is first needed

    def next(self, size: int) -> Tensor:
        """Indices of the next ``size`` examples."""
        if self.cursor + size <= self.examples:          # the usual case, without a detour
            self.cursor += size
            return self.permutation[self.cursor - size : self.cursor]
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

    @property
    def place(self) -> int | None:
        """How far the present permutation has come; None before the first."""
        return None if self.permutation is None else self.cursor

    def go_to(self, shuffled: Tensor, place: int | None) -> None:
        """The ``place`` in the permutation that ``shuffled``, a state of the shuffler, led to."""
        self.shuffler.set_state(shuffled)
        self.cursor = self.examples
        if place is not None:
            self.next(1)
            self.cursor = place


class State:
    """One run: model, optimisers, streams, history, the weights worth keeping, and the random numbers.

    This is what an objective's turns are handed: they use ``batch``, ``draws``, ``now``, ``carry`` and ``check``.

    Args:
        optimizers: by the player's name.
        streams: examples by name; the first one's order is that of ``seed`` itself.
        ema: decay of the moving average of the weights, or None.
        averaged: the parameters to average.
        carry: tensors that the turns read and replace, such as the chains of a sampler that goes on.
        rank, processes: of several; batches and the losses draw the same in all, dropout differs.

    Attributes:
        step: steps taken. draws: the generator for whatever a turn draws, on ``device``.
    """

    def __init__(
        self, model: nn.Module, optimizers: Mapping[str, torch.optim.Optimizer], streams: Mapping, *, batch_size: int,
        seed: int, device: torch.device, history: Record, ema: float | None = None,
        averaged: Iterable[nn.Parameter] = (), carry: Mapping[str, Tensor] | None = None, rank: int = 0,
        processes: int = 1,
    ):  # fmt: skip
        self.model, self.optimizers, self.batch_size, self.seed = model, optimizers, batch_size, seed
        self.device, self.history, self.decay, self.rank, self.processes = device, history, ema, rank, processes
        self.step, self.worse = 0, 0                     # worse: validations in a row without improvement
        self.parameters = list(averaged)
        self.average = [p.detach().clone() for p in self.parameters] if ema is not None else []
        self.carry = {name: tensor.to(device) for name, tensor in (carry or {}).items()}
        self.checks: dict[str, Tensor] = {}
        self.weight = 1.0
        torch.manual_seed(seed + 7919 * rank)            # dropout
        self.draws = Generator(device).manual_seed(seed)
        own = [seed] + [seed + zlib.crc32(name.encode()) for name in list(streams)[1:]]
        self.streams = {name: Stream(streams[name], s, device) for name, s in zip(streams, own, strict=True)}
        self.keep()

    @property
    def now(self) -> int:
        """The step being taken: 1, 2, ..."""
        return self.step + 1

    def batch(self, name: str = "x", size: int | None = None):
        """The next examples of a stream: a tensor, or a tuple of them if the stream has several; ``batch_size`` many.

        Where several processes train together, this one's part of them.
        """
        stream = self.streams[name]
        indices = stream.next(size or self.batch_size)
        if self.processes > 1:
            whole, indices = len(indices), indices[self.rank :: self.processes]
            self.weight = len(indices) * self.processes / whole   # so that the mean over processes is the batch's
        if stream.single:
            return next(x for x in stream.tensors if x is not None)[indices]
        return tuple(None if x is None else x[indices] for x in stream.tensors)

    def check(self, what: str, value: Tensor) -> None:
        """Have the loop refuse the step if ``value``, a scalar, is not finite: ``what`` names it."""
        self.checks[what] = value.detach()

    @torch.no_grad()
    def updated(self) -> None:
        """Count a step, and take its weights into their average."""
        self.step += 1
        if self.average and self.decay is not None:
            decay = min(self.decay, self.step / (self.step + 9))   # forgets the first steps sooner
            torch._foreach_lerp_(self.average, list[Tensor](self.parameters), 1 - decay)

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
        tensors |= {f"carry/{k}": v for k, v in self.carry.items()}
        for name, optimizer in self.optimizers.items():
            for i, moments in optimizer.state_dict()["state"].items():
                tensors |= {f"{name}.moments/{i}/{k}": torch.as_tensor(v) for k, v in moments.items() if v is not None}
        tensors["random/dropout"] = torch.get_rng_state()
        tensors["random/draws"] = self.draws.get_state()
        tensors |= {f"shuffled/{name}": stream.shuffled for name, stream in self.streams.items()}
        if self.device.type == "cuda":
            tensors["random/cuda"] = torch.cuda.get_rng_state(self.device)
        history = vars(self.history).copy()
        del history["steps"]
        tensors |= {f"curve/{k}": torch.tensor(v, dtype=torch.double) for k, v in history.pop("curves").items()}
        metadata = {
            "kind": "training", "identity": identity, "history": _spelled(history), "step": self.step,
            "places": {name: stream.place for name, stream in self.streams.items()}, "kept_step": self.kept_step,
            "worse": self.worse, "device": self.device.type, "torch": torch.__version__,
        }  # fmt: skip
        files.write(path, tensors, metadata)

    def restore(self, path: str | os.PathLike, identity: dict, extend: bool = False) -> bool:
        """Go to where the run in ``path`` was; False if there is no such file.

        Args:
            extend: whether its number of steps, and what follows from that, may be another.

        Raises:
            CheckpointError: if the file is damaged or was written by a run with another ``identity``.
        """
        if not local_path(path).exists():
            return False
        tensors, metadata = files.read(path)
        if metadata.get("kind") != "training":
            raise CheckpointError(f"{path} holds trained weights, not the state of a training run; give another path")
        of_length = ("steps", "evaluate_every") if extend else ()
        was, now = ({k: v for k, v in of.items() if k not in of_length} for of in (metadata["identity"], identity))
        differs = difference(was, now)
        if differs:
            raise CheckpointError(
                f"{path} was written by another run: {differs}. Give another checkpoint path, or resume=False to "
                f"start afresh in its place{LONGER if differs.startswith('steps was') else ''}"
            )
        groups: dict[str, dict[str, Tensor]] = {}
        for key, tensor in tensors.items():
            group, _, name = key.partition("/")
            groups.setdefault(group, {})[name] = tensor
        self.model.load_state_dict(groups["model"])
        self.kept = {k: v.to(self.device) for k, v in groups["kept"].items()}
        self.average = [groups["average"][str(i)].to(self.device) for i in range(len(groups.get("average", {})))]
        self.carry = {k: v.to(self.device) for k, v in groups.get("carry", {}).items()}
        for name, optimizer in self.optimizers.items():
            moments: dict[int, dict[str, Tensor]] = {}
            for key, tensor in groups.get(f"{name}.moments", {}).items():
                i, _, kind = key.partition("/")
                moments.setdefault(int(i), {})[kind] = tensor
            optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})
        self.step, self.kept_step, self.worse = metadata["step"], metadata["kept_step"], metadata["worse"]
        self._restore_random(groups, metadata)
        history = _read_again(metadata["history"])
        for name in ("valid_loss", "watched"):
            history[name] = [tuple(pair) for pair in history[name]]
        curves = {name: values.tolist() for name, values in groups.get("curve", {}).items()}
        vars(self.history).update(history | {"steps": list(range(1, self.step + 1)), "curves": curves})
        return True

    def _restore_random(self, groups: dict[str, dict[str, Tensor]], metadata: dict) -> None:
        random, same_device = groups["random"], metadata["device"] == self.device.type
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
        for name, stream in self.streams.items():
            stream.go_to(groups["shuffled"][name], metadata["places"][name])


def _spelled(value):
    """``value`` with every number that JSON has no word for spelled out: what was watched may be infinite, or NaN."""
    if isinstance(value, dict):
        return {k: _spelled(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_spelled(v) for v in value]
    return {"float": repr(value)} if isinstance(value, float) and not math.isfinite(value) else value


def _read_again(value):
    """What :func:`_spelled` was given, but for tuples, which are lists."""
    if isinstance(value, dict):
        return float(value["float"]) if value.keys() == {"float"} else {k: _read_again(v) for k, v in value.items()}
    return [_read_again(v) for v in value] if isinstance(value, list) else value
