"""Imports KServe's ``Model`` without what a predictor never calls: half of a cold start.

``import kserve`` brings the Kubernetes client, a hundred generated API classes and pandas, none of which
a call touches. A server process therefore begins with ``import_model``: the package's own ``__init__`` is
put off until somebody asks for a name of it, and pandas until KServe asks for more than the class that
its annotations name. Everything works as before when it is asked for; only the order changes.
"""

from __future__ import annotations

import importlib
import sys
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import Any


class _PutOffPackage(ModuleType):
    """A package whose submodules can be imported, and whose ``__init__`` runs at the first other name."""

    def __getattr__(self, name: str) -> Any:
        spec = self.__spec__
        # A submodule that is being imported is asked for too; the import system goes on from here.
        if name.startswith("__") or spec is None or find_spec(f"{self.__name__}.{name}") is not None:
            raise AttributeError(name)
        self.__class__ = ModuleType  # type: ignore[assignment]  # so that the package sees itself as any other does
        assert spec.loader is not None
        spec.loader.exec_module(self)
        return getattr(self, name)


class _PandasLater(ModuleType):
    """Stands for pandas while KServe is imported; its annotations name ``DataFrame``."""

    def __init__(self) -> None:
        super().__init__("pandas")
        self.importing = True

    def __getattr__(self, name: str) -> Any:
        if self.importing:
            return type(name, (), {})
        return getattr(importlib.import_module("pandas"), name)


def import_model() -> None:
    """Import ``kserve.model``; does nothing where KServe was imported before."""
    if "kserve" in sys.modules:
        return
    spec = find_spec("kserve")
    assert spec is not None, "kserve is a dependency of the server"
    package = module_from_spec(spec)
    package.__class__ = _PutOffPackage
    sys.modules["kserve"] = package
    if "pandas" in sys.modules:
        importlib.import_module("kserve.model")
        return
    stand_in = _PandasLater()
    sys.modules["pandas"] = stand_in
    try:
        importlib.import_module("kserve.model")
    finally:
        stand_in.importing = False
        del sys.modules["pandas"]
