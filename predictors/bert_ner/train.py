"""Train the sample tagger: a small cased BERT that marks people, organisations, places and the rest.

    python -m bert_ner.train --data FOLDER --encoder FOLDER --output samples/bert-ner

``--data`` is a folder with ``wikigold.conll``, ``btc.conll`` and ``wnut17/{train,dev,test}``; see
``bert_ner.corpora``. ``--encoder`` is the unpacked package that ``bert_ner.pretrained`` names. The first
epochs read tweets and WikiGold. From there several runs read WikiGold alone, each in its own order, and
the mean of their weights is the model. The documents that are held out are in neither, and are scored
at the end. A run that was cut off goes on from its last whole epoch.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save as to_safetensors
from tokenizers import Tokenizer
from torch import nn
from transformers import BertForTokenClassification

from bert_ner.corpora import LABELS, Document, Sentence, read_tweets, read_wikigold, split_documents
from bert_ner.examples import IGNORED, Batch, epoch_batches
from bert_ner.network import load_network
from bert_ner.packing import QUANTISATION, pack
from bert_ner.pieces import choose_pieces
from bert_ner.pretrained import build_network, plain_state, read_encoder
from bert_ner.scoring import report, score_documents
from bert_ner.vocabulary import build_tokenizer, words_of

HELD_OUT_SHARE = 0.15
WIKIGOLD_WEIGHT = 5
EMPTY_TWEETS = 0.15
MIXED_RATE = 2.5e-4
WIKIGOLD_RATE = 2e-4
FIRST_RUN_SEED = 100
HEAD_RATE = 1e-3
LAYER_DECAY = 0.9
WEIGHT_DECAY = 0.01
GRADIENT_NORM = 1.0
WARM_UP = 0.1
OUTSIDE, HIDDEN = LABELS.index("O"), [LABELS.index(label) for label in ("O", "B-MISC", "I-MISC")]


@dataclass(frozen=True)
class Phase:
    """Some epochs over some documents, under one rise and fall of the learning rate."""

    name: str
    documents: Sequence[Document]
    epochs: int
    rate: float


def count_words(wikigold: Iterable[Document], tweets: Iterable[Sentence]) -> Counter[str]:
    """Count cased words; those of WikiGold, whose kind of text is aimed at, weigh more."""
    counts: Counter[str] = Counter()
    for document in wikigold:
        for sentence in document:
            for token in sentence.tokens:
                for word in words_of(token):
                    counts[word] += WIKIGOLD_WEIGHT
    for sentence in tweets:
        for token in sentence.tokens:
            counts.update(words_of(token))
    return counts


def choose_tweets(tweets: Iterable[Sentence], seed: int) -> list[Document]:
    """Keep all tweets with a mention and a few of the others, each as a document of its own."""
    draw = random.Random(seed)
    return [(tweet,) for tweet in tweets if tweet.mentions() or draw.random() < EMPTY_TWEETS]


def tagging_loss(logits: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Mean cross-entropy over the first pieces of words, logits [n, length, labels].

    Where ``MISC`` was not marked, an ``O`` says no more than that the word is outside or ``MISC``.
    """
    kept = batch.labels != IGNORED
    labels = batch.labels[kept]
    scores = logits[kept].log_softmax(-1)
    exact = scores.gather(1, labels[:, None]).squeeze(1)
    hidden = scores[:, HIDDEN].logsumexp(1)
    partial = (labels == OUTSIDE) & ~batch.complete[:, None].expand_as(kept)[kept]
    return -torch.where(partial, hidden, exact).mean()


def parameter_groups(network: BertForTokenClassification, rate: float) -> list[dict[str, object]]:
    """The lower the layer, the smaller its rate; what is new learns fast; matrices decay."""
    layers = len(network.bert.encoder.layer)
    groups: list[dict[str, object]] = []
    for name, parameter in network.named_parameters():
        if name.startswith("classifier.") or name.endswith(".casing"):
            own_rate = HEAD_RATE
        elif name.startswith("bert.embeddings."):
            own_rate = rate * LAYER_DECAY**layers
        else:
            own_rate = rate * LAYER_DECAY ** (layers - 1 - int(name.split(".")[3]))
        decays = parameter.ndim > 1 and "embeddings" not in name
        groups.append(
            {"params": [parameter], "peak": own_rate, "weight_decay": WEIGHT_DECAY if decays else 0.0}
        )
    return groups


def train(
    network: BertForTokenClassification,
    phase: Phase,
    numbers: dict[str, int],
    *,
    batch: int,
    seed: int,
    checkpoint: Path,
) -> None:
    """Train in place, from ``checkpoint`` on where an earlier run left one."""
    optimiser = torch.optim.AdamW(
        parameter_groups(network, phase.rate), lr=0.0, betas=(0.9, 0.98), fused=True
    )
    first = 0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        network.load_state_dict(state["network"])
        optimiser.load_state_dict(state["optimiser"])
        first = state["epoch"]
    for epoch in range(first, phase.epochs):
        torch.manual_seed(seed * 1000 + epoch)
        batches = epoch_batches(phase.documents, numbers, batch, random.Random(f"{seed}/0/{epoch}"))
        began = time.monotonic()
        loss = _train_epoch(network, optimiser, batches, epoch, phase.epochs)
        seconds = time.monotonic() - began
        print(f"{phase.name} {epoch + 1}/{phase.epochs} loss {loss:.4f} in {seconds:.0f} s", flush=True)
        state = {"network": network.state_dict(), "optimiser": optimiser.state_dict()}
        torch.save({**state, "epoch": epoch + 1}, checkpoint)


def train_mean(
    network: BertForTokenClassification,
    phase: Phase,
    numbers: dict[str, int],
    *,
    runs: int,
    batch: int,
    checkpoint: Path,
) -> None:
    """Train several times from the network's weights, and leave the mean of the results in it.

    The runs differ in the order of sentences and in dropout. Each ends near the same minimum, and
    their mean is nearer to it than any of them.
    """
    start = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    mean = {name: torch.zeros_like(tensor) for name, tensor in start.items() if tensor.is_floating_point()}
    for run in range(runs):
        network.load_state_dict(start)
        own = checkpoint.with_name(f"{run}-{checkpoint.name}")
        train(network, phase, numbers, batch=batch, seed=FIRST_RUN_SEED + run, checkpoint=own)
        state = network.state_dict()
        mean = {name: total + state[name] / runs for name, total in mean.items()}
    network.load_state_dict({**start, **mean})


def _train_epoch(
    network: BertForTokenClassification,
    optimiser: torch.optim.Optimizer,
    batches: Sequence[Batch],
    epoch: int,
    epochs: int,
) -> float:
    network.train()
    total = 0.0
    for step, batch in enumerate(batches):
        progress = (epoch + (step + 1) / len(batches)) / epochs
        for group in optimiser.param_groups:
            group["lr"] = group["peak"] * schedule(progress)
        logits = network(input_ids=batch.pieces, attention_mask=batch.mask).logits
        loss = tagging_loss(logits, batch)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(network.parameters(), GRADIENT_NORM)
        optimiser.step()
        total += float(loss.detach())
    return total / len(batches)


def schedule(progress: float) -> float:
    """A ramp to 1, then a line to zero; ``progress`` in [0, 1]."""
    return progress / WARM_UP if progress < WARM_UP else (1 - progress) / (1 - WARM_UP)


def save(network: BertForTokenClassification, tokenizer: Tokenizer, output: Path) -> None:
    """Write a model folder that the predictor loads."""
    output.mkdir(parents=True, exist_ok=True)
    weights = to_safetensors(pack(plain_state(network)), metadata={"format": "pt"})
    (output / "model.safetensors").write_bytes(weights)
    config = network.config.to_dict() | {
        "architectures": ["BertForTokenClassification"],
        "quantization_config": QUANTISATION,
    }
    _write_json(output / "config.json", config)
    tokenizer.save(str(output / "tokenizer.json"))
    _write_json(
        output / "tokenizer_config.json",
        {
            "tokenizer_class": "BertTokenizer",
            "do_lower_case": False,
            "strip_accents": True,
            "tokenize_chinese_chars": True,
            "model_max_length": network.config.max_position_embeddings,
            "unk_token": "[UNK]",
            "sep_token": "[SEP]",
            "pad_token": "[PAD]",
            "cls_token": "[CLS]",
            "mask_token": "[MASK]",
        },
    )


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n", "utf-8")


def main(argv: list[str] | None = None) -> None:
    """Train, save, load what was saved, and print its scores on the documents held out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the corpora")
    parser.add_argument("--encoder", type=Path, required=True, help="folder of the pinned encoder")
    parser.add_argument("--output", type=Path, required=True, help="model folder to write")
    parser.add_argument("--checkpoint", type=Path, default=Path("bert-ner-checkpoint.pt"))
    parser.add_argument("--pieces", type=int, default=36_000, help="size of the vocabulary")
    parser.add_argument("--mixed_epochs", type=int, default=3, help="epochs over tweets and WikiGold")
    parser.add_argument("--wikigold_epochs", type=int, default=6, help="epochs over WikiGold alone")
    parser.add_argument("--runs", type=int, default=4, help="runs over WikiGold alone, to take the mean of")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args(argv)
    torch.manual_seed(options.seed)

    encoder = read_encoder(options.encoder)
    wikigold, held_out = split_documents(read_wikigold(options.data), HELD_OUT_SHARE)
    tweets = read_tweets(options.data)
    pieces = choose_pieces(
        count_words(wikigold, tweets), encoder.pieces, encoder.table.numpy(), options.pieces
    )
    network = build_network(encoder, pieces)
    numbers = {piece.text: number for number, piece in enumerate(pieces)}
    mixed = Phase(
        "mixed", [*choose_tweets(tweets, options.seed), *wikigold], options.mixed_epochs, MIXED_RATE
    )
    train(network, mixed, numbers, batch=options.batch, seed=options.seed, checkpoint=options.checkpoint)
    alone = Phase("wikigold", wikigold, options.wikigold_epochs, WIKIGOLD_RATE)
    train_mean(network, alone, numbers, runs=options.runs, batch=options.batch, checkpoint=options.checkpoint)
    save(network, build_tokenizer(pieces), options.output)
    saved = load_network(options.output)
    tokenizer = Tokenizer.from_file(str(options.output / "tokenizer.json"))
    print(report(score_documents(saved, tokenizer, held_out)))


if __name__ == "__main__":
    main()
