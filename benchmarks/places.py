"""Where the suite finds and keeps things: all that it makes is below ``.bench``, which git ignores."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "samples"
SCRATCH = ROOT / ".bench"
PEERS = Path(__file__).parent / "peers"
DOCUMENTS = ROOT / "docs" / "benchmarks"
