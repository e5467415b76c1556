"""The drift detector under a steady rate of events: what it drops, and what memory it takes.

    python -m benchmarks.event_rate --reference reference.zip --text_file texts.txt

starts a detector on one core and sends it requests and answers of a NER model, over a few connections, at
times that do not wait for what it says. At its end every event has an outcome.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path

import httpx

from modelserve.drift.references import Reference

_NAMES = {"ce-specversion": "1.0", "ce-source": "http://localhost:9081/", "ce-namespace": "default"}
_NAMES |= {
    "ce-inferenceservicename": "bert-ner",
    "ce-component": "predictor",
    "content-type": "application/json",
}


def bodies(text: str, digest: str) -> tuple[bytes, bytes]:
    """A request and the answer of a model with those weights."""
    tensor = {"datatype": "BYTES", "shape": [1]}
    found = json.dumps([{"type": "PER", "text": text[:5], "start": 0, "end": 5, "score": 0.9}])
    request = {"inputs": [{"name": "text", **tensor, "data": [text]}]}
    answer = {
        "model_name": "bert-ner",
        "parameters": {"revision": "local", "model_digest": digest},
        "outputs": [{"name": "entities", **tensor, "data": [found]}],
    }
    return json.dumps(request).encode(), json.dumps(answer).encode()


def encode(side: str, identifier: str, body: bytes) -> bytes:
    """An event as an HTTP request."""
    headers = {**_NAMES, "ce-id": identifier, "ce-type": f"org.kubeflow.serving.inference.{side}"}
    headers |= {"host": "detector", "content-length": str(len(body))}
    return (
        "\r\n".join(["POST / HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items()), "", ""]).encode() + body
    )


async def send(
    port: int, pairs: Sequence[tuple[bytes, bytes]], *, rate: float, seconds: float, connections: int
) -> int:
    """Send pairs at a rate of events; how many events were acknowledged."""
    numbers, acknowledged = count(), 0
    began = time.perf_counter()

    async def work(worker: int) -> None:
        nonlocal acknowledged
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for turn in count():
            due = began + (turn * connections + worker) * 2 / rate
            if due > began + seconds:
                break
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            number = next(numbers)
            request, answer = pairs[number % len(pairs)]
            for side, body in (("request", request), ("response", answer)):
                writer.write(encode(side, str(number), body))
            for _ in range(2):
                head = await reader.readuntil(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 202"), head
                acknowledged += 1
        writer.close()

    await asyncio.gather(*(work(worker) for worker in range(connections)))
    return acknowledged


def memory_mib(process: int) -> float:
    """Resident, of a process."""
    match = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{process}/status").read_text())
    return int(match[1]) / 1024 if match else 0.0


def main() -> None:
    """Measure and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=2000.0)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--core", type=int, default=0)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--reference", type=Path, required=True)
    parser.add_argument("--text_file", type=Path, required=True)
    options = parser.parse_args()
    digest = Reference.load(options.reference).model_digest
    pairs = [bodies(text, digest) for text in options.text_file.read_text("utf-8").splitlines() if text]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "drift_detector", "--host=127.0.0.1", "--http_port=0"]
        command += [f"--store=sqlite:///{folder}/drift.db", f"--references={options.reference}"]
        detector = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        os.sched_setaffinity(detector.pid, {options.core})
        assert detector.stderr is not None
        found = next(match for line in detector.stderr if (match := re.search(r"on port (\d+)", line)))
        port, memory = int(found[1]), [memory_mib(detector.pid)]

        async def run() -> int:
            async def watch() -> None:
                while True:
                    await asyncio.sleep(1)
                    memory.append(memory_mib(detector.pid))

            watching = asyncio.create_task(watch())
            sent = await send(
                port,
                pairs,
                rate=options.rate,
                seconds=options.seconds,
                connections=options.connections,
            )
            watching.cancel()
            return sent

        began = time.perf_counter()
        sent = asyncio.run(run())
        took = time.perf_counter() - began
        outcomes: dict[str, float] = {}
        while sum(outcomes.values()) < sent:
            time.sleep(1)
            text = httpx.get(f"http://127.0.0.1:{port}/metrics").text
            lines = re.findall(r'modelserve_drift_events_total{outcome="(\w+)"} (\S+)', text)
            outcomes = {name: float(number) for name, number in lines if float(number)}
        detector.send_signal(signal.SIGTERM)
        detector.wait(60)
    report = {
        "sent": sent,
        "events_per_second": sent / took,
        "outcomes": outcomes,
        "memory_mib": {
            "first": memory[0],
            "half": memory[len(memory) // 2],
            "last": memory[-1],
            "most": max(memory),
        },
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
