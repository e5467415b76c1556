"""The webhook's certificate: made by the controller, shared by its replicas in a Secret, renewed in time."""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from modelserve.canary.rollout.objects import TIMEOUT_SECONDS, telling

_VALID = timedelta(days=90)
_RENEWED_BEFORE = timedelta(days=30)
_CERTIFICATE, _KEY = "tls.crt", "tls.key"


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate that vouches for itself, and its key, in PEM."""

    certificate: bytes
    key: bytes

    def is_good(self, host: str, *, now: datetime) -> bool:
        """Whether it is for that host, and need not be renewed yet."""
        try:
            found = x509.load_pem_x509_certificate(self.certificate)
            names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except (ValueError, x509.ExtensionNotFound):
            return False
        return _name_of(host) in names and found.not_valid_after_utc - _RENEWED_BEFORE > now


def make_certificate(host: str, *, now: datetime) -> Certificate:
    """A new one.

    Args:
        host: by which the API server calls it, as ``NAME.NAMESPACE.svc``, or an address.
        now: from when on it is valid, with an hour for clocks that are behind.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host[:64])])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + _VALID)
        .add_extension(x509.SubjectAlternativeName([_name_of(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Certificate(
        made.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )


class SharedCertificate:
    """The certificate of all replicas, in a Secret that whoever comes first makes.

    Where another writes at the same time, that one's holds. All methods raise ``CannotRollOut`` where the
    cluster does not answer.

    Args:
        connection: to the cluster.
        namespace: of the Secret.
        name: of the Secret.
        host: that it is for.
    """

    def __init__(self, connection: client.ApiClient, namespace: str, name: str, host: str) -> None:
        self._core = client.CoreV1Api(connection)
        self._namespace, self._name, self._host = namespace, name, host

    def get(self) -> Certificate:
        """A good one, renewed where it is time."""
        while True:
            secret = self._read()
            now = datetime.now(timezone.utc)
            if secret is not None and (found := _of(secret)).is_good(self._host, now=now):
                return found
            self._write(make_certificate(self._host, now=now), secret)

    def _read(self) -> client.V1Secret | None:
        with telling(f"Secret {self._namespace}/{self._name}"):
            try:
                return self._core.read_namespaced_secret(
                    self._name, self._namespace, _request_timeout=TIMEOUT_SECONDS
                )
            except ApiException as error:
                if error.status != 404:
                    raise
                return None

    def _write(self, certificate: Certificate, old: client.V1Secret | None) -> None:
        data = {_CERTIFICATE: certificate.certificate, _KEY: certificate.key}
        secret = old or client.V1Secret(
            metadata=client.V1ObjectMeta(name=self._name), type="kubernetes.io/tls"
        )
        secret.data = {name: b64encode(value).decode() for name, value in data.items()}
        with telling(f"Secret {self._namespace}/{self._name}"):
            try:
                if old is None:
                    self._core.create_namespaced_secret(
                        self._namespace, secret, _request_timeout=TIMEOUT_SECONDS
                    )
                else:
                    self._core.replace_namespaced_secret(
                        self._name, self._namespace, secret, _request_timeout=TIMEOUT_SECONDS
                    )
            except ApiException as error:
                if error.status != 409:
                    raise


def trust(connection: client.ApiClient, configuration: str, certificate: Certificate) -> None:
    """Let the API server trust a certificate for all webhooks of a MutatingWebhookConfiguration.

    Args:
        connection: to the cluster.
        configuration: its name.
        certificate: of the webhooks' server.

    Raises:
        Gone: there is no such configuration.
        CannotRollOut: the cluster does not take it.
    """
    api = client.AdmissionregistrationV1Api(connection)
    bundle = b64encode(certificate.certificate).decode()
    with telling(f"MutatingWebhookConfiguration {configuration}"):
        found = api.read_mutating_webhook_configuration(configuration, _request_timeout=TIMEOUT_SECONDS)
        if all(one.client_config.ca_bundle == bundle for one in found.webhooks):
            return
        operations = [
            {"op": "add", "path": f"/webhooks/{number}/clientConfig/caBundle", "value": bundle}
            for number in range(len(found.webhooks))
        ]
        api.patch_mutating_webhook_configuration(configuration, operations, _request_timeout=TIMEOUT_SECONDS)


def _name_of(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _of(secret: client.V1Secret) -> Certificate:
    data = secret.data or {}
    return Certificate(*(b64decode(data.get(name, "")) for name in (_CERTIFICATE, _KEY)))
