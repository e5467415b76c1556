"""A secret that a process is given is in nothing that it says, whatever is wrong with its settings.

Each process is started as people start it, with a marked secret in the one setting, in forms that it takes
and in forms that it does not. What it says, and what it answers, is searched for the mark.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from http_servers import free_ports

ROOT = Path(__file__).parents[2]
SECRET = "Marked5ecret"
Command = tuple[str, ...]
Variables = dict[str, str]

CLI: Command = ("modelserve.cli",)
SERVE = (*CLI, "serve", "--model", f"bert-ner={ROOT / 'samples/bert-ner'}", "--log_level", "debug")
DETECTOR = ("drift_detector", "--log_level", "debug")
PIPELINES = (*CLI, "pipeline", "serve", str(ROOT / "examples/news-photo"))
WORKER = (*CLI, "pipeline", "work")
PHOTO = f"photo={ROOT / 'samples/images/cat.jpg'}"
RUN = (*CLI, "pipeline", "run", str(ROOT / "examples/news-photo"), "--input_file", PHOTO, "--model")
TEXTS = str(ROOT / "samples/texts/english.txt")
REFERENCE = (*CLI, "drift", "reference", "--model", "bert-ner", "--output", "r.zip", "--text_file", TEXTS)

# Nobody listens on port 1. The others are mistakes that people make: a port that is none, a scheme that is
# none, a password with a character that ends the URL's authority.
REDIS = (
    f"redis://:{SECRET}@127.0.0.1:1/0",
    f"redis://me:{SECRET}@127.0.0.1:port",
    f"radish://me:{SECRET}@127.0.0.1:1",
    f"redis://me:a/{SECRET}@127.0.0.1:1",
    f"redis://me:{SECRET}@127.0.0.1:1/zero",
    f"redis://me:{SECRET}@[127.0.0.1",
)
POSTGRES = (
    f"postgresql+psycopg://me:{SECRET}@127.0.0.1:1/runs",
    f"postgresql+psycopg://me:{SECRET}@127.0.0.1:port/runs",
    f"postgres://me:{SECRET}@127.0.0.1:1/runs",
    f"postgresql+psycopg://me:a/{SECRET}@127.0.0.1:1/runs",
    f"postgresql+psycopg://127.0.0.1:1/runs?password={SECRET}",
    f"postgresql+psycopg://127.0.0.1:1/runs?passwort={SECRET}",
    f"me:{SECRET}@127.0.0.1",
)
HTTP = (
    f"http://me:{SECRET}@127.0.0.1:1",
    f"http://me:{SECRET}@127.0.0.1:port",
    f"ftp://me:{SECRET}@127.0.0.1:1",
    f"http://me:{SECRET}/a@127.0.0.1:1",
)


def _by(name: str, urls: tuple[str, ...], command: Command) -> list[tuple[Command, Variables]]:
    """A process for each URL, which a variable has, or where its name is a flag's the command line."""
    if name.startswith("--"):
        return [((*command, name, url), {}) for url in urls]
    return [(command, {name: url}) for url in urls]


HEADERS = {
    "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1",
    "OTEL_EXPORTER_OTLP_HEADERS": f"authorization={SECRET},{SECRET}",
}
CASES: dict[str, list[tuple[Command, Variables]]] = {
    "serve, cache": _by("MODELSERVE_CACHE_URL", REDIS, SERVE),
    "serve, log": _by("--log_url", HTTP, SERVE),
    "serve, traces": [*_by("OTEL_EXPORTER_OTLP_ENDPOINT", HTTP[:1], SERVE), (SERVE, HEADERS)],
    "detector, shared": _by("MODELSERVE_SHARED_URL", REDIS, DETECTOR),
    "detector, store": _by("MODELSERVE_STORE", POSTGRES, DETECTOR),
    "detector, notices": _by("MODELSERVE_NOTIFY_URL", HTTP, DETECTOR),
    "pipelines, queue": _by("MODELSERVE_QUEUE_URL", REDIS[:3], PIPELINES),
    "pipelines, store": _by("MODELSERVE_STORE_URL", POSTGRES[:3], PIPELINES),
    "worker, queue": _by("MODELSERVE_QUEUE_URL", REDIS[:3], (*WORKER, "--store_url", "sqlite://")),
    "pipeline submit": _by("--url", HTTP, (*CLI, "pipeline", "submit", "news-photo")),
    "pipeline run": [
        ((*RUN, f"tagger={url}", "--model", f"classifier={url}", "--input", "caption=Ada"), {})
        for url in HTTP
    ],
    "controller, store": _by("MODELSERVE_STORE_URL", POSTGRES, (*CLI, "canary", "controller")),
    "controller, flag": _by("--store", POSTGRES[:2], (*CLI, "canary", "controller")),
    "controller, events": _by("--event_sink", HTTP, (*CLI, "canary", "controller")),
    "canary plan": _by("--prometheus", HTTP, (*CLI, "canary", "plan", "names")),
    "predict": _by("--url", HTTP, (*CLI, "predict", "--model", "bert-ner", "--text", "Ada")),
    "bench": _by("--url", HTTP, (*CLI, "bench", "--model", "bert-ner", "--text", "Ada", "--seconds", "1")),
    "shadow": _by("--to", HTTP, (*CLI, "shadow", os.devnull)),
    "drift reference": _by("--url", HTTP, REFERENCE),
}


@pytest.mark.parametrize("name", CASES)
def test_it_is_not_told(name: str, tmp_path: Path) -> None:
    config = tmp_path / "kubeconfig"
    config.write_text(KUBECONFIG)
    # What clients of clouds and hubs read by themselves, and a cluster's token, are there in all of them.
    shared = {
        **os.environ,
        "KUBECONFIG": str(config),
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "HF_TOKEN": SECRET,
        "PYTHONWARNINGS": "default",
    }
    folders = [tmp_path / str(number) for number in range(len(CASES[name]))]
    for folder in folders:
        folder.mkdir()
    with ThreadPoolExecutor(len(folders)) as pool:
        all_said = list(
            pool.map(lambda case, folder: _said(case[0], {**shared, **case[1]}, folder), CASES[name], folders)
        )
    for (command, variables), said in zip(CASES[name], all_said, strict=True):
        assert said, f"{command} {variables} said nothing"
        assert SECRET not in said, f"{command} {variables} told it:\n{said}"


KUBECONFIG = f"""
apiVersion: v1
kind: Config
current-context: c
clusters: [{{name: c, cluster: {{server: "http://127.0.0.1:1"}}}}]
users: [{{name: u, user: {{token: {SECRET}}}}}]
contexts: [{{name: c, context: {{cluster: c, user: u, namespace: n}}}}]
"""


def _said(command: Command, environment: Variables, folder: Path) -> str:
    """All that a process says until it ends, or until it was asked for its pages and told to end."""
    http, other = map(str, free_ports(2))
    ports = []
    if command[: len(SERVE)] == SERVE:
        ports = ["--http_port", http, "--grpc_port", other]
    elif "controller" in command:
        ports = ["--http_port", http, "--webhook_port", other]
    elif "work" in command:
        ports = ["--metrics_port", http]
    elif "drift_detector" in command or command[: len(PIPELINES)] == PIPELINES:
        ports = ["--http_port", http]
    process = subprocess.Popen(
        [sys.executable, "-m", *command, *ports],
        env=environment,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    pages = ""
    for _ in range(120):
        if ports and not pages:
            pages = _pages(http)
        try:
            said, _ = process.communicate(timeout=0.5)
            return said + pages
        except subprocess.TimeoutExpired:
            if pages:
                process.send_signal(signal.SIGTERM)
    process.kill()
    said, _ = process.communicate()
    return said + pages


def _pages(port: str) -> str:
    """What it answers to those who ask, once it does; a call makes it need what it was given."""
    base = f"http://127.0.0.1:{port}"
    call = {"instances": ["Ada"]}
    try:
        found = [httpx.get(f"{base}{path}", timeout=5) for path in ("/metrics", "/readyz", "/health/ready")]
        found.append(httpx.post(f"{base}/v1/models/bert-ner:predict", json=call, timeout=5))
    except httpx.TransportError:
        return ""
    return "".join(answer.text for answer in found)
