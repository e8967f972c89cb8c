"""The card's JSON Schema, made of the annotations of ``card.Card`` and the docstrings of its blocks.

``python -m stages.ingest --schema`` prints it; ``data/cards/schema.json`` is a copy that editors can use, and a test
keeps it current. What a schema cannot say (labels that exist, fields that fit the reader) is checked by ``load_card``.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import types
import typing
from typing import Annotated, Any

from stages.core.params import ParamError
from stages.ingest.card import FIELD_READERS, INTENSITIES, NEEDED_FIELDS, Card

_PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean"}


def card_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a card."""
    from stages.ingest.readers import READERS

    body = _object(Card)
    body["properties"]["reader"]["enum"] = sorted(READERS)
    body["properties"]["intensity"]["properties"]["kind"]["enum"] = list(INTENSITIES)
    for field, readers in FIELD_READERS.items():
        known = body["properties"][field]
        known["description"] = f"{known.get('description', '')} Readers: {', '.join(readers)}.".strip()
    rules = [{"if": {"properties": {"reader": {"const": reader}}}, "then": {"required": list(fields)}} for reader, fields in sorted(NEEDED_FIELDS.items())]
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Card of a source dataset"}
    return {**head, **body, "allOf": rules}


def schema_text() -> str:
    """The schema as the text of ``data/cards/schema.json``."""
    return json.dumps(card_schema(), indent=2, ensure_ascii=False) + "\n"


def described_fields(record_type: type) -> dict[str, str]:
    """Field -> what its annotation says about it; an empty text where a block describes itself in its docstring."""
    hints = typing.get_type_hints(record_type, include_extras=True)
    return {name: next((extra for extra in getattr(hint, "__metadata__", ()) if isinstance(extra, str)), "") for name, hint in hints.items()}


def readme_tables() -> str:
    """Fields, readers, flags and fault codes as the Markdown tables of ``data/cards/README.md``."""
    from stages.ingest.faults import KINDS
    from stages.ingest.quality import FLAGS

    properties = card_schema()["properties"]
    rows = []
    for name, entry in properties.items():
        needed = "yes" if name in card_schema()["required"] else ""
        values = ", ".join("null" if value is None else str(value) for value in entry.get("enum", ()) if name != "reader")
        text = entry.get("description", "") + (f" One of: {values}." if values else "")
        rows.append([f"`{name}`", needed, text + _keys(entry)])
    parts = [
        ("Fields", _table(["field", "needed", "meaning"], rows)),
        ("Flags", _table(["flag", "meaning, and what to do"], [[f"`{name}`", text] for name, text in FLAGS.items()])),
        ("Fault codes", _table(["code", "meaning, and what to do"], [[f"`{name}`", text] for name, text in KINDS.items()])),
    ]
    return "\n".join(f"### {title}\n{table}" for title, table in parts)


def _keys(block: dict[str, Any]) -> str:
    """The keys of a block, those that may be left out in brackets."""
    names = [f"`{key}`" if key in block["required"] else f"[`{key}`]" for key in block.get("properties", ())]
    return f" Keys: {', '.join(names)}." if names else ""


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def reader_manual(name: str) -> str:
    """What a reader's module says of layouts, options and sources, with an example.

    Raises:
        ParamError: there is no such reader.
    """
    from stages.ingest.readers import READERS

    if name not in READERS:
        raise ParamError(f"no reader {name!r}; there are {', '.join(sorted(READERS))}")
    module = inspect.getmodule(type(READERS[name]))
    return f"{name}: {inspect.getdoc(module) or ''}\n\n{inspect.getdoc(type(READERS[name])) or ''}\n"


def _object(record_type: type) -> dict[str, Any]:
    hints = typing.get_type_hints(record_type, include_extras=True)
    required = [field.name for field in dataclasses.fields(record_type) if field.default is dataclasses.MISSING]
    return {
        "type": "object",
        "description": " ".join((inspect.getdoc(record_type) or "").replace("``", "`").split()),
        "properties": {name: _schema_of(hint) for name, hint in hints.items()},
        "required": required,
        "additionalProperties": False,
    }


def _schema_of(hint: Any) -> dict[str, Any]:
    if dataclasses.is_dataclass(hint):
        return _object(typing.cast(type, hint))
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return _annotated(arguments)
    if origin in (types.UnionType, typing.Union):
        (inner,) = [_schema_of(argument) for argument in arguments if argument is not types.NoneType]
        return {**inner, "type": [inner["type"], "null"]}
    if origin is dict:
        return {"type": "object", "additionalProperties": _schema_of(arguments[1])}
    if origin is list:
        return {"type": "array", "items": _schema_of(arguments[0])}
    return {} if hint is Any else {"type": _PLAIN[hint]}


def _annotated(arguments: tuple[Any, ...]) -> dict[str, Any]:
    schema = _schema_of(arguments[0])
    for extra in arguments[1:]:
        if isinstance(extra, tuple):
            schema["enum"] = list(extra)
        else:
            schema["description"] = " ".join([extra, *filter(None, [schema.get("description")])])
    return schema
