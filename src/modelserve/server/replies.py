"""Answers in JSON, those to what is refused included, for every REST server of this package."""

from __future__ import annotations

import logging
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from modelserve.errors import Overloaded, RequestError

logger = logging.getLogger(__name__)


def reply(content: Any, status: int = 200) -> Response:
    """A JSON answer."""
    return Response(orjson.dumps(content), status, media_type="application/json")


def error_reply(status: int, sentence: str, headers: Any = None) -> Response:
    """An error's answer, with the sentence that the caller is told."""
    return Response(orjson.dumps({"error": sentence}), status, media_type="application/json", headers=headers)


def refusal(error: RequestError) -> Response:
    """The answer to a call that is not taken, or that failed for a reason which the caller is told."""
    headers = {}
    if isinstance(error, Overloaded):
        headers["Retry-After"] = str(error.retry_after_seconds)
    return error_reply(error.http_status, str(error), headers)


def fault(path: str, error: Exception) -> Response:
    """The answer to a call on which the server itself failed; the log says why."""
    logger.error("a call to %s failed", path, exc_info=error)
    return error_reply(500, "the server failed to answer; its log says why")


def add_errors(app: FastAPI) -> None:
    """Make every error a JSON answer with one sentence, as all servers of this package do."""

    async def refused(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestError)
        return refusal(error)

    async def unknown(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        path = request.url.path
        sentences = {
            404: f"path {path} is unknown; /docs lists those that this server has",
            405: f"path {path} does not accept {request.method}; /docs says what it accepts",
        }
        return error_reply(error.status_code, sentences.get(error.status_code, error.detail), error.headers)

    async def mistaken(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        return error_reply(400, f"{first['loc'][-1]}: {first['msg']}")

    async def failed(request: Request, error: Exception) -> Response:
        return fault(request.url.path, error)

    app.add_exception_handler(RequestError, refused)
    app.add_exception_handler(HTTPException, unknown)
    app.add_exception_handler(RequestValidationError, mistaken)
    app.add_exception_handler(Exception, failed)
