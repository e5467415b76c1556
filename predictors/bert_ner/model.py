"""The KServe model of the token classifier."""

from __future__ import annotations

from pathlib import Path

from bert_ner.config import BertConfig, is_token_classifier
from bert_ner.engine import load_engine
from bert_ner.inference import NerTask
from bert_ner.tokenizer import load_tokenizer
from modelserve.execution import AnyTask
from modelserve.task_model import FolderModel


class BertNer(FolderModel):
    """Names in texts, by any BERT token classifier in a Hugging Face folder."""

    @staticmethod
    def accepts(model_dir: Path) -> bool:
        """Whether the folder's ``config.json`` is that of a token classifier."""
        return is_token_classifier(model_dir)

    def build_task(self) -> AnyTask:
        """Read the folder: configuration, tokenizer and weights."""
        config = BertConfig.load(self.model_dir)
        tokenizer = load_tokenizer(self.model_dir)
        engine, digest = load_engine(self.model_dir, **self.settings.engine_options)
        return NerTask(engine, tokenizer, config, digest=digest, limits=self.settings.limits)
