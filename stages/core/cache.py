"""Content-addressed store for costly answers, outside every out of the pipeline.

A stage that is stopped half-way finds here what it had already paid for. The folder is ``MEDGROUND_CACHE``,
by default ``medground`` under the user's cache directory.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any


def cache_dir(name: str) -> Path:
    """Folder of one kind of cached thing; made when missing."""
    base = os.environ.get("MEDGROUND_CACHE")
    root = Path(base) if base else Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "medground"
    folder = root / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


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
        handle.write(text)
    os.replace(handle.name, folder / f"{key}.json")
