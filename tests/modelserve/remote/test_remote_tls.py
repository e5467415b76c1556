"""A predictor behind TLS, with an authority of the cluster's own."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelserve.errors import Unavailable
from modelserve.protocol.messages import InferenceRequest, Tensor

CALL = InferenceRequest("echo", (Tensor("x", "FP32", np.ones(3, "<f4")),))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost that is its own authority; its key is beside it."""
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        [
            *(
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
            ),
            *("-subj", "/CN=predictor", "-addext", "subjectAltName=DNS:localhost", "-days", "1"),
            *("-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem")),
        ],
        check=True,
        capture_output=True,
    )
    return folder / "certificate.pem"


@pytest.mark.parametrize("protocol", ["v2", "grpc-v2"])
async def test_the_authorities_are_those_of_ssl_cert_file(
    certificate: Path,
    echo: Any,
    serve: Any,
    passage: Any,
    connect: Any,
    monkeypatch: pytest.MonkeyPatch,
    protocol: str,
) -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate, certificate.with_name("key.pem"))
    tls.set_alpn_protocols(["h2", "http/1.1"])
    gateway = passage((await serve(echo)).host(protocol), tls=tls)
    host = (await gateway.open()).replace("127.0.0.1", "localhost")
    stranger = connect(host, protocol, predictor_use_ssl=True)
    with pytest.raises(Unavailable):
        await stranger.infer(CALL, timeout_seconds=20)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    friend = connect(host, protocol, predictor_use_ssl=True)
    response = await friend.infer(CALL, timeout_seconds=20)
    assert response.outputs[0].array.tolist() == [1, 1, 1]
