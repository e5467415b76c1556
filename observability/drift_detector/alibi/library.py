"""The one place where alibi-detect and TensorFlow are imported: late, quietly, and for one thread."""

from __future__ import annotations

import logging
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

import numpy as np

SEED = 20261125
_drawing = threading.Lock()


def require() -> None:
    """Say at once whether alibi-detect is there, without the ten seconds that it takes to import.

    Raises:
        ModuleNotFoundError: it is not installed; the error names it.
    """
    if find_spec("alibi_detect") is None:
        raise ModuleNotFoundError("No module named 'alibi_detect'", name="alibi_detect")


def alibi_detect(module: str) -> ModuleType:
    """A module of alibi-detect, by its name within it. The first call takes some ten seconds."""
    _import()
    return import_module(f"alibi_detect.{module}")


@cache
def _import() -> ModuleType:
    """TensorFlow, with alibi-detect.

    TensorFlow writes of CPU features and of GPUs that are not there, and both warn of what their dependencies
    are going to drop; nobody here can do anything about that. Numba would compile detectors that are not used
    here, and refuses to where it finds no folder to write to. The arrays are small: more threads than one
    would take cores from each other and from whatever else runs here.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("NUMBA_DISABLE_JIT", "1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        tensorflow = import_module("tensorflow")
        import_module("alibi_detect.cd")
    for logger in ("tensorflow", "alibi_detect"):
        logging.getLogger(logger).setLevel(logging.ERROR)
    tensorflow.config.threading.set_intra_op_parallelism_threads(1)
    tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    return tensorflow


@contextmanager
def old_numpy() -> Iterator[None]:
    """In here alibi-detect may make numbers of arrays of one element: NumPy 1 warns of it, and does it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Conversion of an array with ndim > 0", DeprecationWarning)
        yield


@contextmanager
def seeded() -> Iterator[None]:
    """In here alibi-detect draws the same numbers every time.

    It draws from NumPy's and TensorFlow's global generators, so only one thread at a time may be in here.
    NumPy's is as it was afterwards; TensorFlow's cannot be read, and nothing but alibi-detect draws from it.
    """
    tensorflow = _import()
    with _drawing:
        before = np.random.get_state()
        np.random.seed(SEED)
        tensorflow.random.set_seed(SEED)
        try:
            yield
        finally:
            np.random.set_state(before)
