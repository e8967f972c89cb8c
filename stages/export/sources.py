"""What the card of a source says about where its data come from, and whether its pictures may be handed on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from stages.core.params import ParamError, read_yaml

# SPDX ids whose terms allow handing on changed copies (a window, a slice, a resize is a change): public domain, Creative
# Commons without "no derivatives", open data and free software licences. Whatever else binds (attribution, no commercial
# use, share alike) goes with the data. Unknown terms and LicenseRef-... allow nothing.
_FREE = re.compile(
    r"CC0-1\.0|PDDL-1\.0|CC-BY(-NC)?(-SA)?-\d\.\d(-[A-Z]+)*|ODC-By-1\.0|ODbL-1\.0|CDLA-[A-Za-z]+-\d\.\d|"
    r"MIT|Apache-2\.0|BSD-[23]-Clause|(GPL|LGPL|AGPL)-\d\.\d-(only|or-later)"
)


@dataclass(frozen=True)
class Source:
    """One source dataset, as its card tells it; None is not known. ``verified_on``: real | miniature | phantom."""

    name: str
    title: str
    url: str
    version: str | None
    licence: str | None
    licence_limits: str
    citation: str | None
    verified_on: str
    modality: str
    body_part: str
    hash_patients: bool
    notes: str


def read_source(name: str, card: Path) -> Source:
    """The facts of a card that a reader of the data needs; ``ingest`` checks the whole card.

    Raises:
        ParamError: the card is missing, or says less than a source needs.
    """
    content = read_yaml(card, f"check `datasets.{name}.card` in params.yaml")
    facts = {key: content.get(key, "" if key == "notes" else None) for key in Source.__annotations__}
    for key in ("title", "url", "licence_limits", "verified_on", "modality", "body_part", "hash_patients"):
        if facts[key] is None:
            raise ParamError(f"{card}:{key}: expected a value, got none: see data/cards/README.md")
    return Source(**{**facts, "name": name})


def redistributable(licence: str) -> bool:
    """Whether an SPDX expression allows handing on changed copies: all parts of an AND, one of an OR; unknown terms do not."""
    return any(all(_FREE.fullmatch(part.split(" WITH ")[0].strip()) for part in choice.split(" AND ")) for choice in licence.split(" OR "))
