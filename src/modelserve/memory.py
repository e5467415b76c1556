"""Gives back to the system what loading a model left behind."""

from __future__ import annotations

import ctypes
import gc


def give_back_freed() -> None:
    """Return freed memory to the system, where the C library can.

    Weights that are read, converted and handed on leave freed blocks of some hundred megabytes, which
    glibc would keep for a request that never comes.
    """
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's own; musl and macOS have none
    if trim is not None:
        trim(0)
