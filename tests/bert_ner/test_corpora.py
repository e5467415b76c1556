"""Three corpora with three ways of marking entities come out in one."""

from pathlib import Path

import pytest

from bert_ner.corpora import Sentence, opened, read_tweets, read_wikigold, split_documents

WIKIGOLD = """-DOCSTART- O

Emil I-PER
Touma I-PER
saw O
Israel I-LOC
. O

Palestinian I-MISC
Egypt I-LOC

-DOCSTART- O

Nothing O
"""
BTC = "RT\tO\n@\tB-PER\nvisxnya\tB-PER\nBill\tB-PER\nGates\tI-PER\n#win\tB-ORG\nhttp://t.co/x\tO\n\n@paul\tB-PER\n"
WNUT = "Empire\tB-location\nState\tI-location\nBuilding\tI-location\n\niPhone\tB-product\n\t\nESB\tB-group\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "wikigold.conll").write_text(WIKIGOLD, "utf-8")
    (tmp_path / "btc.conll").write_text(BTC, "utf-8")
    for name in ("train/wnut17train.conll", "dev/emerging.dev.conll", "test/emerging.test.annotated"):
        path = tmp_path / "wnut17" / name
        path.parent.mkdir(parents=True)
        path.write_text(WNUT if name.startswith("dev") else "of\tO\n", "utf-8")
    return tmp_path


def test_wikigold_opens_its_entities(folder: Path) -> None:
    first, second = read_wikigold(folder)
    assert first == (
        Sentence(("Emil", "Touma", "saw", "Israel", "."), ("B-PER", "I-PER", "O", "B-LOC", "O")),
        Sentence(("Palestinian", "Egypt"), ("B-MISC", "B-LOC")),
    )
    assert second == (Sentence(("Nothing",), ("O",)),)


def test_tweets_lose_user_names_hashtags_and_links(folder: Path) -> None:
    first, *_ = read_tweets(folder)
    assert first == Sentence(("RT", "Bill", "Gates"), ("O", "B-PER", "I-PER"), complete=False)


def test_wnut_types_become_the_four(folder: Path) -> None:
    labels = [sentence.labels for sentence in read_tweets(folder)]
    assert labels == [
        ("O", "B-PER", "I-PER"),
        ("O",),
        ("B-LOC", "I-LOC", "I-LOC"),
        ("B-MISC",),
        ("B-ORG",),
        ("O",),
    ]


@pytest.mark.parametrize(
    ("tags", "labels"),
    [
        (["I-PER", "I-PER"], ("B-PER", "I-PER")),
        (["I-PER", "I-LOC", "O", "I-LOC"], ("B-PER", "B-LOC", "O", "B-LOC")),
        (["B-PER", "I-PER", "B-PER"], ("B-PER", "I-PER", "B-PER")),
        (["B-PER", "I-ORG"], ("B-PER", "B-ORG")),
        ([], ()),
    ],
)
def test_opened(tags: list[str], labels: tuple[str, ...]) -> None:
    assert opened(tags) == labels


def test_mentions_end_where_another_begins() -> None:
    sentence = Sentence(tuple("abcde"), ("B-PER", "I-PER", "B-PER", "O", "B-MISC"))
    assert sentence.mentions() == [("PER", 0, 2), ("PER", 2, 3), ("MISC", 4, 5)]


def test_split_keeps_whole_documents_whatever_their_order() -> None:
    documents = [(Sentence((f"word{number}",), ("O",)),) for number in range(40)]
    trained, held_out = split_documents(documents, 0.15)
    again = split_documents(documents[::-1], 0.15)
    assert len(held_out) == 6
    assert set(trained) | set(held_out) == set(documents)
    assert again == (trained, held_out)
