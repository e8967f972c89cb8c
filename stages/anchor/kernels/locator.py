"""Where numba keeps the machine code of the kernels: found by content, not by the path of the source."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import config
from numba.core.caching import UserProvidedCacheLocator


class ContentLocator(UserProvidedCacheLocator):
    """``CACHE_DIR`` itself, which ``compiled`` names after the content of all kernels, and no folder a source path in it."""

    def __init__(self, py_func: Callable[..., Any], py_file: str) -> None:
        super().__init__(py_func, py_file)
        self._cache_path = config.CACHE_DIR
