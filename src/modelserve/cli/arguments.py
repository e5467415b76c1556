"""Values on the command line, and what is wrong with those that are refused."""

from __future__ import annotations

import argparse
import re
from ipaddress import ip_address

from modelserve.secrecy import without_secrets

_NO_ADDRESS = "is no address as http://localhost:9090"


def count(text: str) -> int:
    """A number of things, at least 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return value


def number(text: str) -> int:
    """A number of things, at least 0."""
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is negative")
    return value


def port(text: str) -> int:
    """A port to listen on; 0 takes a free one."""
    value = int(text)
    if not 0 <= value <= 65535:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 65535")
    return value


def positive(text: str) -> float:
    """A finite number above 0."""
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


def fraction(text: str) -> float:
    """A number between 0 and 1, neither of them."""
    value = float(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return value


def address(text: str) -> str:
    """The address of an HTTP API."""
    import httpx

    try:
        found = httpx.URL(text)
    except httpx.InvalidURL as error:
        # Without its reason, which can repeat a part of a password.
        raise argparse.ArgumentTypeError(f"{without_secrets(text)!r} {_NO_ADDRESS}") from error
    if found.scheme not in ("http", "https") or not found.host:
        raise argparse.ArgumentTypeError(f"{without_secrets(text)!r} {_NO_ADDRESS}")
    return text


def host(text: str) -> str:
    """A host, by its name or its address."""
    name = r"(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
    if not re.fullmatch(name, text, re.ASCII | re.IGNORECASE):
        try:
            ip_address(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{text!r} is no host as canary.example.com") from error
    return text


def host_and_port(text: str) -> str:
    """Who is connected to."""
    found = re.fullmatch(r"(?:\[[0-9a-fA-F:.]+\]|[\w.-]+):(\d{1,5})", text, re.ASCII)
    if found is None or not 0 < int(found[1]) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is no host with a port as localhost:8080")
    return text
