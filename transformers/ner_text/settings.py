"""The settings of this transformer, beside those of every transformer."""

from __future__ import annotations

from pydantic import Field

from modelserve.settings import RemoteSettings


class NerTextSettings(RemoteSettings):
    """What a server takes that makes sentences of documents."""

    predictor_batch: int = Field(
        64, ge=1, description="Most sentences in one call to the predictor; at most its --max_batch."
    )
    language: str = Field(
        "en",
        pattern=r"^[a-z]{2,3}(-[a-z]+)*$",
        description="Language of the documents, by its Wikipedia's code; its abbreviations end no sentence.",
    )
