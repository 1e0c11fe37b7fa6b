"""The command line: list, data, train, evaluate, sample, audit.

Whatever a user can get wrong ends in one line that says what was wrong, and exit code 2. ``DGM_DEBUG=1`` shows the
traceback instead. Everything heavy is imported by the command that needs it.
"""

import argparse
import importlib
import json
import os
import sys
from importlib.metadata import entry_points
from pathlib import Path

from dgmhelpers import console

PROGRAM = "python -m dgmhelpers"


class UsageError(Exception):
    """Something that the user wrote cannot be carried out."""


def main(argv: list[str] | None = None) -> int:
    """Carry out a command line; gives the exit code: 0 done, 1 not as it should be, 2 usage, 3 unknown, 130 stopped."""
    console.be_forgiving()
    arguments = parser().parse_args(argv)
    if os.getcwd() not in sys.path:                      # for what is of this folder: MODULE:NAME
        sys.path.insert(0, os.getcwd())
    try:
        _import_installed()
        for module in arguments.module:                  # which registers what is its own
            importlib.import_module(module)
        status = arguments.run(arguments)
        if sys.stdout is not None:
            sys.stdout.flush()                           # what cannot be written is found now, not as Python ends
        return status
    except KeyboardInterrupt:
        console.say("interrupted")
        return 130
    except BrokenPipeError:                              # whoever reads has seen enough
        console.abandon(sys.stdout)
        return 0
    except (UsageError, ValueError, RuntimeError, OSError, ImportError, KeyError) as error:
        if os.environ.get("DGM_DEBUG"):
            raise
        text = error.args[0] if isinstance(error, KeyError) and error.args else str(error) or type(error).__name__
        console.say(f"error: {' '.join(str(text).split())}")
        if isinstance(error, OSError):
            console.abandon(sys.stdout)                  # it may be what failed, and would again
        return 2


def _import_installed() -> None:
    """Import the modules that installed packages name under ``[project.entry-points.dgmhelpers]``."""
    for entry in entry_points(group="dgmhelpers"):
        try:
            entry.load()
        except Exception as error:                       # somebody else's package is no reason to do nothing
            package = entry.dist.name if entry.dist else "a package"
            console.say(f"passed over: {entry.value}, which {package} brings: {error}")


def parser() -> argparse.ArgumentParser:
    """The commands and their arguments."""
    top = argparse.ArgumentParser(prog=PROGRAM, description="Deep generative models, their data, results and laws.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, run, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        sub.set_defaults(run=run)
        sub.add_argument("--module", action="append", default=[], metavar="MODULE",
                         help="import this first: it registers classes, data sets and recipes of your own")
        return sub

    def choices(sub: argparse.ArgumentParser, needed: bool = True) -> None:
        sub.add_argument("name", metavar="NAME", nargs=None if needed else "?",
                         help="a recipe, see list, or an Experiment of your own, MODULE:NAME; to sample and evaluate, "
                              "a FILE.safetensors, too")
        sub.add_argument("--device", help="cpu, cuda, cuda:N or mps; the best there is by default")

    sub = command("list", show_list, "models, recipes, data sets and trained models")
    sub.add_argument("what", nargs="?", choices=("models", "recipes", "data", "checkpoints"), help="only these")
    sub = command("data", show_data, "describe a data set, or fetch it")
    sub.add_argument("name", nargs="?", metavar="NAME", help="a data set; all by default")
    sub.add_argument("--download", action="store_true", help="fetch and verify its files")
    sub = command("train", run_train, "train a recipe and write its checkpoint and result; goes on where it stopped")
    choices(sub, needed=False)
    sub.add_argument("--all", action="store_true", help="every recipe that is not done yet")
    sub.add_argument("--hours", type=float, help="with --all: put down what trains after so long, begin no other")
    sub.add_argument("--precision", choices=("no", "bf16"), help="of the loss in training; the recipe's by default")
    sub.add_argument("--compile", action="store_true", help="the loss, in training: see benchmarks/compile.py")
    sub.add_argument("--profile", choices=("quick", "full"), help="DGM_PROFILE, or quick, by default")
    sub.add_argument("--seed", type=int, help="this one alone; the recipe's own by default")
    sub.add_argument("--minutes", type=float, help="stop each candidate after so long and measure what there is")
    sub = command("evaluate", run_evaluate, "measure a trained recipe again and compare with its result")
    choices(sub)
    sub.add_argument("--examples", type=int, help="only so many of each split, spread over it (of text, characters)")
    sub.add_argument("--profile", choices=("quick", "full"), default="full")
    sub.add_argument("--data", help="for a file: a data set by name")
    sub.add_argument("--split", default="test", help="for a file: train, valid or test")
    sub = command("sample", sample, "draw from a trained model")
    choices(sub)
    sub.add_argument("-n", type=int, help="how many; 64 pictures, or 4 of anything else, by default")
    sub.add_argument("--out", type=Path, help="FILE.png or FILE.txt; the terminal by default")
    sub.add_argument("--temperature", type=float, default=1.0)
    sub.add_argument("--seed", type=int, default=0)
    sub.add_argument("--profile", choices=("quick", "full"), default="full")
    sub = command("audit", audit, "hold a model of your own against the laws")
    sub.add_argument("target", metavar="MODULE:FACTORY",
                     help="a function that makes a model, a model, or a dictionary of what laws.audit takes")
    sub.add_argument("--law", action="append", help="this one alone; may be said several times")
    sub.add_argument("--seed", type=int, default=0, help="of the audit's own draws")
    sub.add_argument("--seconds", type=float, default=30, help="begin no law after so long; 30 by default, 0: no limit")
    sub.add_argument("--json", action="store_true", help="for programs: held, and every verdict")
    sub.epilog = ("Exit codes: 0 everything held; 1 a law was broken; 3 none was broken, but one that is required "
                  "could not run, or no promise was tested; 2 it is unclear what to audit.")
    return top


def show_list(arguments) -> int:
    """``list``: the models, recipes, data sets and trained weights there are."""
    from dgmhelpers import data, recipes
    from dgmhelpers.training import checkpoints

    parts = {
        "models": ("Models", _models()),
        "recipes": ("Recipes", [(name, recipes.get(name).description) for name in recipes.names()]),
        "data": ("Data sets", [(name, data.summary(name)) for name in data.names()]),
        "checkpoints": ("Trained models", [(name, _standing(name)) for name in checkpoints.names()]),
    }
    for key in [arguments.what] if arguments.what else parts:
        title, rows = parts[key]
        width = max((len(name) for name, _ in rows), default=0)
        print(f"{title}:")
        for name, text in rows or [("none", "")]:
            print(f"  {name:{width}}  {text}".rstrip())
    return 0


def _models() -> list[tuple[str, str]]:
    from torch import nn

    from dgmhelpers.training.checkpoints import FAMILIES

    rows = []
    for family in FAMILIES:
        try:
            module = importlib.import_module(f"dgmhelpers.{family}")
        except ModuleNotFoundError:
            continue
        for name in getattr(module, "__all__", ()):
            kind = getattr(module, name)
            if isinstance(kind, type) and issubclass(kind, nn.Module) and not getattr(kind, "__abstractmethods__", ()):
                rows.append((f"{family}.{name}", (kind.__doc__ or "").strip().split("\n")[0]))
    return rows


def _standing(name: str) -> str:
    from dgmhelpers.training import checkpoints

    try:
        metadata = checkpoints.read_metadata(checkpoints.path_of(name))
        return f"{metadata['model']} on {metadata.get('dataset', {}).get('name', 'unknown data')}"
    except (checkpoints.CheckpointError, KeyError):
        return "damaged"


def show_data(arguments) -> int:
    """``data [NAME]``: what a data set is and where it comes from; fetch it if asked."""
    from dgmhelpers import data

    names = data.names() if arguments.name is None else [arguments.name]
    if arguments.download and arguments.name is None:
        raise UsageError("name the data set to download")
    for i, name in enumerate(names):
        if arguments.download:
            data.download(name)
        print("\n" * bool(i) + data.describe(name))
    return 0


def run_train(arguments) -> int:
    """``train NAME`` or ``train --all``: train a recipe, store the weights, measure what was stored."""
    from dgmhelpers import recipes

    if arguments.all:
        return _train_all(arguments)
    if arguments.name is None:
        raise UsageError("name a recipe, or say --all: python -m dgmhelpers list recipes")
    if arguments.hours is not None:
        raise UsageError("--hours goes with --all; one recipe takes --minutes")
    recipes.get(arguments.name)                          # a wrong name needs no waiting
    from dgmhelpers.recipes.train import train

    if arguments.minutes is not None and arguments.minutes <= 0:
        raise UsageError("--minutes must be positive")
    limit = None if arguments.minutes is None else 60 * arguments.minutes
    train(arguments.name, profile=arguments.profile, seed=arguments.seed, device=arguments.device,
              precision=arguments.precision, compiled=arguments.compile, time_limit=limit)  # fmt: skip
    return 0


def _train_all(arguments) -> int:
    if arguments.name is not None or arguments.minutes is not None:
        raise UsageError("--all takes every recipe: neither a NAME nor --minutes goes with it")
    if arguments.hours is not None and arguments.hours <= 0:
        raise UsageError("--hours must be positive")
    if arguments.hours is not None and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UsageError("--hours is for one process: several would not agree on the time")
    from dgmhelpers.recipes.train_all import train_all

    outcomes = train_all(profile=arguments.profile, seed=arguments.seed, device=arguments.device,
                                    precision=arguments.precision, compiled=arguments.compile,
                                    hours=arguments.hours)  # fmt: skip
    return 1 if any(outcome.state == "failed" for outcome in outcomes) else 0


def run_evaluate(arguments) -> int:
    """``evaluate NAME``: measure the stored weights again and compare with the record."""
    from dgmhelpers.recipes import evaluate
    from dgmhelpers.training.checkpoints import is_path

    if is_path(arguments.name):
        if arguments.data is None:
            raise UsageError("say which data to measure the file on: --data NAME, see list data")
        for measured in evaluate.evaluate_file(arguments.name, arguments.data, split=arguments.split,
                                               examples=arguments.examples, device=arguments.device):  # fmt: skip
            print(measured)
        return 0
    comparisons, missing = evaluate.evaluate(
        arguments.name, examples=arguments.examples, profile=arguments.profile, device=arguments.device
    )
    for line in [*comparisons, *missing]:
        print(line)
    if not comparisons:
        raise UsageError("nothing could be measured")
    return 0 if all(comparison.agrees for comparison in comparisons) else 1


def sample(arguments) -> int:
    """``sample NAME``: draw from a trained model into a picture or a text."""
    from dgmhelpers.recipes import draw

    text = draw.draw(
        arguments.name,
        n=arguments.n,
        out=arguments.out,
        temperature=arguments.temperature,
        seed=arguments.seed,
        profile=arguments.profile,
        device=arguments.device,
    )
    print(text)
    return 0


def audit(arguments) -> int:
    """``audit module:factory``: hold a model against the laws.

    Exit code 0: everything held. 1: a law was broken. 3: none was broken, but one that is required could not run, or no
    promise was tested. 2: it is unclear what to audit.

    A function is a factory, which is what the laws of initialisation and learning need.
    """
    from torch import nn

    from dgmhelpers import laws

    module, _, attribute = arguments.target.partition(":")
    if not (module and attribute):
        raise UsageError(f"expected MODULE:FACTORY, such as my_models:make_model, got {arguments.target!r}")
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise UsageError(f"cannot import {module!r} from {os.getcwd()}: {error}") from error
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise UsageError(f"{module} has no {attribute!r}")
        found = getattr(found, part)
    is_model = isinstance(found, nn.Module) or (hasattr(found, "event_shape") and not isinstance(found, type))
    told = {"only": arguments.law, "seed": arguments.seed, "seconds": arguments.seconds or None}
    if isinstance(found, dict):
        told |= found
    else:
        told |= {"model": found} if is_model or not callable(found) else {"factory": found}
    report = laws.audit(**told)
    print(json.dumps(report.as_dict(), ensure_ascii=False, indent=1) if arguments.json else report)
    return 0 if report.held else 1 if report.broken else 3
