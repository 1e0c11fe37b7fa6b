"""Settings that all tests share."""

import importlib
import signal
import threading

import torch

torch.set_num_threads(1)  # small tensors: more threads only wait for each other

# A shell that starts the suite in the background has it ignore Ctrl-C, which some tests press.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser):
    parser.addoption("--models", metavar="nade,made", help="of all tests, only those of the cases and mutants in these "
                     "files of tests/models, and the one that every exported model has a case")


def pytest_collection_modifyitems(config, items):
    """Leave the tests of some models."""
    files = config.getoption("--models")
    if files is None:
        return
    modules = [importlib.import_module(f"models.{name}") for name in files.split(",") if name]
    entries = [entry for module in modules for kind in ("CASES", "MUTANTS") for entry in getattr(module, kind, [])]

    def asked_for(item):
        params = getattr(item, "callspec", None)
        return getattr(item, "originalname", "") == "test_every_exported_model_is_registered" or (
            params is not None and any(value is entry for value in params.params.values() for entry in entries))

    config.hook.pytest_deselected(items=[item for item in items if not asked_for(item)])
    items[:] = [item for item in items if asked_for(item)]
