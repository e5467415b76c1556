"""A host of images that behaves in every way that hosts do, over HTTP and HTTPS."""

from __future__ import annotations

import datetime
import io
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from PIL import Image

from image_tensors.connecting import PublicNetwork
from image_tensors.fetching import Fetcher
from image_tensors.origins import ImageUrl, Origin

NAME = "images.test"


@dataclass
class ImageHost:
    """A host, what it was asked for, and how to reach it."""

    origin: Origin
    files: dict[str, bytes]
    ssl_context: ssl.SSLContext | None = None
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    server_names: list[str | None] = field(default_factory=list)
    connections: int = 0
    at_once: int = 0
    most_at_once: int = 0
    crowded: threading.Event = field(default_factory=threading.Event)
    gone: threading.Event = field(default_factory=threading.Event)
    """Set when the other side ends a connection to which this one still writes."""
    closing: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def url(self, path: str) -> ImageUrl:
        return ImageUrl(self.origin, path.encode())

    def text(self, path: str) -> str:
        return f"{self.origin}{path}"

    def fetcher(self, **settings: Any) -> Fetcher:
        """A fetcher for which the host's name stands for this machine, which is accepted."""

        async def resolve(host: str, port: int) -> list[IPv4Address]:
            assert (host, port) == (self.origin.host, self.origin.port)
            return [IPv4Address("127.0.0.1")]

        network = PublicNetwork(resolve=resolve, accepts=lambda _: True)
        arguments = {"timeout_seconds": 10.0, "image_bytes": 1_000_000, "call_bytes": 8_000_000, **settings}
        return Fetcher(arguments.pop("network", network), ssl_context=self.ssl_context, **arguments)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    host: ImageHost

    def setup(self) -> None:
        super().setup()
        with self.host.lock:
            self.host.connections += 1

    def do_GET(self) -> None:
        host = self.host
        with host.lock:
            host.asked.append((self.path, dict(self.headers)))
            host.at_once += 1
            host.most_at_once = max(host.most_at_once, host.at_once)
            if host.at_once >= 8:
                host.crowded.set()
        try:
            getattr(self, f"_{self.path.strip('/').partition('/')[0].partition('.')[0]}", self._file)()
        except OSError:
            host.gone.set()
            self.close_connection = True
        finally:
            with host.lock:
                host.at_once -= 1

    def _answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _file(self) -> None:
        body = self.host.files.get(self.path.partition("?")[0])
        self._answer(404 if body is None else 200, body or b"")

    def _redirect(self) -> None:
        self._answer(302, Location=f"{self.host.origin}/cat.jpg")

    def _empty(self) -> None:
        self._answer(204)

    def _error(self) -> None:
        self._answer(500, b"no")

    def _chunked(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for part in (self.host.files["/cat.jpg"][:1000], self.host.files["/cat.jpg"][1000:]):
            self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))
        self.wfile.write(b"0\r\n\r\n")

    def _pause(self) -> None:
        """Wait for seven others, and then a moment for one too many."""
        self.host.crowded.wait(10)
        self.host.closing.wait(0.1)
        self._answer(200, self.host.files["/cat.jpg"])

    def _silent(self) -> None:
        self.host.closing.wait(60)
        self.close_connection = True

    def _drip(self) -> None:
        self._stream(b"\xff", pause_seconds=0.02)

    def _endless(self) -> None:
        self._stream(b"\xff" * 65536, pause_seconds=0)

    def _stream(self, part: bytes, *, pause_seconds: float) -> None:
        self.send_response(200)
        self.end_headers()
        self.close_connection = True
        while not self.host.closing.wait(pause_seconds):
            self.wfile.write(part)

    def _cut(self) -> None:
        self._answer(200, b"\xff\xd8\xff", **{"Content-Length": "1000"})
        self.close_connection = True

    def _garbage(self) -> None:
        self.wfile.write(b"220 mail.images.test ESMTP\r\n")
        self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """A connection that was not made, as one whose certificate was refused, is no news."""


def _serve(host: ImageHost, context: ssl.SSLContext | None) -> Iterator[ImageHost]:
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"host": host}))
    host.origin = host.origin._replace(port=server.server_port)
    if context is not None:
        # The handshake is for the thread of the connection.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.02))
    thread.start()
    yield host
    host.closing.set()
    server.shutdown()
    thread.join()
    server.server_close()


def encoded(color: tuple[int, int, int], kind: str, size: tuple[int, int] = (60, 50)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, color).save(file, kind)
    return file.getvalue()


@pytest.fixture
def files(cat_jpeg: bytes) -> dict[str, bytes]:
    """What the hosts have."""
    return {
        "/cat.jpg": cat_jpeg,
        "/red.png": encoded((250, 10, 10), "PNG"),
        "/blue.webp": encoded((10, 10, 250), "WEBP"),
        "/page.html": b"<!doctype html><title>No image</title>",
        "/torn.jpg": cat_jpeg[: len(cat_jpeg) // 2],
        "/wide.png": encoded((0, 0, 0), "PNG", (3000, 2000)),
    }


@pytest.fixture
def http_host(files: dict[str, bytes]) -> Iterator[ImageHost]:
    """A host over HTTP."""
    yield from _serve(ImageHost(Origin("http", NAME, 80), files), None)


@pytest.fixture
def https_host(files: dict[str, bytes], certificate: Path) -> Iterator[ImageHost]:
    """A host over HTTPS, whose certificate is its own authority's."""
    host = ImageHost(Origin("https", NAME, 443), files)
    host.ssl_context = ssl.create_default_context(cafile=str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.sni_callback = lambda _, name, __: host.server_names.append(name)
    yield from _serve(host, context)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for the host's name, signed by itself, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = tmp_path_factory.mktemp("certificate") / "images.pem"
    path.write_bytes(private + made.public_bytes(pem))
    return path


@pytest.fixture
def closed_port() -> int:
    """A port of this machine on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port


@pytest.fixture
def picture() -> Callable[..., bytes]:
    """Makes an encoded image of one colour."""
    return encoded
