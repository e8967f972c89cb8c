"""The door to the compiled kernels: numba is imported here, when first needed, with a cache outside the tree.

Machine code is kept by the *content* of its sources, below ``MEDGROUND_CACHE`` (or ``NUMBA_CACHE_DIR`` where that is set):
another clone, or an experiment in a temporary folder, finds it there and compiles nothing.
"""

from __future__ import annotations

import hashlib
import importlib
import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from stages.core.cache import cache_dir

_SOURCES = Path(__file__).parent / "kernels"


def compiled(name: str, sources: tuple[str, ...], warm: Callable[[ModuleType], None]) -> ModuleType:
    """Module ``name`` of ``kernels`` with its entries compiled; callers keep it, every call asks the disk.

    ``sources`` are the modules of ``kernels`` that it is made from, itself among them. ``warm`` calls each entry with the
    one set of types that it is ever called with. It runs under a lock: worker processes that start together wait for the
    first one's compilation, then load it.
    """
    from filelock import FileLock

    folder = _cache_folder(name, sources)
    with FileLock(folder / "compile.lock"):
        module = _imported(f"{__package__}.kernels.{name}", folder)
        warm(module)
    return module


def _cache_folder(name: str, sources: tuple[str, ...]) -> Path:
    """Where the machine code of exactly these sources lies."""
    digest = hashlib.sha256()
    for source in sources:
        digest.update(source.encode() + b"\0" + (_SOURCES / f"{source}.py").read_bytes())
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    folder = (Path(chosen) if chosen else cache_dir("numba")) / f"{name}-{digest.hexdigest()[:16]}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _imported(name: str, folder: Path) -> ModuleType:
    """Import a module while numba's cache points at the folder; other users of numba keep their own settings."""
    from numba import config

    before = config.CACHE_DIR, config.CACHE_LOCATOR_CLASSES
    config.CACHE_DIR, config.CACHE_LOCATOR_CLASSES = str(folder), f"{__package__}.kernels.locator.ContentLocator"
    try:
        return importlib.import_module(name)
    finally:
        config.CACHE_DIR, config.CACHE_LOCATOR_CLASSES = before
