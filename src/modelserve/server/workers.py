"""Several server processes behind one pair of ports, for models that one process cannot keep busy.

The parent opens the REST port and hands it down, reserves the gRPC port, which its workers share by
``SO_REUSEPORT``, starts the workers as the same command again, and starts one anew when it dies. It
serves nothing itself and imports no model.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType

from modelserve.engines.cores import available_cores
from modelserve.errors import ModelServeError
from modelserve.settings import EngineSettings, ServerSettings

logger = logging.getLogger(__name__)

_INHERITED = "MODELSERVE_WORKER"
"""Variable in which the parent tells a worker its number, and what it inherits."""

_SHORT_LIFE_SECONDS = 5.0
"""A worker that died sooner is started again after a second, so that a crash is no busy loop."""


class StartError(ModelServeError):
    """The server cannot start: a port is taken or a model does not load."""


@dataclass(frozen=True)
class Inherited:
    """What a worker gets from its parent: its number from 0, the REST port's socket, the gRPC port."""

    number: int
    listener: socket.socket
    grpc_port: int


def inherited() -> Inherited | None:
    """What this process gets from its parent; None where it is no worker."""
    words = os.environ.get(_INHERITED)
    if words is None:
        return None
    number, descriptor, grpc_port = map(int, words.split(","))
    return Inherited(number, socket.socket(fileno=descriptor), grpc_port)


def listen(host: str, port: int) -> socket.socket:
    """Open the REST port.

    Raises:
        StartError: it is taken, or the address is not there.
    """
    try:
        return socket.create_server((host, port), family=_family(host), backlog=2048)
    except OSError as error:
        raise StartError(f"port {port} for REST cannot be opened: {error.strerror}") from error


def supervise(settings: ServerSettings) -> int:
    """Run ``settings.workers`` workers until a signal.

    Returns:
        The exit status: 0 after a signal, 1 when a worker could not start.

    Raises:
        StartError: a port is taken.
    """
    with (
        listen(settings.host, settings.http_port) as listener,
        _reserve(settings) as reserved,
        TemporaryDirectory(prefix="modelserve-metrics-") as folder,
    ):
        # Read by prometheus_client when it is imported, here and in the workers.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        return _Supervisor(settings, listener, reserved.getsockname()[1], Path(folder)).run()


@dataclass(frozen=True)
class _Worker:
    number: int
    process: subprocess.Popen[bytes]
    began_seconds: float


class _Supervisor:
    def __init__(
        self, settings: ServerSettings, listener: socket.socket, grpc_port: int, metrics: Path
    ) -> None:
        from modelserve.server.metrics import forget_worker, forget_workers  # noqa: PLC0415

        forget_workers(metrics)
        self._forget = forget_worker
        self._count = settings.workers
        self._listener = listener
        self._grpc_port = grpc_port
        # Each worker has its share of the cores, or all of them would fight for the same ones.
        chosen = settings.threads if isinstance(settings, EngineSettings) else 0
        self._threads = chosen or max(1, available_cores() // settings.workers)
        self._workers: dict[int, _Worker] = {}
        self._stopping = False
        self._status = 0

    def run(self) -> int:
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, self._pass_on)
        for number in range(self._count):
            self._start(number)
        while self._workers:
            pid, status = os.wait()
            self._ended(pid, os.waitstatus_to_exitcode(status))
        return self._status

    def _start(self, number: int) -> None:
        descriptor = self._listener.fileno()
        environment = {
            **os.environ,
            _INHERITED: f"{number},{descriptor},{self._grpc_port}",
            "MODELSERVE_THREADS": str(self._threads),
        }
        process = subprocess.Popen(sys.orig_argv, env=environment, pass_fds=[descriptor])
        self._workers[process.pid] = _Worker(number, process, time.monotonic())

    def _ended(self, pid: int, status: int) -> None:
        worker = self._workers.pop(pid)
        worker.process.returncode = status  # it was waited for here
        self._forget(pid)
        if self._stopping:
            # A signal's own end is that of a worker that had not begun to serve.
            if status not in (0, -signal.SIGTERM, -signal.SIGINT):
                self._status = 1
        elif status == 1:  # it has said why it could not start, and would say it again
            self._status = 1
            self._pass_on(signal.SIGTERM, None)
        else:
            logger.error("worker %d ended with status %d; it is started again", worker.number, status)
            if time.monotonic() - worker.began_seconds < _SHORT_LIFE_SECONDS:
                time.sleep(1)
            self._start(worker.number)

    def _pass_on(self, number: int, _: FrameType | None) -> None:
        self._stopping = True
        for worker in list(self._workers.values()):
            worker.process.send_signal(number)


def _reserve(settings: ServerSettings) -> socket.socket:
    """Hold the gRPC port, which nobody listens on here, for workers that share it."""
    # A first look without sharing: two servers on one port would each get half of the calls.
    try:
        with socket.create_server((settings.host, settings.grpc_port), family=_family(settings.host)) as free:
            port = free.getsockname()[1]
        reserved = socket.socket(_family(settings.host))
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reserved.bind((settings.host, port))
    except OSError as error:
        raise StartError(
            f"port {settings.grpc_port} for gRPC cannot be opened: {error.strerror}; is it taken?"
        ) from error
    return reserved


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
