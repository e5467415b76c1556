"""Fetching from a host over real sockets: what arrives, and everything that does not."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import httpcore
import pytest

import modelserve
from image_tensors.addresses import Address
from image_tensors.connecting import PublicNetwork
from image_tensors.fetching import Fetcher
from image_tensors.origins import ImageUrl, Origin
from modelserve.errors import InvalidInput, TooLarge

LOCAL = IPv4Address("127.0.0.1")


@asynccontextmanager
async def fetching(host: Any, **settings: Any) -> AsyncIterator[Fetcher]:
    fetcher = host.fetcher(**settings)
    try:
        yield fetcher
    finally:
        await fetcher.close()


def network(*answers: list[str], accepts: Callable[[Address], bool] = lambda _: True) -> PublicNetwork:
    """A network in which each look-up of a name has the next of these answers."""
    left = iter(answers)

    async def resolve(_: str, __: int) -> list[Address]:
        return [IPv4Address(address) for address in next(left)]

    return PublicNetwork(resolve=resolve, accepts=accepts)


async def test_over_http(http_host: Any, files: dict[str, bytes]) -> None:
    async with fetching(http_host) as fetcher:
        urls = {
            2: http_host.url("/cat.jpg?size=2"),
            0: http_host.url("/red.png"),
            5: http_host.url("/chunked"),
        }
        got = await fetcher.fetch(urls)
    assert got == {2: files["/cat.jpg"], 0: files["/red.png"], 5: files["/cat.jpg"]}
    assert list(got) == [2, 0, 5]
    path, headers = next(asked for asked in http_host.asked if asked[0].startswith("/cat"))
    assert path == "/cat.jpg?size=2"
    assert headers == {
        "Host": f"images.test:{http_host.origin.port}",
        "Accept": "image/jpeg, image/png, image/webp",
        "Accept-Encoding": "identity",
        "User-Agent": f"modelserve/{modelserve.__version__}",
    }


async def test_over_https_by_the_hosts_name(https_host: Any, files: dict[str, bytes]) -> None:
    async with fetching(https_host) as fetcher:
        got = await fetcher.fetch({0: https_host.url("/red.png")})
        again = await fetcher.fetch({0: https_host.url("/cat.jpg")})
    assert (got, again) == ({0: files["/red.png"]}, {0: files["/cat.jpg"]})
    assert https_host.server_names == ["images.test"]
    assert https_host.asked[0][1]["Host"] == f"images.test:{https_host.origin.port}"


async def test_a_certificate_of_another_host_is_refused(https_host: Any) -> None:
    other = ImageUrl(Origin("https", "other.test", https_host.origin.port), b"/red.png")
    async with fetching(https_host, network=network(["127.0.0.1"])) as fetcher:
        with pytest.raises(InvalidInput, match=r"^image 0: https://other\.test:\d+ cannot be reached"):
            await fetcher.fetch({0: other})
    assert not https_host.asked


async def test_a_certificate_of_an_unknown_authority_is_refused(https_host: Any) -> None:
    https_host.ssl_context = None
    async with fetching(https_host) as fetcher:
        with pytest.raises(InvalidInput, match="cannot be reached, or breaks off"):
            await fetcher.fetch({0: https_host.url("/red.png")})
    assert not https_host.asked


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("/redirect", "answers 302; a URL that is answered 200 is accepted, and redirects are not followed"),
        ("/missing.jpg", "answers 404; "),
        ("/error", "answers 500; "),
        ("/empty", "answers 204; "),
        ("/cut", "cannot be reached, or breaks off; an image that it sends in full is accepted"),
        ("/garbage", "cannot be reached, or breaks off; "),
        ("/silent", "takes too long to send it; an image that arrives within 0.2 s is accepted"),
        ("/drip", "takes too long to send it; "),
    ],
)
async def test_what_does_not_arrive(http_host: Any, path: str, sentence: str) -> None:
    timeout_seconds = 0.2 if "takes too long" in sentence else 10
    async with fetching(http_host, timeout_seconds=timeout_seconds) as fetcher:
        with pytest.raises(InvalidInput) as raised:
            await fetcher.fetch({7: http_host.url(path)})
        assert str(raised.value).startswith(f"image 7: {http_host.origin} {sentence}")
    assert {asked for asked, _ in http_host.asked} <= {path}


async def test_a_closed_port(http_host: Any, closed_port: int) -> None:
    url = ImageUrl(Origin("http", "images.test", closed_port), b"/")
    async with fetching(http_host, network=network(["127.0.0.1"])) as fetcher:
        with pytest.raises(InvalidInput, match="cannot be reached"):
            await fetcher.fetch({0: url})


async def test_a_file_without_end_is_given_up(http_host: Any) -> None:
    async with fetching(http_host) as fetcher:
        with pytest.raises(
            TooLarge, match="image 0: the file at its URL is too large; at most 1000000 bytes"
        ):
            await fetcher.fetch({0: http_host.url("/endless")})
        assert await asyncio.to_thread(http_host.gone.wait, 10)


async def test_the_bounds_are_exact(http_host: Any, files: dict[str, bytes]) -> None:
    size = len(files["/cat.jpg"])
    urls = {place: http_host.url("/cat.jpg") for place in range(3)}
    async with fetching(http_host, image_bytes=size, call_bytes=3 * size) as fetcher:
        assert await fetcher.fetch(urls) == dict.fromkeys(urls, files["/cat.jpg"])
        assert await fetcher.fetch(urls) == dict.fromkeys(urls, files["/cat.jpg"])
    async with fetching(http_host, image_bytes=size - 1) as fetcher:
        with pytest.raises(TooLarge, match=f"at most {size - 1} bytes"):
            await fetcher.fetch({0: urls[0]})
    async with fetching(http_host, image_bytes=size, call_bytes=3 * size - 1) as fetcher:
        with pytest.raises(
            TooLarge, match=f"of this call are too large together; at most {3 * size - 1} bytes"
        ):
            await fetcher.fetch(urls)


@pytest.mark.parametrize("answer", [["127.0.0.1"], ["93.184.216.34", "127.0.0.1"], ["127.0.0.1", "8.8.8.8"]])
async def test_a_host_with_any_private_address_is_not_connected_to(http_host: Any, answer: list[str]) -> None:
    async def resolve(_: str, __: int) -> list[Address]:
        return [IPv4Address(address) for address in answer]

    async with fetching(http_host, network=PublicNetwork(resolve=resolve)) as fetcher:
        with pytest.raises(
            InvalidInput, match=r"^image 0: images\.test has an address within a private network; "
        ):
            await fetcher.fetch({0: http_host.url("/red.png")})
    assert http_host.connections == 0


async def test_the_address_that_was_checked_is_connected_to(http_host: Any, files: dict[str, bytes]) -> None:
    """A name that stands for something else when it is asked again, which it is not."""
    checked = []

    def accepts(address: Address) -> bool:
        checked.append(address)
        return address == LOCAL

    rebinding = network(["127.0.0.1"], ["127.0.0.2"], accepts=accepts)
    async with fetching(http_host, network=rebinding) as fetcher:
        assert await fetcher.fetch({0: http_host.url("/red.png")}) == {0: files["/red.png"]}
        assert checked == [LOCAL]
        # An idle connection is to the address that was checked; nothing is looked up for it.
        assert await fetcher.fetch({0: http_host.url("/red.png")}) == {0: files["/red.png"]}
        assert checked == [LOCAL]
    async with fetching(http_host, network=rebinding) as fetcher:
        with pytest.raises(InvalidInput, match="private network"):
            await fetcher.fetch({0: http_host.url("/red.png")})
    assert http_host.connections == 1


async def test_the_next_address_is_tried(http_host: Any, files: dict[str, bytes]) -> None:
    async with fetching(http_host, network=network(["127.0.0.2", "127.0.0.1"])) as fetcher:
        assert await fetcher.fetch({0: http_host.url("/red.png")}) == {0: files["/red.png"]}


async def test_an_address_that_does_not_answer_leaves_time_for_the_next() -> None:
    # A backlog that is full: connections to it are neither made nor refused.
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)), socket.socket() as listening:
            listening.bind(("127.0.0.2", port))
            listening.listen()
            slow = network(["127.0.0.1", "127.0.0.2"])
            stream = await asyncio.wait_for(slow.connect_tcp("images.test", port, timeout=1), 1)
            assert stream.get_extra_info("server_addr") == ("127.0.0.2", port)
            await stream.aclose()


@pytest.mark.parametrize(
    "failure", [socket.gaierror(-2, "Name or service not known"), UnicodeError("label too long")]
)
async def test_a_name_without_an_address(http_host: Any, failure: Exception) -> None:
    async def resolve(_: str, __: int) -> list[Address]:
        raise failure

    async with fetching(http_host, network=PublicNetwork(resolve=resolve)) as fetcher:
        with pytest.raises(InvalidInput, match="cannot be reached"):
            await fetcher.fetch({0: http_host.url("/red.png")})
    with pytest.raises(httpcore.ConnectError):
        await network([]).connect_tcp("images.test", 80)


async def test_proxies_of_the_environment_are_not_used(
    http_host: Any, files: dict[str, bytes], closed_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        for spelled in (name, name.upper()):
            monkeypatch.setenv(spelled, f"http://127.0.0.1:{closed_port}")
    async with fetching(http_host) as fetcher:
        assert await fetcher.fetch({0: http_host.url("/red.png")}) == {0: files["/red.png"]}


async def test_some_at_a_time(http_host: Any) -> None:
    async with fetching(http_host) as fetcher:
        await fetcher.fetch({place: http_host.url("/pause") for place in range(20)})
    assert http_host.most_at_once == 8


async def test_one_that_fails_ends_the_others(http_host: Any) -> None:
    async with fetching(http_host) as fetcher:
        with pytest.raises(InvalidInput, match=r"^image 1: .* answers 404"):
            await fetcher.fetch({0: http_host.url("/drip"), 1: http_host.url("/missing")})
        assert await asyncio.to_thread(http_host.gone.wait, 10)


async def test_a_caller_that_goes_ends_the_fetching(http_host: Any) -> None:
    async with fetching(http_host) as fetcher:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(fetcher.fetch({0: http_host.url("/drip")}), 0.2)
        assert await asyncio.to_thread(http_host.gone.wait, 10)


async def test_an_authority_of_the_environment_is_trusted(
    https_host: Any, files: dict[str, bytes], certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    https_host.ssl_context = None
    async with fetching(https_host) as fetcher:
        assert await fetcher.fetch({0: https_host.url("/red.png")}) == {0: files["/red.png"]}


async def test_records_that_are_broken_once_tls_stands(certificate: Path) -> None:
    """What TLS raises then is neither of httpcore's errors nor of ours."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def break_off(listening: socket.socket) -> None:
        plain = listening.accept()[0]
        with plain, context.wrap_socket(plain, server_side=True, do_handshake_on_connect=True) as secured:
            secured.recv(4096)
            with socket.socket(fileno=secured.detach()) as below:
                below.sendall(b"\x17\x03\x03\x00\x20" + b"x" * 32)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        breaking = asyncio.ensure_future(asyncio.to_thread(break_off, listening))
        trusting = ssl.create_default_context(cafile=str(certificate))
        fetcher = Fetcher(
            network(["127.0.0.1"]),
            timeout_seconds=10,
            image_bytes=1000,
            call_bytes=1000,
            ssl_context=trusting,
        )
        url = ImageUrl(Origin("https", "images.test", listening.getsockname()[1]), b"/")
        with pytest.raises(InvalidInput, match="cannot be reached, or breaks off"):
            await fetcher.fetch({0: url})
        await fetcher.close()
        await breaking
