from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from modelserve.errors import ModelLoadError
from resnet_classifier.labels import load_labels


@pytest.mark.parametrize(
    "text", ["cat\ndog\n", "cat\ndog", "cat\r\ndog\r\n", "cat\ndog\n\n \n", "\ufeffcat\n dog \n"]
)
def test_labels_txt(tmp_path: Path, text: str) -> None:
    (tmp_path / "labels.txt").write_bytes(text.encode())
    assert load_labels(tmp_path, 2) == ("cat", "dog")


def test_a_name_keeps_its_spaces_and_letters(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("great white shark\n日本\u2028犬\n", "utf-8")
    assert load_labels(tmp_path, 2) == ("great white shark", "日本\u2028犬")


def test_id2label_of_a_hugging_face_folder(tmp_path: Path) -> None:
    names = {str(number): f"class {number}" for number in reversed(range(12))}
    (tmp_path / "config.json").write_text(json.dumps({"id2label": names}), "utf-8")
    assert load_labels(tmp_path, 12) == tuple(f"class {number}" for number in range(12))


def test_labels_txt_comes_before_config_json(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"id2label": {"0": "config"}}', "utf-8")
    (tmp_path / "labels.txt").write_text("text\n", "utf-8")
    assert load_labels(tmp_path, 1) == ("text",)


@pytest.mark.parametrize("config", [None, "{}", "[]"])
def test_without_names_classes_are_numbered_and_a_warning_says_so(
    tmp_path: Path, config: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    if config is not None:
        (tmp_path / "config.json").write_text(config, "utf-8")
    with caplog.at_level(logging.WARNING):
        labels = load_labels(tmp_path, 1000)
    assert labels == tuple(map(str, range(1000)))
    assert "no labels.txt" in caplog.text


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("labels.txt", b"a\nb\n", "names 2 classes, but the weights have 3"),
        ("labels.txt", b"a\n\nb\n", "line 2 is empty"),
        ("labels.txt", b"", "line 1 is empty"),
        ("labels.txt", b"\xff\n", "is no UTF-8"),
        ("config.json", b"{", "is no JSON"),
        ("config.json", b'{"id2label": {"0": "a"}}', "names 1 classes, but the weights have 3"),
        ("config.json", b'{"id2label": {"0": "a", "2": "b", "3": "c"}}', "a name to each number from 0"),
        ("config.json", b'{"id2label": ["a", "b", "c"]}', "a name to each number from 0"),
        ("config.json", b'{"id2label": 3}', "a name to each number from 0"),
    ],
)
def test_names_that_do_not_fit_are_refused(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelLoadError, match=message):
        load_labels(tmp_path, 3)
