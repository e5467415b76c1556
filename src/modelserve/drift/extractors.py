"""The extractors of the models whose calls come.

They hold tokenizers, which are large: each is made once, and let go when nothing needs it any more.
"""

from __future__ import annotations

from modelserve.drift.baselines import References
from modelserve.drift.features import Extractor
from modelserve.drift.verdicts import Source


class Extractors:
    """By the files of the model that a source's reference has.

    Args:
        references: the baselines, by model.
        shown: whether something of each input is kept to be shown to people.
    """

    def __init__(self, references: References, *, shown: bool) -> None:
        self._references, self._shown = references, shown
        self._made: dict[str, Extractor] = {}
        self._used: dict[str, float] = {}

    def find(self, source: Source, *, now: float) -> Extractor:
        """The extractor of a source's calls.

        Args:
            source: whose calls they are.
            now: seconds by any clock that does not go back.

        Raises:
            AssetError: a file of the reference is none.
        """
        reference = self._references.find(source)
        version = "" if reference is None else reference.version
        if version not in self._made:
            self._made[version] = Extractor({} if reference is None else reference.assets, shown=self._shown)
        self._used[version] = now
        return self._made[version]

    def forget(self, *, before: float) -> None:
        """Let go those that were last used before a time, by the clock of ``find``.

        They are of references that were replaced, or of models that nobody calls.
        """
        for version in [version for version, used in self._used.items() if used < before]:
            del self._made[version], self._used[version]
