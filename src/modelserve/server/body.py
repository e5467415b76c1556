"""Reading a request's body within its limit, unpacked where the client compressed it."""

from __future__ import annotations

import zlib

from fastapi import Request

from modelserve.errors import InvalidInput, TooLarge

_WINDOW_BITS = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}


async def read_body(request: Request, *, max_bytes: int) -> bytes:
    """Read the whole body.

    Args:
        request: the request, its body not read yet.
        max_bytes: the most that is taken, counted after unpacking, so that a small compressed body
            cannot fill the memory.

    Raises:
        TooLarge: the body is over the limit; what follows is not read.
        InvalidInput: the content encoding is unknown, or the body does not unpack.
    """
    refusal = TooLarge(f"the body is too large; at most {max_bytes} bytes are accepted")
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > max_bytes:
        raise refusal
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > max_bytes:
            raise refusal
        chunks.append(chunk)
    body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding in ("", "identity"):
        return body
    return _unpack(body, encoding, max_bytes, refusal)


def _unpack(body: bytes, encoding: str, max_bytes: int, refusal: TooLarge) -> bytes:
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
        raise refusal
    if not unpacker.eof:
        raise InvalidInput(f"the body's {encoding} data ends too early")
    return unpacked
