"""Connections to the internet, and to nothing else: a host's addresses are checked, and those very ones used.

To check a name and to connect to it by name would be to resolve it twice, and whoever answers for the
name may say something else the second time.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from ipaddress import ip_address

import httpcore

from image_tensors.addresses import Address, is_public
from modelserve.errors import InvalidInput

Resolve = Callable[[str, int], Awaitable[Sequence[Address]]]


async def resolve(host: str, port: int) -> list[Address]:
    """The addresses of a host by the system's resolver, the preferred first.

    Raises:
        OSError: there are none.
        UnicodeError: a part of the name is too long for one.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    # A zone, as in fe80::1%eth0, names an interface; no address on the internet has one.
    return list(dict.fromkeys(ip_address(str(place[0]).partition("%")[0]) for *_, place in found))


class PublicNetwork(httpcore.AsyncNetworkBackend):
    """Connects to hosts all of whose addresses are accepted.

    TLS still asks for the host by its name and checks the certificate against it, as only the
    connection below it is made to an address.

    Args:
        resolve: gives a host's addresses.
        accepts: whether one may be connected to.
    """

    def __init__(self, *, resolve: Resolve = resolve, accepts: Callable[[Address], bool] = is_public) -> None:
        self._resolve, self._accepts = resolve, accepts
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first of a host's addresses that answers.

        Each address has the same share of the time.

        Raises:
            InvalidInput: one of the addresses is not accepted.
            httpcore.ConnectError: the host has no address, or none answers.
            httpcore.ConnectTimeout: the last one takes too long.
        """
        try:
            addresses = await self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"{host} has no address") from error
        if not all(map(self._accepts, addresses)):
            raise InvalidInput(
                f"{host} has an address within a private network; hosts on the internet are accepted"
            )
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in addresses:
            share = None if timeout is None else timeout / len(addresses)
            try:
                return await self._network.connect_tcp(
                    str(address), port, share, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure
