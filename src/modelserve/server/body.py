"""Reading a request's body within its limit, unpacked where the client compressed it."""

from __future__ import annotations

from fastapi import Request

from modelserve.protocol.compressed import too_large, unpack


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
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > max_bytes:
        raise too_large(max_bytes)
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > max_bytes:
            raise too_large(max_bytes)
        chunks.append(chunk)
    body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    return body if encoding in ("", "identity") else unpack(body, encoding, max_bytes=max_bytes)
