"""What Python's memory costs a server: what loading a model left behind, and the search for garbage."""

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


_ALLOCATIONS = 10_000
"""Objects made and not freed again, after which Python looks for garbage; its own threshold is 700."""


def collect_rarely() -> None:
    """Look for garbage less often than Python does by itself.

    A call makes hundreds of objects, and nearly all of them are freed as it ends. Those of a few hundred
    calls in a queue are looked at again and again, with the interpreter's lock held.
    """
    gc.set_threshold(_ALLOCATIONS, *gc.get_threshold()[1:])
