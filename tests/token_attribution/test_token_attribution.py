"""Explanations of the sample token classifier, over its own server."""

from __future__ import annotations

import html.parser
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

TEXT = "Angela Merkel met Barack Obama in Berlin on Tuesday, reporters of Reuters said."
TEXTS = (
    TEXT,
    "The singer Björk was born in Reykjavik and moved to London.",
    "Officials at Microsoft denied that Steve Ballmer would visit Paris.",
    "Real Madrid beat Liverpool, and Karim Benzema scored twice.",
    "In 1998 Google was founded by Larry Page near Stanford University.",
)

Explain = Callable[..., Any]


@pytest.fixture(scope="module")
def explain(server: Any, start_module_server: Any) -> Explain:
    """Calls an explainer before the sample predictor; the answer's status is checked."""
    explainer = start_module_server(
        "token_attribution", "--predictor_host", f"127.0.0.1:{server.http_port}", "--max_text_bytes", "2000"
    )

    def explain(*instances: Any, status: int = 200, path: str = ":explain", **parameters: Any) -> Any:
        answer = explainer.post(
            f"/v1/models/bert-ner{path}", json={"instances": instances, "parameters": parameters}
        )
        assert answer.status_code == status, answer.text
        return answer.json()["explanations" if status == 200 else "error"]

    return explain


def entities_of(server: Any, texts: Sequence[str]) -> list[list[dict[str, Any]]]:
    answer = server.post("/v1/models/bert-ner:predict", json={"instances": texts})
    found: list[list[dict[str, Any]]] = answer.json()["predictions"]
    return found


def test_every_entity_of_every_text_is_explained(server: Any, explain: Explain) -> None:
    explanations = explain(*TEXTS, max_calls=200)
    for text, told, expected in zip(TEXTS, explanations, entities_of(server, TEXTS), strict=True):
        for word in told["words"]:
            assert word["text"] == text[word["start"] : word["end"]]
        assert len(told["entities"]) == len(expected) > 0
        assert told["evaluations"] <= 40
        assert told["model_digest"].startswith("sha256:")
        assert told["predictor_revision"] == "local"
        assert "picture" not in told
        for one, entity in zip(told["entities"], expected, strict=True):
            assert [one[name] for name in ("type", "text", "start", "end")] == [
                entity[name] for name in ("type", "text", "start", "end")
            ]
            assert one["value"] == pytest.approx(entity["score"], abs=1e-4)
            assert len(one["attributions"]) == len(told["words"])
            gained = one["value"] - one["base_value"]
            assert sum(one["attributions"]) == pytest.approx(gained, abs=1e-4)


def test_a_name_depends_on_its_own_words_most(explain: Explain) -> None:
    (told,) = explain(TEXT, max_calls=120)
    words = [word["text"] for word in told["words"]]
    strongest = {
        one["text"]: words[int(np.argmax(one["attributions"]))]
        for one in told["entities"]
        if " " not in one["text"]
    }
    assert strongest["Berlin"] == "Berlin"


def test_a_small_budget_gives_coarser_attributions(explain: Explain) -> None:
    (fine,), (coarse,) = explain(TEXT, max_calls=80), explain(TEXT, max_calls=6)
    assert coarse["complete"] is False
    assert coarse["evaluations"] <= 6 < fine["evaluations"]
    values = coarse["entities"][0]["attributions"]
    assert len(set(values)) <= 4 < len(set(fine["entities"][0]["attributions"]))
    assert explain("Angela Merkel spoke.")[0]["complete"] is True


def test_one_entity_alone(explain: Explain) -> None:
    (every,), (one,) = explain(TEXT, max_calls=8), explain(TEXT, entity=1, max_calls=8)
    assert [entity["text"] for entity in one["entities"]] == [every["entities"][1]["text"]]
    assert "'entity' is 9" in explain(TEXT, entity=9, status=400)
    assert "no number" in explain("Nothing is named here.", entity=0, status=400)
    assert "'entity'" in explain(TEXT, entity=-1, status=400)
    assert "'entity'" in explain(TEXT, entity="first", status=400)


def test_texts_without_names(explain: Explain) -> None:
    for told in explain("", "  \n", "it rained"):
        assert told["entities"] == []
        assert (told["evaluations"], told["complete"]) == (1, True)


@pytest.mark.parametrize(
    ("instances", "status", "said"),
    [
        ([], 400, "no items"),
        ([1], 400, "a number"),
        ([{"text": "x"}], 400, "an object"),
        (["x" * 2001], 413, "2000"),
        (["x"] * 17, 413, "16"),
    ],
)
def test_what_is_no_text_is_refused(explain: Explain, instances: Any, status: int, said: str) -> None:
    assert said in explain(*instances, status=status)


def test_hiding_the_words_that_count_hurts_more_than_hiding_others(server: Any, explain: Explain) -> None:
    """The mean over all entities; a quarter of the words is crossed out, not hidden as the explainer does."""
    strongest, others = [], []
    for text, told in zip(TEXTS, explain(*TEXTS, max_calls=300), strict=True):
        words, random = told["words"], np.random.default_rng(11)
        count = max(1, len(words) // 4)
        for one in told["entities"]:
            chosen = [np.argsort(one["attributions"])[::-1][:count]]
            chosen += [random.permutation(len(words))[:count] for _ in range(10)]
            variations = [crossed_out(text, [words[index] for index in hidden]) for hidden in chosen]
            scores = [score_at(one, found) for found in entities_of(server, variations)]
            strongest.append(one["value"] - scores[0])
            others.append(one["value"] - np.mean(scores[1:]))
    assert np.mean(strongest) > 0.5
    assert np.mean(strongest) > 2 * np.mean(others)


def crossed_out(text: str, words: Sequence[dict[str, Any]]) -> str:
    letters = list(text)
    for word in words:
        letters[word["start"] : word["end"]] = "_" * (word["end"] - word["start"])
    return "".join(letters)


def score_at(one: dict[str, Any], found: Sequence[dict[str, Any]]) -> float:
    """The score of that entity's type at its place."""
    return max(
        (
            float(entity["score"])
            for entity in found
            if entity["type"] == one["type"] and entity["start"] < one["end"] and one["start"] < entity["end"]
        ),
        default=0.0,
    )


class Page(html.parser.HTMLParser):
    """A page's elements, and the text of its paragraphs."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.paragraphs: list[str] = []
        self.headings: list[str] = []
        self._into: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if (tag, ("class", "text")) in {(tag, attribute) for attribute in attrs}:
            self.paragraphs.append("")
            self._into = self.paragraphs
        elif tag == "h2":
            self.headings.append("")
            self._into = self.headings

    def handle_endtag(self, tag: str) -> None:
        if tag in {"p", "h2"}:
            self._into = None

    def handle_data(self, data: str) -> None:
        if self._into is not None:
            self._into[-1] += data


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        "<script>alert(1)</script> \"Angela Merkel\" & 'Barack Obama' </p><img src=x onerror=alert(2)>",
        "<b>nothing is named here</b>",
    ],
)
def test_a_picture_is_a_page_of_the_text_and_nothing_else(explain: Explain, text: str) -> None:
    (told,) = explain(text, picture="html", max_calls=20)
    page = Page()
    page.feed(told["picture"])
    assert page.tags <= {
        *("html", "head", "meta", "title", "style", "body"),
        *("section", "h2", "small", "p", "span", "u", "i"),
    }
    assert page.paragraphs == [text] * max(1, len(told["entities"]))
    assert page.headings == [entity["type"] + entity["text"] for entity in told["entities"]]


def test_pictures_of_another_kind_are_refused(explain: Explain) -> None:
    assert "'html' is accepted" in explain(TEXT, picture="png", status=400)


def test_it_answers_explain_alone(explain: Explain) -> None:
    assert "predictor" in explain(TEXT, path=":predict", status=404)
