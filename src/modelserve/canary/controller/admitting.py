"""The webhook beside the controller: every replica answers it, with one certificate."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass

from kubernetes import client

from modelserve.canary.admission.certificates import Certificate, SharedCertificate, trust
from modelserve.canary.admission.gate import Gate
from modelserve.canary.admission.server import WebhookServer
from modelserve.canary.rollout import CannotRollOut

NAME = "modelserve-canary"
"""Of the MutatingWebhookConfiguration, of its Secret, and of the Service in front."""

_LOOK_SECONDS = 60.0
"""So long a replica shows the certificate that another has renewed, and a configuration that is made anew is
not told of it: the API server calls in vain until then."""

_RETRY_SECONDS = 10.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """How the webhook is served.

    Attributes:
        host: address to listen on.
        port: likewise; 0 takes a free one.
        name: by which the API server calls it; None for that of the Service beside the controller.
        kserve_namespace: that KServe is in.
    """

    host: str
    port: int
    name: str | None
    kserve_namespace: str


class Admitting:
    """The webhook, from its start to ``close``.

    Args:
        connection: to the cluster.
        namespace: of the Secret.
        settings: how it is served.

    Raises:
        CannotRollOut: the certificate cannot be had.
        StartError: the port is taken.
    """

    def __init__(self, connection: client.ApiClient, namespace: str, settings: WebhookSettings) -> None:
        self._connection = connection
        host = settings.name or f"{NAME}.{namespace}.svc"
        self._shared = SharedCertificate(connection, namespace, NAME, host)
        self._shown = self._shared.get()
        gate = Gate(connection, kserve_namespace=settings.kserve_namespace)
        self._server = WebhookServer(gate.decide, self._shown)
        self.port = self._server.start(settings.host, settings.port)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep_trusted, name="certificate", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Answer what was asked, and end."""
        self._ended.set()
        self._server.stop()
        self._thread.join()

    def _keep_trusted(self) -> None:
        pause_seconds = 0.0
        while not self._ended.wait(pause_seconds):
            try:
                self._show(self._shared.get())
                trust(self._connection, NAME, self._shown)
                pause_seconds = _LOOK_SECONDS
            except CannotRollOut as error:
                logger.warning("the API server cannot be told of the certificate: %s", error)
                pause_seconds = _RETRY_SECONDS

    def _show(self, certificate: Certificate) -> None:
        if certificate != self._shown:
            self._server.renew(certificate)
            self._shown = certificate
