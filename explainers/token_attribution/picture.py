"""Contributions as coloured words: a page of HTML that needs nothing else, and runs nothing."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
import numpy.typing as npt

from modelserve.explaining.colours import OPPOSING, SUPPORTING
from token_attribution.entities import ExplainedEntity
from token_attribution.words import Word

_LEAST_SHARE = 0.02
"""Of the strongest contribution: a weaker one has no colour that could be seen."""

_STYLE = f"""
body {{ margin: 2rem auto; max-width: 52rem; padding: 0 1rem; color: #1a1a1a; background: #fff;
  font: 16px/1.5 system-ui, sans-serif; }}
section {{ margin: 0 0 1.25rem; padding: 1rem 1.25rem; border: 1px solid #ddd; border-radius: .5rem; }}
h2 {{ margin: 0; font-size: 1.05rem; }}
h2 small {{ margin-right: .5rem; padding: .1rem .45rem; border-radius: .25rem; background: #333;
  color: #fff; font-size: .75rem; letter-spacing: .04em; vertical-align: .1em; }}
.sum {{ margin: .15rem 0 .6rem; color: #666; font-size: .85rem; }}
.text {{ margin: 0; line-height: 2; white-space: pre-wrap; overflow-wrap: anywhere; }}
.text span {{ padding: .2em .1em; border-radius: .2em; }}
.text u {{ text-decoration: underline 2px #333; text-underline-offset: .3em; }}
.scale {{ display: flex; gap: .6rem; align-items: center; white-space: nowrap;
  color: #666; font-size: .85rem; }}
.scale i {{ width: 9rem; height: .8rem; border-radius: .2rem; background:
  linear-gradient(90deg, rgb{OPPOSING}, #fff, rgb{SUPPORTING}); }}
"""

_SCALE = '<p class="scale">speaks against it <i></i> speaks for it</p>'


def draw(text: str, words: Sequence[Word], entities: Sequence[ExplainedEntity]) -> str:
    """A page with a section for each entity, in which every word has the colour of its contribution.

    The colours of a section are relative to its strongest word; a word's number is shown where the
    pointer rests on it. All that is text of a caller or a predictor is escaped.
    """
    sections = "".join(_section(text, words, one) for one in entities)
    body = (
        sections + _SCALE if entities else f'<section><p class="text" dir="auto">{escape(text)}</p></section>'
    )
    return (
        '<!doctype html><html><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Names and what they depend on</title><style>{_STYLE}</style></head>"
        f"<body>{body}</body></html>"
    )


def _section(text: str, words: Sequence[Word], one: ExplainedEntity) -> str:
    entity = one.entity
    return (
        f"<section><h2><small>{escape(entity['type'])}</small>{escape(entity['text'])}</h2>"
        f'<p class="sum">{entity["score"]:.3f}, of which {one.base_value:.3f} with every word hidden</p>'
        f'<p class="text" dir="auto">{_coloured(text, words, one)}</p></section>'
    )


def _coloured(text: str, words: Sequence[Word], one: ExplainedEntity) -> str:
    entity = one.entity
    parts: list[str] = []
    end = 0
    for word, share, value in zip(words, _shares(one.contributions), one.contributions, strict=True):
        marked = escape(text[word.start : word.end])
        if word.start < entity["end"] and entity["start"] < word.end:
            marked = f"<u>{marked}</u>"
        if abs(share) >= _LEAST_SHARE:
            marked = f'<span style="{_style(share)}" title="{value:+.3f}">{marked}</span>'
        parts += escape(text[end : word.start]), marked
        end = word.end
    return "".join([*parts, escape(text[end:])])


def _shares(contributions: npt.NDArray[np.float64]) -> list[float]:
    strongest = float(np.abs(contributions).max(initial=0.0))
    shares: list[float] = (contributions / (strongest or 1.0)).tolist()
    return shares


def _style(share: float) -> str:
    red, green, blue = SUPPORTING if share > 0 else OPPOSING
    on_dark = ";color:#fff" if abs(share) > 0.55 else ""
    return f"background:rgba({red},{green},{blue},{abs(share):.2f}){on_dark}"
