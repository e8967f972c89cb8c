"""Prompts as Jinja files beside the stage that asks, with the hash that goes with what was made from them."""

from __future__ import annotations

import functools
import hashlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment


def prompts_hash(folder: Path, *schemas: dict[str, Any]) -> str:
    """Hash of a folder's prompt files and of the schemas of the answers."""
    digest = hashlib.sha256("".join(json.dumps(schema, sort_keys=True) for schema in schemas).encode())
    for file in sorted(folder.glob("*.j2")):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]


@functools.cache
def _environment(folder: Path) -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(loader=FileSystemLoader(folder), undefined=StrictUndefined, keep_trailing_newline=False, autoescape=False)


def render(folder: Path, name: str, **values: Any) -> str:
    """The prompt ``name``.j2 of a folder with its values; a missing value is an error."""
    return _environment(folder).get_template(f"{name}.j2").render(**values)


def without_fence(text: str) -> str:
    """The JSON of an answer that a model has put into a Markdown fence all the same."""
    match = re.fullmatch(r"\s*```(?:json)?\s*(.*?)\s*```\s*", text, re.DOTALL)
    return match[1] if match else text
