"""Where a character of a YAML text's value stands in the file: an expression's mistake is within its text."""

from __future__ import annotations

import re

_SPACE = " \t\r\n"

_TOKENS = {
    "'": re.compile(r"''|.", re.DOTALL),
    '"': re.compile(r"\\(?:\r?\n|x.{2}|u.{4}|U.{8}|.)|.", re.DOTALL),
    None: re.compile(r".", re.DOTALL),
}
"""By the style of a scalar, what of its source is one character of its value."""

_ESCAPED_SPACE = ("\\ ", "\\t", "\\\t", "\\r", "\\n", "\\\n", "\\\r\n")


def index_in_source(source: str, style: str | None, value: str, offset: int) -> int | None:
    """Where in its source a character of a scalar's value is; None where that cannot be told.

    What YAML folds is white space alone, so that the others are counted.

    Args:
        source: of the scalar, with its quotes, or with the header of a block.
        style: as YAML's nodes have it: a quote, ``|``, ``>``, or None for a plain one.
        value: that YAML makes of it.
        offset: in the value; of white space, what follows it is meant.
    """
    begin, end = 0, len(source)
    if style in ("'", '"'):
        begin, end = 1, end - 1
    elif style in ("|", ">"):
        begin = source.find("\n") + 1
    tokens = _TOKENS.get(style, _TOKENS[None]).finditer(source, begin, end)
    places = [one.start() for one in tokens if one[0] not in _SPACE and one[0] not in _ESCAPED_SPACE]
    before = sum(character not in _SPACE for character in value[:offset])
    after = sum(character not in _SPACE for character in value[offset:])
    if before + after != len(places) or not places:
        return None
    return places[before] if after else places[-1] + 1
