"""Settings that all tests share."""

import signal
import threading

import torch

torch.set_num_threads(1)  # small tensors: more threads only wait for each other

# A shell that starts the suite in the background has it ignore Ctrl-C, which some tests press.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)
