"""Writes the sentences that show what drift is: English ones, and German ones that say the like.

They are put together of parts by chance, with a fixed seed, and are nobody's. ``english.txt`` is what a first
run sends, ``german.txt`` what changes; the reference of ``make run`` is of a thousand further English ones.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

PEOPLE = [
    *("Angela Merkel", "Barack Obama", "Marie Curie", "Alan Turing", "Ada Lovelace", "Emmy Noether"),
    *("Nelson Mandela", "Rosa Parks", "Albert Einstein", "Toni Morrison", "Pablo Neruda", "Wangari Maathai"),
    *("Rachel Carson", "Frida Kahlo"),
]
PLACES = [
    *("Berlin", "Paris", "London", "Vienna", "Nairobi", "Boston"),
    *("Warsaw", "Lisbon", "Kyoto", "Oslo", "Madrid", "Dublin"),
]
FIRMS = [
    *("Siemens", "the United Nations", "Toyota", "the BBC"),
    *("Oxford University", "Nokia", "Airbus", "the Red Cross"),
]
ENGLISH = [
    "{person} spoke to reporters in {place} on Tuesday about the new plans of {firm}.",
    "Last year {person} moved from {place} to {other} and wrote a book about it.",
    "{firm} will open an office in {place}, a spokesman said.",
    "Nobody knew why {person} had left {firm} so suddenly.",
    "The museum in {place} shows letters that {person} wrote as a student.",
    "It rained all day, and the streets of {place} were empty.",
    "When I was young we used to swim in the lake behind the house.",
    "{person} won the prize for a film that was made in {place} and {other}.",
    "Tickets for the match in {place} were sold within an hour, the club told {firm}.",
    "She has worked for {firm} since 1998 and lives near {place}.",
    "They could not agree on a date, so the meeting was moved to {place}.",
    "My neighbour says that {person} once stayed in this hotel.",
]
GERMAN = [
    "{person} sprach am Dienstag in {place} mit Journalisten über die neuen Pläne von {firm}.",
    "Im letzten Jahr zog {person} von {place} nach {other} und schrieb darüber ein Buch.",
    "{firm} wird in {place} ein Büro eröffnen, wie ein Sprecher sagte.",
    "Niemand wusste, warum {person} so plötzlich gegangen war.",
    "Das Museum in {place} zeigt Briefe, die {person} als Student geschrieben hat.",
    "Es regnete den ganzen Tag, und die Straßen von {place} waren leer.",
    "Als ich jung war, schwammen wir oft im See hinter dem Haus.",
    "Mein Nachbar sagt, dass {person} einmal in diesem Hotel gewohnt hat.",
]
ENDS = ["", " It was not the first time.", " More is to follow.", " That surprised many.", " We shall see."]
GERMAN_ENDS = ["", " Es war nicht das erste Mal.", " Das hat viele überrascht.", " Wir werden sehen."]


def sentences(number: int, forms: list[str], ends: list[str], chance: random.Random) -> list[str]:
    """Sentences with names, some with a second one behind them."""
    made = []
    for _ in range(number):
        place, other = chance.sample(PLACES, 2)
        names = {
            "person": chance.choice(PEOPLE),
            "place": place,
            "other": other,
            "firm": chance.choice(FIRMS),
        }
        made.append(chance.choice(forms).format(**names) + chance.choice(ends))
    return made


def main(reference: Path) -> None:
    """Write the two files beside this one, and the sentences of the reference where it is told."""
    folder, chance = Path(__file__).parent, random.Random(20261125)
    for path, number, forms, ends in (
        (reference, 1000, ENGLISH, ENDS),
        (folder / "english.txt", 600, ENGLISH, ENDS),
        (folder / "german.txt", 400, GERMAN, GERMAN_ENDS),
    ):
        path.write_text("\n".join(sentences(number, forms, ends, chance)) + "\n", "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
