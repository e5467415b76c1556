"""Read the corpora that the sample model is trained on, in one label scheme.

Three corpora of different makers mark entities in three ways: WikiGold without ``B-`` and with a
class for what is left over, the Broad Twitter Corpus (BTC) without such a class, WNUT 2017 with six
classes of its own. Training sees one scheme, and each sentence says whether its maker marked all
four types: where not, an ``O`` may hide a ``MISC``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

LABELS = ("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC", "B-MISC", "I-MISC")
TYPES = ("PER", "ORG", "LOC", "MISC")
WIKIGOLD_FILE = "wikigold.conll"
BTC_FILE = "btc.conll"
WNUT_FILES = (
    "wnut17/train/wnut17train.conll",
    "wnut17/dev/emerging.dev.conll",
    "wnut17/test/emerging.test.annotated",
)
_DOCUMENT_START = "-DOCSTART-"
_WNUT_TYPES = {
    "person": "PER",
    "location": "LOC",
    "corporation": "ORG",
    "group": "ORG",
    "product": "MISC",
    "creative-work": "MISC",
}


@dataclass(frozen=True)
class Sentence:
    """Tokens with one of ``LABELS`` each."""

    tokens: tuple[str, ...]
    labels: tuple[str, ...]
    complete: bool = True
    """Whether all four types are marked; if not, an ``O`` may hide a ``MISC``."""

    def mentions(self) -> list[tuple[str, int, int]]:
        """The entities as type, first token and the token after the last."""
        found = []
        for index, label in enumerate(self.labels):
            if label.startswith("B-"):
                end = index + 1
                while end < len(self.labels) and self.labels[end] == f"I-{label[2:]}":
                    end += 1
                found.append((label[2:], index, end))
        return found


Document = tuple[Sentence, ...]


def read_wikigold(folder: Path) -> list[Document]:
    """Read WikiGold's documents in the file's order."""
    documents: list[list[Sentence]] = []
    for tokens, tags in _blocks(folder / WIKIGOLD_FILE):
        if tokens[0] == _DOCUMENT_START:
            documents.append([])
        else:
            documents[-1].append(Sentence(tokens, opened(tags)))
    return [tuple(document) for document in documents if document]


def read_tweets(folder: Path) -> list[Sentence]:
    """Read BTC and all parts of WNUT 2017: sentences whose ``O`` may hide a ``MISC``.

    User names, hashtags and links are left out. They are no words, and BTC marks user names as
    people.
    """
    sentences = []
    for name in (BTC_FILE, *WNUT_FILES):
        for tokens, tags in _blocks(folder / name):
            kept = [place for place in range(len(tokens)) if not _is_markup(tokens, place)]
            if kept:
                renamed = opened(_rename(tags[place]) for place in kept)
                sentences.append(Sentence(tuple(tokens[place] for place in kept), renamed, complete=False))
    return sentences


def _is_markup(tokens: Sequence[str], place: int) -> bool:
    """Whether a token is a user name, a hashtag or a link; BTC splits the ``@`` from most names."""
    token = tokens[place]
    return token.startswith(("@", "#", "http", "www.")) or (place > 0 and tokens[place - 1] == "@")


def split_documents(documents: Sequence[Document], share: float) -> tuple[list[Document], list[Document]]:
    """Keep whole documents from training: those whose text has the smallest SHA-256.

    Returns:
        The documents to train on and the ``share`` of them held out.
    """
    ranked = sorted(documents, key=_digest)
    count = round(share * len(documents))
    return ranked[count:], ranked[:count]


def _digest(document: Document) -> bytes:
    text = "\n".join(" ".join(sentence.tokens) for sentence in document)
    return hashlib.sha256(text.encode()).digest()


def opened(tags: Iterable[str]) -> tuple[str, ...]:
    """Write tags so that every entity opens with ``B-``.

    An ``I-X`` after anything but ``B-X`` or ``I-X`` opens an entity too, which is all that
    WikiGold's tags say.
    """
    labels: list[str] = []
    before = "O"
    for tag in tags:
        starts = tag.startswith("I-") and before[2:] != tag[2:]
        labels.append(f"B-{tag[2:]}" if starts else tag)
        before = tag
    return tuple(labels)


def _rename(tag: str) -> str:
    prefix, _, kind = tag.partition("-")
    return f"{prefix}-{_WNUT_TYPES.get(kind, kind)}" if kind else tag


def _blocks(path: Path) -> Iterator[tuple[tuple[str, ...], Sequence[str]]]:
    """Yield tokens and tags of each block between blank lines."""
    tokens: list[str] = []
    tags: list[str] = []
    for line in [*path.read_text("utf-8").split("\n"), ""]:
        fields = line.split()
        if fields:
            tokens.append(fields[0])
            tags.append(fields[-1])
        elif tokens:
            yield tuple(tokens), tags
            tokens, tags = [], []
