"""A yardstick to lay beside a refactoring: what the stored models do, and how much there is of what.

    python tools/yardstick.py record [NAME …]   measure everything, or these again, and write tests/yardstick.json
    python tools/yardstick.py compare [NAME …]  measure again, say which entries differ; exit status 1 if any does

Of every trained model: draws at three seeds, ``log_prob`` or ``elbo`` of 64 embedded or made-up examples, and ten steps
of training from the stored weights, each as a hash of the rounded numbers with a few of the numbers themselves, so that
whoever sees a difference also sees its size. Beside them a ledger: lines of code, words of prose, bytes of weights,
which is shown and never fails.

The hashes are good for one machine and one build of torch, which the record names: elsewhere sums come out in
another order. There ``compare`` says so, and what it then prints is to be read, not obeyed.
"""

import argparse
import hashlib
import json
import platform
import re
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import dgmhelpers  # noqa: E402

FILE = ROOT / "tests" / "yardstick.json"
SEEDS = (0, 1, 2)
DRAWS = 2               # at each seed: enough to see another random stream, cheap for models that draw pixel by pixel
EXAMPLES = 64
STEPS = 10
DIGITS = 5              # that are hashed: a hash of all of them would see a sum in another order
FITTING = {(64, 2): "binary-digits8", (784, 2): "binary-digits28", (784, 256): "digits28", (63, None): "grey-patches"}
WORK = 4e11             # multiplications above which log_prob is asked of fewer examples

# What the ledger counts: folder, ending of its files, and what a test mentions that is about them.
AREAS = {
    "book/_ext": ("book/_ext", r"_ext\b|\bdgm_[a-z]+"),
    "book/_latex": ("book/_latex", r"_latex\b|\bdgmbook\b"),
    "book/_static": ("book/_static", r"_static\b"),
    "tools": ("tools", r"\btools\b"),
    "dgmhelpers/recipes": ("dgmhelpers/recipes", r"\brecipes\b"),
    "dgmhelpers/training": ("dgmhelpers/training", r"\btraining\b"),
    "dgmhelpers": ("dgmhelpers", r"\bdgmhelpers\b"),
    "tests": ("tests", r"\A\Z"),
}
CODE = (".py", ".js", ".css", ".sty", ".tex")


def examples(n: int, event_shape, levels: int | None) -> Tensor:
    """``n`` inputs, ``(n, *event_shape)``: of the embedded set with as many entries of that kind, or made up."""
    fitting = FITTING.get((torch.Size(event_shape).numel(), levels))
    if fitting is None:
        return made_up(n, event_shape, levels)
    return dgmhelpers.data.load(fitting).train[:n].reshape(n, *event_shape)


def made_up(n: int, event_shape, levels: int | None, seed: int = 0) -> Tensor:
    """``n`` valid inputs by a formula, ``(n, *event_shape)``: neighbours are alike, as in every set of the book.

    Bits repeat the one before nine times in ten, levels walk by a tenth of their range, real values by a fifth.
    """
    generator, dim = Generator().manual_seed(seed), torch.Size(event_shape).numel()
    if levels == 2:
        turns = torch.bernoulli(torch.full((n, dim), 0.1), generator=generator)
        x = (turns.cumsum(1) + torch.randint(2, (n, 1), generator=generator)) % 2
    elif levels is not None:
        step = max(1, levels // 10)
        walk = torch.randint(-step, step + 1, (n, dim), generator=generator).cumsum(1)
        x = (walk + torch.randint(levels, (n, 1), generator=generator)) % levels
    else:
        x = (torch.randn(n, dim, generator=generator) * 0.2).cumsum(1).sin()
    return x.reshape(n, *event_shape)


def mark(tensors: dict[str, Tensor], numbers: Tensor) -> dict:
    """A hash of tensors, real values rounded to five digits of their largest entry, and a few numbers to show."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        tensor = tensor.detach().cpu()
        if tensor.is_floating_point():
            tensor = tensor.double()
            unit = 10.0 ** (torch.tensor(tensor[tensor.isfinite()].abs().max().item() or 1.0).log10().ceil().item()
                            - DIGITS) if tensor.isfinite().any() else 1.0
            tensor = (tensor / unit).round() + 0.0       # no minus zero
        digest.update(f"{name} {tuple(tensor.shape)}".encode() + tensor.contiguous().numpy().tobytes())
    return {"sha256": digest.hexdigest()[:16], "numbers": [float(f"{v:.6g}") for v in numbers.flatten()[:10].tolist()]}


def levels_of(model) -> int | None:
    """Number of values of an entry of the model's examples; None for real ones."""
    return getattr(getattr(model, "likelihood", model), "levels", None)


def context(model, n: int) -> dict:
    """What the model is to be conditioned on: each class in turn, or nothing."""
    classes = getattr(model, "config", {}).get("classes")
    return {} if classes is None else {"context": torch.arange(n) % classes}


def measure(name: str, load=dgmhelpers.load) -> dict:
    """The three marks of one trained model."""
    model, found = load(name, device="cpu"), {}
    for seed in SEEDS:
        x = model.sample(DRAWS, **context(model, DRAWS), generator=Generator().manual_seed(seed))
        found[f"sample, seed {seed}"] = mark({"x": x}, x.double().flatten(1).mean(1))
    count = how_many(model)
    x = examples(count, model.event_shape, levels_of(model))
    with torch.no_grad():
        if hasattr(model, "log_prob"):
            logs = model.log_prob(x, **context(model, count))
            found[f"log_prob of {count}"] = mark({"log_prob": logs}, logs.double().mean())
        elif hasattr(model, "elbo"):
            logs = model.elbo(x, generator=Generator().manual_seed(0))
            found[f"elbo of {count}"] = mark({"elbo": logs}, logs.double().mean())
    found["training"] = trained(model)
    return found


def how_many(model) -> int:
    """64, or for a model of which each conditional is a pass of its own as many as a minute allows."""
    passes = model.event_shape.numel() * len(model.orders) if hasattr(model, "with_orders") else 1
    work = passes * sum(p.numel() for p in model.parameters()) * EXAMPLES
    return EXAMPLES if work <= WORK else max(4, int(EXAMPLES * WORK / work))


def trained(model) -> dict:
    """Ten steps from the stored weights, by whichever procedure trains that model."""
    from dgmhelpers import training

    quiet: dict[str, Any] = {"steps": STEPS, "seed": 0, "progress": False, "device": "cpu"}
    if hasattr(model, "em_step"):
        x = examples(8 * EXAMPLES, model.event_shape, levels_of(model))
        losses = training.em(model, x, tolerance=0.0, **quiet).train_loss
    elif hasattr(model, "discriminator"):
        x = examples(EXAMPLES, model.event_shape, None)
        settings = model.settings() if hasattr(model, "settings") else {"batch_size": 16}
        losses = training.fit_adversarial(model, x, **settings, **quiet).discriminator_loss
    else:
        x = examples(EXAMPLES, model.event_shape, levels_of(model))
        losses = training.fit(model, x, batch_size=16, **context(model, len(x)), **quiet).train_loss
    return mark(dict(model.state_dict()), torch.tensor(losses))


def made_on() -> dict:
    """What the hashes hang on."""
    return {"torch": torch.__version__, "processor": platform.machine(),
            "instructions": torch.backends.cpu.get_cpu_capability(), "threads": torch.get_num_threads()}


def ledger() -> dict:
    """Lines that are not blank (of code, and of the tests that mention it), words of prose, bytes of weights."""
    tests = {path: path.read_text(encoding="utf-8") for path in sorted((ROOT / "tests").rglob("*.py"))}
    lines = {}
    for area, (folder, about) in AREAS.items():
        files = [path for path in sorted((ROOT / folder).rglob("*")) if path.suffix in CODE]
        about_it = [text for text in tests.values() if re.search(about, text)]
        lines[area] = {"files": len(files), "lines": sum(written(path.read_text(encoding="utf-8")) for path in files),
                       "tests": len(about_it), "lines of tests": sum(map(written, about_it))}
    return {"code": lines, "words": {path.stem: words(path) for path in sorted((ROOT / "notebooks").glob("*.ipynb"))},
            "weights, bytes": {path.stem: path.stat().st_size
                               for path in sorted((ROOT / "checkpoints").glob("*.safetensors"))}}


def written(text: str) -> int:
    """Lines that are not blank."""
    return sum(1 for line in text.splitlines() if line.strip())


def words(notebook: Path) -> int:
    """Words of all Markdown cells, solutions included."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return sum(len("".join(cell["source"]).split()) for cell in cells if cell["cell_type"] == "markdown")


def differences(before: dict, now: dict) -> list[str]:
    """One line for each mark of one model that is not what it was."""
    lines = []
    for what in sorted(before.keys() | now.keys()):
        old, new = before.get(what), now.get(what)
        if old is None or new is None:
            lines.append(f"{what}: {'not in the record' if old is None else 'no longer there'}")
        elif old["sha256"] != new["sha256"]:
            pairs = list(zip(old["numbers"], new["numbers"], strict=False))
            most = max((abs(a - b) for a, b in pairs), default=0.0)
            lines.append(f"{what}: {old['numbers'][:3]} was, {new['numbers'][:3]} is; apart by {most:.3g} at most"
                         + ("; shown digits agree: rounding, or entries that the mean hides" if most == 0 else ""))
    return lines


def record(names: list[str]) -> int:
    """Measure everything and write it down; of a record that stands, only the models named."""
    from dgmhelpers.training import checkpoints

    if names:
        content = json.loads(FILE.read_text(encoding="utf-8"))
        if content["made on"] != made_on():
            print(f"made on {content['made on']}, and this is {made_on()}: record all of it", file=sys.stderr)
            return 2
    else:
        content = {"made on": made_on(), "models": {}, "ledger": ledger()}
    for name in names or checkpoints.names():
        begun = time.perf_counter()
        content["models"][name] = measure(name)
        print(f"{name}: {time.perf_counter() - begun:.1f} s", file=sys.stderr, flush=True)
    FILE.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


def compare(names: list[str]) -> int:
    """Measure again what the record holds, print what differs, and the ledger of both days."""
    before = json.loads(FILE.read_text(encoding="utf-8"))
    if before["made on"] != made_on():
        print(f"The record was made on {before['made on']}, this is {made_on()}: hashes may differ with nothing wrong.")
    unknown = sorted(set(names) - before["models"].keys())
    if unknown:
        print(f"not in the record: {', '.join(unknown)}", file=sys.stderr)
        return 2
    wrong = 0
    for name in names or before["models"]:
        try:
            lines = differences(before["models"][name], measure(name))
        except Exception as error:                       # one model that fails must not hide the others
            lines = [f"fails: {type(error).__name__}: {error}"]
        wrong += bool(lines)
        print(f"{name}: {'as before' if not lines else ''}", *lines, sep="\n    " if lines else "", flush=True)
    if not names:
        for part, rows in ledger().items():
            old = before["ledger"][part]
            for key in sorted(old.keys() | rows.keys()):
                if old.get(key) != rows.get(key):
                    print(f"{part}, {key}: {old.get(key)} was, {rows.get(key)} is")
    print(f"{wrong} of {len(names or before['models'])} models differ")
    return 1 if wrong else 0


def main(arguments: list[str] | None = None) -> int:
    """Carry out the command line; gives the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    for command in ("record", "compare"):
        commands.add_parser(command).add_argument("names", nargs="*", metavar="NAME")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    return (record if given.command == "record" else compare)(given.names)


if __name__ == "__main__":
    sys.exit(main())
