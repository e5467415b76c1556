"""What a model's inputs and answers were like when it was good: the baseline of its drift.

A reference is one file: features of samples, never the samples themselves, and what the model's folder has
that features are told by. It belongs to the weights by whose answers it was made.
"""

from __future__ import annotations

import hashlib
import io
import json
import time
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from modelserve.drift.table import DAMAGE, Table, TableError
from modelserve.errors import ModelServeError

MAX_BYTES = 256 * 1024 * 1024
"""Of a reference, unpacked."""

_ABOUT, _TABLE, _ASSETS = "reference.json", "features.npz", "assets/"
_FORMAT = 1
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same reference is the same bytes


class NoReference(ModelServeError):
    """A file or bytes that are no reference; the message says what is accepted."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Features of samples of one model.

    Attributes:
        version: when it was made, and a digest of its features: later ones sort after earlier ones.
        model: its name.
        model_digest: of the weights whose answers are in it.
        created: in seconds since 1970.
        origin: what the samples were, for people.
        table: of the features.
        assets: files of the model's folder that the features are told by, as ``tokenizer.json``.
    """

    version: str
    model: str
    model_digest: str
    created: float
    origin: str
    table: Table
    assets: Mapping[str, bytes]

    @classmethod
    def make(
        cls, table: Table, *, model: str, model_digest: str, origin: str, assets: Mapping[str, bytes]
    ) -> Reference:
        """A reference of now."""
        created = time.time()
        digest = hashlib.sha256(table.to_bytes()).hexdigest()[:8]
        version = f"{datetime.fromtimestamp(created, timezone.utc):%Y%m%dT%H%M%SZ}-{digest}"
        return cls(version, model, model_digest, created, origin, table, assets)

    def to_bytes(self) -> bytes:
        """A zip file: ``reference.json``, ``features.npz`` and ``assets/``."""
        about = {
            "format": _FORMAT,
            "version": self.version,
            "model": self.model,
            "model_digest": self.model_digest,
            "created": self.created,
            "origin": self.origin,
            "samples": self.table.size,
            "features_version": self.table.version,
            "features": {name: kind.value for name, kind in self.table.kinds.items()},
        }
        files = {_ABOUT: json.dumps(about, indent=2).encode(), _TABLE: self.table.to_bytes()}
        files.update({_ASSETS + name: content for name, content in sorted(self.assets.items())})
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                archive.writestr(zipfile.ZipInfo(name, _EPOCH), content, zipfile.ZIP_DEFLATED)
        return stream.getvalue()

    @classmethod
    def from_bytes(cls, packed: bytes) -> Reference:
        """The reference of those bytes.

        Raises:
            NoReference: they are none that ``to_bytes`` gives.
        """
        try:
            with zipfile.ZipFile(io.BytesIO(packed)) as archive:
                if sum(entry.file_size for entry in archive.infolist()) > MAX_BYTES:
                    raise NoReference(f"it unpacks to more than {MAX_BYTES} bytes, which is the most")
                about: dict[str, Any] = json.loads(archive.read(_ABOUT))
                if about["format"] != _FORMAT:
                    raise NoReference(f"it is of format {about['format']!r}; {_FORMAT} is accepted")
                return cls(
                    version=str(about["version"]),
                    model=str(about["model"]),
                    model_digest=str(about["model_digest"]),
                    created=float(about["created"]),
                    origin=str(about["origin"]),
                    table=Table.from_bytes(archive.read(_TABLE)),
                    assets={
                        name[len(_ASSETS) :]: archive.read(name)
                        for name in archive.namelist()
                        if name.startswith(_ASSETS)
                    },
                )
        except (*DAMAGE, TableError) as error:
            raise NoReference(
                f"this is no reference ({error}); a file of `modelserve drift reference` is accepted"
            ) from error

    @classmethod
    def load(cls, path: Path) -> Reference:
        """The reference in a file.

        Raises:
            NoReference: it cannot be read, or holds none.
        """
        try:
            return cls.from_bytes(path.read_bytes())
        except OSError as error:
            raise NoReference(f"{path} cannot be read: {error}") from error
        except NoReference as error:
            raise NoReference(f"{path}: {error}") from error
