"""The KServe model of the token classifier."""

from __future__ import annotations

from pathlib import Path

from bert_ner.config import BertConfig, is_token_classifier
from bert_ner.engine import load_engine
from bert_ner.inference import NerTask
from bert_ner.tokenizer import load_tokenizer
from modelserve.serving import AnyTask, ServedModel
from modelserve.settings import ServerSettings


class BertNer(ServedModel):
    """Names in texts, by any BERT token classifier in a Hugging Face folder."""

    def __init__(self, name: str, model_dir: Path, settings: ServerSettings, *, version: str = "1") -> None:
        super().__init__(name, version=version)
        self._model_dir = model_dir
        self._settings = settings

    @staticmethod
    def accepts(model_dir: Path) -> bool:
        """Whether the folder looks like one of this unit's."""
        return is_token_classifier(model_dir)

    def build_task(self) -> AnyTask:
        """Read the folder: configuration, tokenizer and weights."""
        settings = self._settings
        config = BertConfig.load(self._model_dir)
        tokenizer = load_tokenizer(self._model_dir)
        engine, digest = load_engine(
            self._model_dir,
            engine=settings.engine,
            threads=settings.threads,
            device=settings.device,
            precision=settings.precision,
        )
        return NerTask(engine, tokenizer, config, digest=digest, limits=settings.limits)
