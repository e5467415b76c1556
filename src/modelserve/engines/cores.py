"""How many threads may compute at once: the container's share, not the node's cores."""

from __future__ import annotations

import math
import os
from pathlib import Path


def available_cores(cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """Cores that this process may use, at least one: its affinity, and its container's CPU limit.

    A pod with a limit of two CPUs on a node of 64 sees all 64; as many threads would use the
    quota up at once and then stand still until the kernel's next period.

    Args:
        cgroup: where the control groups are mounted, version 2 or 1.
    """
    # macOS has no affinity.
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota(cgroup)
    return cores if quota is None else max(1, min(cores, math.ceil(quota)))


def _quota(cgroup: Path) -> float | None:
    """The CPU limit in cores, or None where there is none that can be read."""
    try:
        if (cgroup / "cpu.max").exists():  # version 2: "max 100000" or "200000 100000"
            limit, period = (cgroup / "cpu.max").read_text("ascii").split()
        else:
            limit = (cgroup / "cpu" / "cpu.cfs_quota_us").read_text("ascii")
            period = (cgroup / "cpu" / "cpu.cfs_period_us").read_text("ascii")
        return None if limit == "max" or float(limit) <= 0 else float(limit) / float(period)
    except (OSError, ValueError):
        return None
