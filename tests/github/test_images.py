"""Images by the scripts that the workflows call: a real registry on this machine gets a real archive."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from http_servers import free_ports

SCRIPTS = Path(__file__).parents[2] / "scripts"


def call(script: str, *arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SCRIPTS / script, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A registry of images, without one in it."""
    program = shutil.which("docker-registry")
    if program is None:
        pytest.fail("docker-registry is not on the PATH; scripts/test_programs.sh installs it")
    folder = tmp_path_factory.mktemp("registry")
    (port,) = free_ports(1)
    (folder / "config.yml").write_text(
        json.dumps(
            {
                "version": 0.1,
                "log": {"level": "error"},
                "storage": {"filesystem": {"rootdirectory": str(folder / "images")}},
                "http": {"addr": f"127.0.0.1:{port}"},
            }
        )
    )
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, "serve", folder / "config.yml"], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                httpx.get(f"http://127.0.0.1:{port}/v2/").raise_for_status()
                break
            except httpx.HTTPError:
                assert process.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.1)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(60)


def make_archive(path: Path, content: bytes) -> Path:
    """An OCI archive of one layer with one file."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        _add(tar, "file", content)
    blobs: dict[str, bytes] = {}

    def keep(kind: str, blob: bytes) -> dict[str, object]:
        digest = hashlib.sha256(blob).hexdigest()
        blobs[digest] = blob
        return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(blob)}

    of_layer = keep("application/vnd.oci.image.layer.v1.tar", layer.getvalue())
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [of_layer["digest"]]},
    }
    of_config = keep("application/vnd.oci.image.config.v1+json", json.dumps(config).encode())
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": of_config,
        "layers": [of_layer],
    }
    of_manifest = keep(manifest["mediaType"], json.dumps(manifest).encode())  # type: ignore[arg-type]
    with tarfile.open(path, "w") as tar:
        _add(tar, "oci-layout", b'{"imageLayoutVersion": "1.0.0"}')
        _add(tar, "index.json", json.dumps({"schemaVersion": 2, "manifests": [of_manifest]}).encode())
        for digest, blob in blobs.items():
            _add(tar, f"blobs/sha256/{digest}", blob)
    return path


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    tar.addfile(entry, io.BytesIO(content))


def test_what_is_printed_is_what_the_registry_has(registry: str, tmp_path: Path) -> None:
    archive = make_archive(tmp_path / "image.tar", b"one")
    done = call("publish_image.sh", archive, f"{registry}/some/unit", "abc-cpu")
    assert done.returncode == 0, done.stderr
    found = re.fullmatch(rf"{registry}/some/unit@(sha256:[0-9a-f]{{64}})\n", done.stdout)
    assert found is not None, done.stdout
    accept = {"Accept": "application/vnd.oci.image.manifest.v1+json"}
    answer = httpx.get(f"http://{registry}/v2/some/unit/manifests/abc-cpu", headers=accept)
    assert f"sha256:{hashlib.sha256(answer.content).hexdigest()}" == found[1]


def test_a_tag_that_is_there_is_taken_as_it_is(registry: str, tmp_path: Path) -> None:
    first = call("publish_image.sh", make_archive(tmp_path / "1.tar", b"one"), f"{registry}/again", "tag")
    second = call("publish_image.sh", make_archive(tmp_path / "2.tar", b"two"), f"{registry}/again", "tag")
    assert (second.returncode, second.stdout) == (0, first.stdout), second.stderr


def test_a_registry_that_is_away_is_told(tmp_path: Path) -> None:
    archive = make_archive(tmp_path / "image.tar", b"one")
    (port,) = free_ports(1)
    done = call("publish_image.sh", archive, f"127.0.0.1:{port}/unit", "tag")
    assert (done.returncode != 0, done.stdout) == (True, "")
    assert "connection refused" in done.stderr


@pytest.mark.parametrize(
    ("script", "arguments", "sentence"),
    [
        ("build_image.sh", ["nosuch", "cpu", "image.tar"], "nosuch is no unit with a Dockerfile"),
        ("build_image.sh", ["ner-text", "gpu", "image.tar"], "ner-text has one flavour, cpu, and no gpu"),
        ("build_image.sh", ["ner-text"], "usage: build_image.sh UNIT FLAVOUR ARCHIVE"),
        ("publish_image.sh", ["image.tar"], "usage: publish_image.sh ARCHIVE REPOSITORY TAG"),
        # A tag may be another image a moment later: no signature is made by one.
        (
            "sign_image.sh",
            ["registry.example.com/unit:tag", "bom"],
            "usage: sign_image.sh REPOSITORY@DIGEST SBOM",
        ),
        (
            "promote_image.sh",
            ["registry.example.com/unit:tag", "x"],
            "usage: promote_image.sh REPOSITORY@DIGEST",
        ),
        ("sign_in_to_ecr.sh", ["registry.example.com"], "is no registry of ECR"),
        ("install_tool.sh", ["nosuch"], "usage: install_tool.sh actionlint|"),
        ("image_bom.sh", [], "usage: image_bom.sh ARCHIVE"),
        ("scan_image.sh", [], "usage: scan_image.sh SBOM"),
        ("audit.sh", [], "usage: audit.sh BIN [LOCK…]"),
    ],
)
def test_refusals(script: str, arguments: list[str], sentence: str) -> None:
    done = call(script, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert sentence in done.stderr


def test_nothing_is_promoted_without_a_signer(tmp_path: Path) -> None:
    reference = f"registry.example.com/unit@sha256:{'a' * 64}"
    done = call("promote_image.sh", reference, "registry.example.com/other", CERTIFICATE_IDENTITY="")
    assert done.returncode != 0
    assert "is who has to have signed the image" in done.stderr


def test_a_folder_without_references_promotes_nothing(tmp_path: Path) -> None:
    done = call("promote_images.sh", tmp_path, "registry.example.com", tmp_path / "out")
    assert done.returncode == 1
    assert "has no file *.reference" in done.stderr
