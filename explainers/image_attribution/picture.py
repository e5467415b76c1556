"""Contributions as a heat map over the image, with a legend, in PNG."""

from __future__ import annotations

import base64
import io

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from image_attribution.hiding import HidingImage
from modelserve.explaining.asking import Contributions
from modelserve.explaining.colours import OPPOSING, SUPPORTING

_SHORTER_SIDE, _LONGER_SIDE = 400, 1200
"""A smaller image is enlarged until it has one of them."""

_LEAST_WIDTH, _LEGEND_HEIGHT, _MARGIN = 400, 64, 12

_STRONGEST = 0.8
"""The opacity of the strongest contribution."""

_INK, _PALE_INK = (26, 26, 26), (102, 102, 102)


def draw(hiding: HidingImage, label: str, contributions: Contributions) -> str:
    """A picture of what speaks for the label and against it, in base64.

    Colours are relative to the strongest region.
    """
    values = contributions.values[0]
    strongest = float(np.abs(values).max())
    heat = _heat(hiding.image.pixels, hiding.spread(values / (strongest or 1.0)))
    scale = max(1.0, min(_SHORTER_SIDE / min(heat.size), _LONGER_SIDE / max(heat.size)))
    heat = heat.resize((round(heat.width * scale), round(heat.height * scale)), Image.Resampling.LANCZOS)
    width = max(heat.width, _LEAST_WIDTH)
    picture = Image.new("RGB", (width, heat.height + _LEGEND_HEIGHT), "white")
    picture.paste(heat, ((width - heat.width) // 2, 0))
    _write_legend(picture, heat.height, label, contributions, strongest)
    encoded = io.BytesIO()
    picture.save(encoded, "PNG")
    return base64.b64encode(encoded.getvalue()).decode()


def _heat(pixels: npt.NDArray[np.uint8], shares: npt.NDArray[np.generic]) -> Image.Image:
    """The image in pale grey, under colours as opaque as each pixel's share, in [-1, 1], is large."""
    share = shares.astype(np.float64)[:, :, None]
    grey = np.asarray(Image.fromarray(pixels).convert("L"), np.float64)[:, :, None]
    pale = 96 + 0.6 * grey
    colour = np.where(share > 0, SUPPORTING, OPPOSING)
    opacity = _STRONGEST * np.abs(share)
    return Image.fromarray(((1 - opacity) * pale + opacity * colour).astype(np.uint8))


def _write_legend(
    picture: Image.Image, top: int, label: str, contributions: Contributions, strongest: float
) -> None:
    drawing = ImageDraw.Draw(picture)
    large, small = ImageFont.load_default(18), ImageFont.load_default(12)
    value, base = float(contributions.shown[0]), float(contributions.without[0])
    drawing.text((_MARGIN, top + 9), f"{label[:24]}  {value:.3f}", _INK, large)
    drawing.text((_MARGIN, top + 38), f"{base:.3f} with all of it hidden", _PALE_INK, small)
    left, right = picture.width - _MARGIN - 170, picture.width - _MARGIN
    bar = _heat(np.full((12, 170, 3), 160, np.uint8), np.linspace(-1, 1, 170)[None].repeat(12, axis=0))
    picture.paste(bar, (left, top + 14))
    drawing.text((left, top + 38), f"against {-strongest:.3f}", _PALE_INK, small)
    drawing.text((right, top + 38), f"for +{strongest:.3f}", _PALE_INK, small, anchor="ra")
