"""How long KServe's own codec takes to read one V2 binary tensor, as its REST path does.

usage: codec.py BODY HEADER_LENGTH SECONDS; prints the median in milliseconds.
"""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import median
from time import perf_counter

body, header_length, seconds = Path(sys.argv[1]).read_bytes(), int(sys.argv[2]), float(sys.argv[3])
sys.argv = sys.argv[:1]  # KServe reads the arguments when it is imported

from kserve import InferRequest  # noqa: E402


def read_once() -> float:
    """Seconds from the body to the array that a model takes."""
    began = perf_counter()
    request = InferRequest.from_bytes(body, header_length, "bench")
    array = request.inputs[0].as_numpy()
    taken = perf_counter() - began
    assert array.shape == (1, 3, 224, 224)
    return taken


read_once()
times: list[float] = []
end = perf_counter() + seconds
while perf_counter() < end or not times:
    times.append(read_once())
print(1000 * median(times))
