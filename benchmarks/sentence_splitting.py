"""Compares libraries that find the ends of sentences, by the names that they cut.

    python benchmarks/sentence_splitting.py --data FOLDER

``FOLDER`` holds WikiGold as ``wikigold.conll``, as for ``bert_ner.train``. Its tokens are put together as
they would be written, and its sentences to documents. What is installed of the libraries is compared, and
what the sample classifier finds in sentences and in whole documents. The figures are in
docs/adr/0011-sentence-splitting.md.
"""

from __future__ import annotations

import argparse
import importlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from bert_ner.config import BertConfig
from bert_ner.corpora import Document, read_wikigold
from bert_ner.engine import load_engine
from bert_ner.inference import NerTask
from bert_ner.tokenizer import load_tokenizer
from modelserve.sentences import find_sentences
from modelserve.task import Limits

SAMPLE = Path(__file__).parents[1] / "samples" / "bert-ner"

Ends = Callable[[str], Iterable[int]]

GLUED = frozenset({".", ",", ";", ":", "!", "?", ")", "]", "'s", "'", "''", "%", "n't"})
"""Tokens without a space before them."""

GLUING = frozenset({"(", "[", "``", "$"})
"""Tokens without a space behind them."""

QUOTES = {"``": '"', "''": '"'}

HOSTILE = ("«", "'", "(a. ", "1. ", "a.\n\n")
"""Of which some library makes time that grows with the square of the text."""


@dataclass(frozen=True)
class Written:
    """A document, the types and spans of its names, and where a sentence ends with another behind it."""

    text: str
    names: list[tuple[str, int, int]]
    ends: set[int]


def write(document: Document) -> Written:
    """Put a document together as it would be written."""
    text, names, ends = "", [], []
    for sentence in document:
        spans: list[tuple[int, int]] = []
        for place, token in enumerate(sentence.tokens):
            glued = place > 0 and (token in GLUED or sentence.tokens[place - 1] in GLUING)
            text += "" if glued or not text else " "
            written = QUOTES.get(token, token)
            spans.append((len(text), len(text) + len(written)))
            text += written
        names += [(kind, spans[first][0], spans[end - 1][1]) for kind, first, end in sentence.mentions()]
        ends.append(len(text))
    return Written(text, names, set(ends[:-1]))


def anchored(split: Callable[[str], Iterable[str]]) -> Ends:
    """The ends of the sentences that a library gives as strings."""

    def ends(text: str) -> list[int]:
        found, end = [], 0
        for sentence in map(str.strip, split(text)):
            place = text.find(sentence, end)
            if sentence and place >= 0:
                end = place + len(sentence)
                found.append(end)
        return found

    return ends


def contenders() -> dict[str, Callable[[], Ends]]:
    """How to load each library; everything is imported when it is asked for."""

    def module(name: str) -> Any:
        return importlib.import_module(name)

    def syntok() -> Ends:
        process = module("syntok.segmenter").process
        return lambda text: [
            sentence[-1].offset + len(sentence[-1].value) for part in process(text) for sentence in part
        ]

    def blingfire() -> Ends:
        with_offsets = module("blingfire").text_to_sentences_and_offsets
        return lambda text: [end for _, end in with_offsets(text)[1]]

    def sentencex() -> Ends:
        segment = module("sentencex").segment
        return anchored(lambda text: segment("en", text))

    return {
        "ner_text": lambda: lambda text: [end for _, end in find_sentences(text, "en")],
        "sentencex": sentencex,
        "syntok": syntok,
        "pysbd": lambda: anchored(module("pysbd").Segmenter(language="en", clean=False).segment),
        "blingfire": blingfire,
        "uniseg": lambda: anchored(module("uniseg.sentencebreak").sentences),
    }


def compare(name: str, ends: Ends, documents: list[Written]) -> None:
    """Print a row: names cut, ends found and those that are none, and milliseconds."""
    began = time.process_time()
    found = [set(ends(document.text)) - {len(document.text)} for document in documents]
    milliseconds = 1000 * (time.process_time() - began)
    cut = sum(
        any(start < end < stop for end in ours)
        for document, ours in zip(documents, found, strict=True)
        for _, start, stop in document.names
    )
    right = sum(len(ours & document.ends) for document, ours in zip(documents, found, strict=True))
    wrong = sum(len(ours - document.ends) for document, ours in zip(documents, found, strict=True))
    print(f"| {name} | {cut} | {right} | {wrong} | {milliseconds:.0f} |")


def grow(name: str, ends: Ends) -> None:
    """Print how long 32,768 and 65,536 characters of hostile text take, in milliseconds."""
    cells = []
    for piece in HOSTILE:
        taken = []
        for length in (32_768, 65_536):
            began = time.process_time()
            list(ends(piece * (length // len(piece))))
            taken.append(f"{1000 * (time.process_time() - began):.0f}")
        cells.append(" to ".join(taken))
    print(f"| {name} | {' | '.join(cells)} |")


def ask(documents: list[Written]) -> None:
    """Print how right the sample classifier is when it reads in several ways."""
    engine, digest = load_engine(SAMPLE, engine="onnx")
    task = NerTask(engine, load_tokenizer(SAMPLE), BertConfig.load(SAMPLE), digest=digest, limits=Limits())
    ways: dict[str, Ends] = {
        "the corpus's sentences": {one.text: one.ends for one in documents}.__getitem__,
        "ner_text's sentences": lambda text: [end for _, end in find_sentences(text, "en")],
        "whole documents": lambda text: [],
    }
    for name, ends in ways.items():
        right = found = expected = 0
        for document in documents:
            text = document.text
            places = sorted({0, *ends(text), len(text)})
            answers = task.run([text[start:end] for start, end in pairwise(places)])
            ours = {
                (entity["type"], start + entity["start"], start + entity["end"])
                for start, answer in zip(places, answers, strict=False)
                for entity in answer
            }
            right += len(ours & set(document.names))
            found, expected = found + len(ours), expected + len(document.names)
        figures = (right / found, right / expected, 2 * right / (found + expected))
        print(f"| {name} | {' | '.join(f'{figure:.3f}' for figure in figures)} |")


def main() -> None:
    """Print the three tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of wikigold.conll")
    documents = [write(document) for document in read_wikigold(parser.parse_args().data)]
    names, ends = (sum(len(getattr(one, part)) for one in documents) for part in ("names", "ends"))
    print(f"{len(documents)} documents, {names} names, {ends} ends of sentences within them")
    print("| | names cut | ends found | other ends | ms |\n|---|---|---|---|---|")
    loaded: dict[str, Ends] = {}
    for name, load in contenders().items():
        try:
            loaded[name] = load()
        except ImportError:
            print(f"| {name} | not installed |")
            continue
        compare(name, loaded[name], documents)
    print(f"| | {' | '.join(map(repr, HOSTILE))} |\n|{'---|' * (len(HOSTILE) + 1)}")
    for name in ("ner_text", "sentencex"):
        if name in loaded:
            grow(name, loaded[name])
    fifth = documents[::5]
    print(f"{len(fifth)} documents, {sum(len(one.names) for one in fifth)} names")
    print("| | precision | recall | F1 |\n|---|---|---|---|")
    ask(fifth)


if __name__ == "__main__":
    main()
