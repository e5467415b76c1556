"""An environment for each peer, from its own lock: its dependencies never meet modelserve's."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.places import SCRATCH

STAMP = ".ready"


class NotInstalled(Exception):
    """An environment could not be made; the message says why, as pip said it."""


def ensure(name: str, lock: Path, *, lent: Path | None = None) -> Path:
    """Make the environment if it is not there as its lock says; its Python.

    Args:
        name: of the folder below ``.bench``.
        lock: hash-pinned requirements.
        lent: the Python of an environment whose packages this one may use too; its own come first.

    Raises:
        NotInstalled: pip refused.
    """
    folder = SCRATCH / name
    python, stamp = folder / "bin" / "python", folder / STAMP
    wanted = hashlib.sha256(lock.read_bytes() + str(lent or "").encode()).hexdigest()
    if stamp.exists() and stamp.read_text("ascii") == wanted:
        return python
    print(f"making the environment {folder} ...", file=sys.stderr, flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    install = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--quiet"]
    ran = subprocess.run(
        [*install, "--require-hashes", "-r", str(lock)], stderr=subprocess.PIPE, text=True, check=False
    )
    if ran.returncode:
        raise NotInstalled(ran.stderr.strip().splitlines()[-1])
    if lent is not None:
        (_packages(python) / "lent.pth").write_text(f"{_packages(lent)}\n", "utf-8")
    stamp.write_text(wanted, "ascii")
    return python


def _packages(python: Path) -> Path:
    """The site-packages of an environment."""
    (folder,) = (python.parent.parent / "lib").glob("python3.*/site-packages")
    return folder
