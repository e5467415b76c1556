from __future__ import annotations

import asyncio
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

import httpcore
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from image_tensors.addresses import Address, is_public
from image_tensors.connecting import PublicNetwork, resolve
from modelserve.errors import InvalidInput

PRIVATE_IPV4 = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "168.63.129.16/32",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
]
PRIVATE_IPV6 = [
    "::/128",
    "::1/128",
    "::/96",
    "::ffff:0:0/96",
    "::ffff:0:0:0/96",
    "64:ff9b:1::/48",
    "100::/64",
    "2001::/23",
    "2001::/32",
    "2001:db8::/32",
    "2002::/16",
    "3fff::/20",
    "5f00::/16",
    "fc00::/7",
    "fd00:ec2::254/128",
    "fd20:ce::254/128",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
]

private_ipv4 = st.sampled_from(PRIVATE_IPV4).flatmap(lambda block: st.ip_addresses(network=block))
private = st.sampled_from(PRIVATE_IPV4 + PRIVATE_IPV6).flatmap(lambda block: st.ip_addresses(network=block))


@given(private)
def test_what_is_not_the_internet_is_refused(address: Address) -> None:
    assert not is_public(address)


@given(st.ip_addresses())
@example(ip_address("224.0.0.251"))
@example(ip_address("ff0e::1"))
def test_python_knows_nothing_that_is_accepted_as_private(address: Address) -> None:
    if is_public(address):
        assert address.is_global
        assert not address.is_multicast


@given(st.ip_addresses(v=4))
@example(IPv4Address("8.8.8.8"))
@example(IPv4Address("100.128.0.0"))
@example(IPv4Address("172.32.0.0"))
@example(IPv4Address("168.63.129.17"))
def test_every_other_ipv4_address_is_accepted_also_behind_nat64(address: IPv4Address) -> None:
    reserved = any(address in ip_network(block) for block in PRIVATE_IPV4)
    assert is_public(address) is not reserved
    assert is_public(IPv6Address(int(IPv6Address("64:ff9b::")) + int(address))) is not reserved


@given(st.ip_addresses(network="2000::/3"))
@example(IPv6Address("2606:4700::1111"))
@example(IPv6Address("2001:200::1"))
def test_every_other_ipv6_address_is_accepted(address: IPv6Address) -> None:
    reserved = any(address in IPv6Network(block) for block in PRIVATE_IPV6)
    assert is_public(address) is not reserved


def embedded(address: IPv4Address) -> list[str]:
    """IPv6 addresses that lead to an IPv4 one, by RFC 4291, 6052, 3056 and 4380."""
    number = int(address)
    high, low = number >> 16, number & 0xFFFF
    inverted = number ^ 0xFFFF_FFFF
    return [
        f"::ffff:{address}",
        f"::ffff:{high:x}:{low:x}",
        f"0:0:0:0:0:ffff:{address}",
        f"::{address}",
        f"64:ff9b::{address}",
        f"64:ff9b::{high:x}:{low:x}",
        f"64:ff9b:1::{address}",
        f"2002:{high:x}:{low:x}::1",
        f"2001:0:808:808::{inverted >> 16:x}:{inverted & 0xFFFF:x}",
    ]


def spellings(address: IPv4Address) -> list[str]:
    """An IPv4 address in the ways that resolvers take without asking anyone."""
    number = int(address)
    first, second, third, fourth = address.packed
    return [
        str(address),
        str(number),
        f"{number:#x}",
        f"0{number:o}",
        f"{first:#o}.{second:#o}.{third:#o}.{fourth:#o}".replace("0o", "0"),
        f"{first:#x}.{second:#x}.{third:#x}.{fourth:#x}",
        f"{first}.{number & 0xFF_FFFF}",
        f"{first}.{second}.{number & 0xFFFF}",
        f"{first:#X}.{second}.{third}.0{fourth:o}",
    ]


def connect(*hosts: str) -> list[str]:
    """What becomes of connections to hosts, each to a port that nothing can listen on."""

    async def outcome(host: str) -> str:
        try:
            await PublicNetwork().connect_tcp(host, 1, timeout=0.01)
        except InvalidInput:
            return "refused"
        except (httpcore.ConnectError, httpcore.ConnectTimeout):
            return "tried"
        raise AssertionError(f"connected to {host}")

    async def outcomes() -> list[str]:
        return await asyncio.gather(*map(outcome, hosts))

    return asyncio.run(outcomes())


@settings(deadline=None)
@given(private_ipv4)
@example(IPv4Address("127.0.0.1"))
@example(IPv4Address("169.254.169.254"))
@example(IPv4Address("0.0.0.0"))
def test_every_spelling_of_a_private_address_is_refused(address: IPv4Address) -> None:
    hosts = spellings(address) + embedded(address)
    assert dict(zip(hosts, connect(*hosts), strict=True)) == dict.fromkeys(hosts, "refused")


@pytest.mark.parametrize("host", ["fe80::1%1", "::1%1", "fe80::1", "::", "localhost", "LOCALHOST"])
def test_zones_and_names_of_this_machine_are_refused(host: str) -> None:
    assert connect(host) == ["refused"]


async def test_the_resolver_gives_addresses_without_repetition() -> None:
    assert await resolve("0x7f.1", 80) == [IPv4Address("127.0.0.1")]
    assert await resolve("::1", 80) == [IPv6Address("::1")]
    with pytest.raises(UnicodeError):
        await resolve("a" * 64 + ".invalid", 80)
