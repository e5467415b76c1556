"""The machine that the figures are of: which cores are used, and what a reader has to know of it."""

from __future__ import annotations

import os
import platform
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CORES = 2
"""Cores of a run: generator, server and direct baseline share them."""


def pin() -> int:
    """Keep this process and what it starts on the first cores; how many those are."""
    cores = sorted(os.sched_getaffinity(0))[:CORES]
    os.sched_setaffinity(0, cores)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return len(cores)


@contextmanager
def giving_way() -> Iterator[None]:
    """Let this process, not what it starts, wait for a core rather than interrupt who has it.

    A generator on a machine of its own interrupts no server in the midst of a batch. This one sends some
    milliseconds later where no core is free, which its pacing tells.
    """
    policy, parameters = os.sched_getscheduler(0), os.sched_param(0)
    os.sched_setscheduler(0, os.SCHED_BATCH | os.SCHED_RESET_ON_FORK, parameters)
    try:
        yield
    finally:
        # The flag stays: to clear it is a privilege, and it changes nothing for the usual policy.
        os.sched_setscheduler(0, policy | os.SCHED_RESET_ON_FORK, parameters)


def describe() -> dict[str, str]:
    """The processor, the cores in use and the system."""
    return {
        "processor": _processor(),
        "cores": f"{len(os.sched_getaffinity(0))} of {os.cpu_count()}",
        "system": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "python": platform.python_version(),
        "load_before": f"{os.getloadavg()[0]:.2f}",
    }


def installed(python: Path, names: tuple[str, ...]) -> dict[str, str]:
    """Versions of packages in an environment; those that are not there are left out."""
    program = (
        "import importlib.metadata as m, sys\n"
        "for n in sys.argv[1:]:\n"
        "    try: print(n, m.version(n))\n"
        "    except m.PackageNotFoundError: pass\n"
    )
    ran = subprocess.run([python, "-c", program, *names], capture_output=True, text=True, check=True)
    return dict(line.split() for line in ran.stdout.splitlines())


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown"
