"""English sentences of realistic, varied length for the token classifier, always the same ones."""

from __future__ import annotations

import math
import random

_PEOPLE = (
    "Angela Merkel", "Barack Obama", "Maria Lindqvist", "Tomás Ortega", "Dr. Amara Okafor", "Jun Watanabe",
    "Priya Raman", "O'Brien", "Sir David Hale", "Elena Petrova",
)  # fmt: skip
_PLACES = (
    "Berlin", "New York", "the Rhine valley", "Lagos", "Kyoto", "southern Spain", "Reykjavík", "Chicago",
    "Lake Geneva", "Buenos Aires",
)  # fmt: skip
_FIRMS = (
    "Siemens", "the European Central Bank", "Toyota", "Reuters", "the University of Oslo", "Deutsche Bahn",
    "the World Health Organization", "Northwind Traders", "UNICEF",
)  # fmt: skip
_THINGS = (
    "a new railway line", "the German budget", "an agreement on fishing rights", "the price of copper",
    "the second quarter's results", "a vaccine trial", "an exhibition of Dutch paintings",
    "the World Cup final", "the flood defences", "a report on rural schools",
)  # fmt: skip
_OPENINGS = (
    "{person} met {person} in {place}",
    "{firm} opened an office in {place}",
    "On Tuesday {person} of {firm} spoke about {thing}",
    "Officials in {place} said that {thing} would be delayed until the spring",
    "{person}, who grew up in {place}, now works for {firm}",
    "Shares of {firm} fell by three per cent",
    "Nobody had expected {thing} to cost so much",
    "After two years of talks {firm} and {firm} signed {thing}",
)
_CONTINUATIONS = (
    ", while {firm} declined to comment on {thing}",
    ", and {person} flew back to {place} the same evening",
    ", although critics in {place} called it too little and too late",
    ", as {person} had told {firm} a week before",
    " before travelling on to {place}",
    ", which surprised many of those who had followed {thing} for years",
    ", according to two people who know the plans of {firm} and asked not to be named",
    " because the old one, built in the nineteenth century, could no longer carry the traffic",
)


def make_sentences(count: int, *, seed: int = 0) -> list[str]:
    """Sentences of 8 to 60 words; half of them have fewer than about 20, as in newspapers.

    Args:
        count: how many.
        seed: the same one makes the same sentences.
    """
    chance = random.Random(seed)
    return [_sentence(chance, _length(chance)) for _ in range(count)]


def _length(chance: random.Random) -> int:
    return round(min(55, max(8, chance.lognormvariate(math.log(20), 0.5))))


def _sentence(chance: random.Random, words: int) -> str:
    while True:
        text = _fill(chance, chance.choice(_OPENINGS))
        while len(text.split()) < words:
            text += _fill(chance, chance.choice(_CONTINUATIONS))
        if 8 <= len(text.split()) <= 60:
            return f"{text}."


def _fill(chance: random.Random, pattern: str) -> str:
    for name, values in (("person", _PEOPLE), ("place", _PLACES), ("firm", _FIRMS), ("thing", _THINGS)):
        while f"{{{name}}}" in pattern:
            pattern = pattern.replace(f"{{{name}}}", chance.choice(values), 1)
    return pattern
