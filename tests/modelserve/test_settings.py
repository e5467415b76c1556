from __future__ import annotations

import subprocess
import sys

import pytest

from modelserve.settings import PredictorSettings, RemoteSettings, ServerSettings, parse_settings


def parse(*argv: str) -> ServerSettings:
    return parse_settings(ServerSettings, argv, program="test")


def test_defaults_are_the_contracts_ports() -> None:
    settings = parse()
    assert (settings.http_port, settings.grpc_port) == (8080, 8081)


def test_a_flag_wins_over_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELSERVE_HTTP_PORT", "9000")
    monkeypatch.setenv("MODELSERVE_MAX_BATCH", "7")
    settings = parse("--http_port", "9001")
    assert (settings.http_port, settings.max_batch) == (9001, 7)


def test_kserves_flags_are_understood() -> None:
    argv = ("--model_name=ner", "--model_dir=/mnt/models", "--http_port=8085")
    settings = parse_settings(PredictorSettings, argv, program="test")
    assert (settings.model_name, str(settings.model_dir), settings.http_port) == ("ner", "/mnt/models", 8085)


def test_revision_is_knatives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("K_REVISION", raising=False)
    assert parse().revision == "local"
    monkeypatch.setenv("K_REVISION", "ner-00007")
    assert parse().revision == "ner-00007"


@pytest.mark.parametrize(
    ("argv", "word"),
    [
        (("--http_port", "many"), "http_port"),
        (("--http_port", "70000"), "http_port"),
        (("--max_batch", "0"), "max_batch"),
        (("--engine", "caffe"), "engine"),
        (("--no_such_flag", "1"), "no_such_flag"),
    ],
)
def test_a_wrong_flag_is_status_2_and_one_line(
    argv: tuple[str, ...], word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as raised:
        parse(*argv)
    assert raised.value.code == 2
    assert word in capsys.readouterr().err


def test_a_wrong_variable_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MODELSERVE_HTTP_PORT", "many")
    with pytest.raises(SystemExit) as raised:
        parse()
    assert raised.value.code == 2
    assert "http_port" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("module", "settings"),
    [
        ("bert_ner", PredictorSettings),
        ("resnet_classifier", PredictorSettings),
        ("ner_text", RemoteSettings),
        ("image_tensors", RemoteSettings),
        ("token_attribution", RemoteSettings),
        ("image_attribution", RemoteSettings),
    ],
)
def test_help_explains_every_flag_and_needs_no_model(module: str, settings: type[ServerSettings]) -> None:
    command = [sys.executable, "-m", module, "--help"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    for name, field in settings.model_fields.items():
        assert f"--{name}" in answer.stdout
        assert field.description
