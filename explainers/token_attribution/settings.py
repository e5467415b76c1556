"""The settings of this explainer, beside those of every explainer."""

from __future__ import annotations

from pydantic import Field

from modelserve.explaining.settings import ExplainerSettings


class TokenAttributionSettings(ExplainerSettings):
    """What a server takes that explains names in texts."""

    max_text_bytes: int = Field(4096, ge=1, description="Longest text, in bytes of UTF-8.")
    hidden_word: str = Field(
        "[MASK]",
        min_length=1,
        pattern=r"^\S+$",
        description="What stands in the place of a hidden word; best a piece of the model's tokenizer "
        "that means nothing.",
    )
