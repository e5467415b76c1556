"""Unpacking what a client compressed, no further than a bound: a few bytes may stand for very many."""

from __future__ import annotations

import zlib

from modelserve.errors import InvalidInput, TooLarge

_WINDOW_BITS = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}


def unpack(body: bytes, encoding: str, *, max_bytes: int) -> bytes:
    """The body that was compressed.

    Args:
        body: as it was sent.
        encoding: the word of HTTP's ``Content-Encoding`` for it, in lower case.
        max_bytes: the most that is unpacked.

    Raises:
        TooLarge: it unpacks to more.
        InvalidInput: the encoding is unknown, or the body does not unpack.
    """
    bits = _WINDOW_BITS.get(encoding)
    if bits is None:
        raise InvalidInput(
            f"content encoding {encoding[:40]!r} is unknown; gzip, deflate and identity are accepted"
        )
    unpacker = zlib.decompressobj(bits)
    try:
        unpacked = unpacker.decompress(body, max_bytes + 1)
    except zlib.error as error:
        raise InvalidInput(f"the body is no {encoding} data, as its content encoding says") from error
    if len(unpacked) > max_bytes:
        raise too_large(max_bytes)
    if not unpacker.eof:
        raise InvalidInput(f"the body's {encoding} data ends too early")
    return unpacked


def too_large(max_bytes: int) -> TooLarge:
    """The refusal of a body of more bytes."""
    return TooLarge(f"the body is too large; at most {max_bytes} bytes are accepted")
