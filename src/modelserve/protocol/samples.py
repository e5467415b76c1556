"""What this package's own clients send: texts and images as the models of the package take them."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

Item = str | bytes
"""A text, or an encoded image."""


def json_request(samples: Sequence[Item]) -> dict[str, Any]:
    """The body of a call over V2, all of it JSON.

    Args:
        samples: at least one, all of them texts or all images.
    """
    data = [one if isinstance(one, str) else base64.b64encode(one).decode() for one in samples]
    name = "text" if isinstance(samples[0], str) else "image"
    return {"inputs": [{"name": name, "datatype": "BYTES", "shape": [len(data)], "data": data}]}
