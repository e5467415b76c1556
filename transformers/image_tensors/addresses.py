"""Which addresses are on the internet: what a cluster keeps to itself must not be read through a server.

The tables are of IANA's registries of special-purpose addresses, and stricter. ``ipaddress`` has them too,
but counts multicast as global, knows nothing of the IPv4 address within an IPv6 one, and has changed
between patches of Python.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

Address = IPv4Address | IPv6Address

_RESERVED_IPV4 = tuple(
    IPv4Network(block)
    for block in (
        "0.0.0.0/8",  # this network; a socket takes it for the machine itself
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carriers' NAT, pods of some clusters, and Alibaba's metadata
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure's host agent, behind an address that looks like any other
        "169.254.0.0/16",  # link-local, and most clouds' metadata
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments, and Oracle's metadata
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)

_GLOBAL_UNICAST = IPv6Network("2000::/3")
"""All that is assigned; loopback, link-local, private, multicast and mapped IPv4 are outside of it."""

_RESERVED_IPV6 = tuple(
    IPv6Network(block)
    for block in (
        "2001::/23",  # protocol assignments, among them Teredo, which holds an IPv4 address
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, which holds an IPv4 address
        "3fff::/20",  # documentation
    )
)

_NAT64 = IPv6Network("64:ff9b::/96")
"""RFC 6052: how a network without IPv4 reaches it; the last four bytes are the IPv4 address."""


def is_public(address: Address) -> bool:
    """Whether an address is a host's on the internet, for all that can be told from it.

    A network may give such addresses to hosts that nobody else should reach: that is why only hosts of
    a list are asked at all.
    """
    if address.version == 6 and address in _NAT64:
        address = IPv4Address(int(address) & 0xFFFF_FFFF)
    if address.version == 4:
        return not any(address in block for block in _RESERVED_IPV4)
    return address in _GLOBAL_UNICAST and not any(address in block for block in _RESERVED_IPV6)
