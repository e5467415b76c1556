"""Features of texts: they move when what they are named for does, and are the same everywhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from modelserve.drift.features import Extractor, assets_of
from modelserve.drift.features.extracting import AssetError
from modelserve.drift.features.language import guess_language
from modelserve.drift.features.text import DIMENSIONS, embed
from modelserve.events.calls import Entity, TextCall

SAMPLE = Path(__file__).parents[3] / "samples" / "bert-ner"
MERKEL = "Angela Merkel met Barack Obama in Berlin."


@pytest.fixture(scope="module")
def extractor() -> Extractor:
    return Extractor(assets_of(SAMPLE), shown=True)


def call(*texts: str, entities: list[Entity] | None = None) -> TextCall:
    return TextCall("names", "one", "sha256:a", 0.1, texts, [entities or []] * len(texts))


def test_what_is_told_of_a_text(extractor: Extractor) -> None:
    found = [Entity("PER", "Angela Merkel", 0, 13, 0.9), Entity("LOC", "Berlin", 34, 40, 0.7)]
    (row,), (shown,) = extractor.examine(call(MERKEL, entities=found))
    assert set(row) == {
        "has_PER", "has_LOC", "confidence", "language", "length", "unknown_share", "embedding",
    }  # fmt: skip
    assert row["confidence"] == pytest.approx(0.8)
    assert row["has_PER"] is True
    assert row["unknown_share"] == 0.0
    assert 8 <= float(row["length"]) <= 12
    assert shown == MERKEL.encode()


def test_a_text_without_entities_has_no_confidence(extractor: Extractor) -> None:
    (row,), _ = extractor.examine(call("Nothing that has a name is in this sentence."))
    assert "confidence" not in row
    assert not any(name.startswith("has_") for name in row)


def test_the_empty_text(extractor: Extractor) -> None:
    (row,), (shown,) = extractor.examine(call(""))
    assert row == {"length": 0.0, "unknown_share": 0.0}
    assert shown == b""


def test_characters_that_the_model_does_not_know(extractor: Extractor) -> None:
    rows, _ = extractor.examine(call("a known text", "𓀀 𓀁 𓀂 text"))
    assert rows[0]["unknown_share"] == 0.0
    assert float(rows[1]["unknown_share"]) >= 0.5


def test_a_longer_text_is_longer_up_to_a_book(extractor: Extractor) -> None:
    rows, shown = extractor.examine(call("word " * 10, "word " * 20, "word " * 2000, "word " * 200_000))
    lengths = [float(row["length"]) for row in rows]
    assert lengths == [10, 20, 2000, 2000]
    assert len(shown[-1] or b"") == 200


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Die Kanzlerin hat gestern den Präsidenten in Berlin getroffen.", "de"),
        ("The chancellor met the president in Berlin yesterday evening.", "en"),
        ("Le président a rencontré la chancelière hier soir à Berlin.", "fr"),
        ("Президент встретился с канцлером вчера вечером в Берлине.", "ru"),  # noqa: RUF001
        ("昨日の夜、大統領はベルリンで首相と会談しました。", "ja"),
    ],
)
def test_languages(text: str, language: str) -> None:
    assert guess_language(text) == language


@pytest.mark.parametrize(
    "text", ["Berlin", "Müller", "12345678901234567890 !!!", "→ 12 €", "½ 5 µm", "…………………… 😀"]
)
def test_too_little_text_has_no_language(text: str) -> None:
    assert guess_language(text) is None


def test_a_few_letters_of_another_script_have_one() -> None:
    assert guess_language("昨日") == "zh"
    assert guess_language("12 ↦ Москва") == "ru"


def test_an_embedding_is_the_same_everywhere() -> None:
    """Written down on 2026-11-25: references outlive machines and versions of NumPy."""
    found = embed(np.array([1, 2, 3, 500, 35_999], np.uint64))
    assert found.dtype == np.float32
    assert found.shape == (DIMENSIONS,)
    assert np.linalg.norm(found) == pytest.approx(1, abs=1e-6)
    signs = "".join("+" if value > 0 else "-" for value in found)
    assert signs == "+++-+--+-+-+-+--------+-+---+--++++-+++---++-+-+-+-++-+----+-+++"


def test_texts_with_the_same_pieces_are_near(extractor: Extractor) -> None:
    rows, _ = extractor.examine(
        call(
            MERKEL,
            "Angela Merkel met Barack Obama in Paris.",
            "The quarterly revenue of semiconductor makers fell by a third.",
        )
    )
    one, near, far = (np.asarray(row["embedding"]) for row in rows)
    assert one @ near > 0.7
    assert one @ far < 0.5


def test_without_a_tokenizer() -> None:
    (row,), _ = Extractor({}, shown=False).examine(call(MERKEL))
    assert set(row) == {"language"}


def test_nothing_is_shown_where_nothing_may_be() -> None:
    _, shown = Extractor({}, shown=False).examine(call(MERKEL))
    assert shown == [None]


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"model": 1}'])
def test_files_that_are_no_tokenizer(content: bytes) -> None:
    with pytest.raises(AssetError, match=r"tokenizer\.json cannot be used"):
        Extractor({"tokenizer.json": content}, shown=False)


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match="is no folder"):
        assets_of(tmp_path / "none")
    assert assets_of(tmp_path) == {}
