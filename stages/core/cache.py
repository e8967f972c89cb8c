"""Content-addressed store for costly answers, outside every out of the pipeline.

A stage that is stopped half-way finds here what it had already paid for. The folder is ``MEDGROUND_CACHE``,
by default ``medground`` under the user's cache directory.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from stages.core.storage import shut_folder


class CacheError(OSError):
    """The cache's folder cannot be written; the message says what to do."""


def cache_root() -> Path:
    """``MEDGROUND_CACHE``, or ``medground`` under the user's cache directory."""
    base = os.environ.get("MEDGROUND_CACHE")
    return Path(base) if base else Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "medground"


def cache_dir(name: str) -> Path:
    """Folder of one kind of cached thing; made when missing.

    Raises:
        CacheError: it cannot be made, or is there and cannot be written.
    """
    folder = cache_root() / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _try_writing(folder)
    except OSError as error:
        raise CacheError(shut_folder(folder, error, "MEDGROUND_CACHE")) from error
    return folder


@functools.cache
def _try_writing(folder: Path) -> None:
    """Writing is the one test that holds for read-only mounts and for root alike."""
    with tempfile.TemporaryFile(dir=folder):
        pass


def request_key(request: Any) -> str:
    """SHA-256 of a JSON-able request, independent of the order of keys."""
    return hashlib.sha256(json.dumps(request, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def load_answer(name: str, key: str) -> Any | None:
    """The stored answer, or None when there is none."""
    path = cache_dir(name) / key[:2] / f"{key}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def store_answer(name: str, key: str, answer: Any) -> None:
    """Store an answer; the rename is atomic, so a killed run leaves no half-written file."""
    text = json.dumps(answer, sort_keys=True, ensure_ascii=False)
    folder = cache_dir(name) / key[:2]
    folder.mkdir(exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=folder, delete=False, encoding="utf-8") as handle:
        try:
            handle.write(text)
            handle.flush()
        except OSError:
            os.unlink(handle.name)
            raise
    os.replace(handle.name, folder / f"{key}.json")
