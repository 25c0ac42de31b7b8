"""Keeps the agent from any database: what it knows it asks the conductor for."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any, Final, NoReturn

from computed import errors

LOG = logging.getLogger(__name__)

# Every engine of SQLAlchemy, and so every facade of oslo.db, is made by this module.
_MODULE: Final = "sqlalchemy.engine.create"
_FUNCTIONS: Final = ("create_engine", "engine_from_config", "create_pool_from_url")
_COPIES: Final = ("sqlalchemy", "sqlalchemy.engine")


def install(binary: str) -> None:
    """From now on an attempt to open a database logs its stack and raises DBNotAllowed.

    SQLAlchemy itself is not imported for that. Not for the one-host cloud, whose conductor lives in this
    process and owns a database.
    """

    def refuse(*arguments: Any, **options: Any) -> NoReturn:
        LOG.error("%s tried to open a database", binary, stack_info=True)
        raise errors.DBNotAllowed(binary=binary)

    if _MODULE in sys.modules:
        for name in (_MODULE, *_COPIES):
            _replace(sys.modules[name], refuse)
    else:
        sys.meta_path.insert(0, _Finder(refuse))


def _replace(module: ModuleType, refuse: Any) -> None:
    for function in _FUNCTIONS:
        if hasattr(module, function):
            setattr(module, function, refuse)


class _Finder(MetaPathFinder):
    """Finds the module where it is, and has it changed as soon as it is loaded."""

    def __init__(self, refuse: Any) -> None:
        self._refuse = refuse

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != _MODULE:
            return None
        sys.meta_path.remove(self)
        spec = find_spec(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, self._refuse)
        return spec


class _Loader(Loader):
    def __init__(self, loader: Any, refuse: Any) -> None:
        self._loader = loader
        self._refuse = refuse

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        _replace(module, self._refuse)
