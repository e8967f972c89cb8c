"""The card of a base model: what it is, where its weights are, what it can and cannot do."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from stages.core.params import ParamError, build, read_yaml
from stages.vlm.codecs import CODECS
from stages.vlm.families import FAMILIES


class CardError(ParamError):
    """A model card is missing or says something that cannot be used."""


@dataclass(frozen=True)
class ModelCard:
    """``path`` is a folder relative to the card, or a hub id; ``revision`` pins a hub id, null for a folder.

    ``data``, ``steps``, ``minutes``, ``scores`` and ``limits`` say how the weights came about and what to expect.
    """

    name: str
    family: str
    path: str
    revision: str | None
    codec: str
    image_px: int
    data: str
    steps: int | None
    minutes: float | None
    scores: dict[str, float]
    limits: str
    licence: str


@dataclass(frozen=True)
class Base:
    """A base model as a stage needs it: its card, and where its weights are (folder or hub id)."""

    card: ModelCard
    location: str


def load_base(folder: Path | str) -> Base:
    """Read ``<folder>/card.yaml`` and check it.

    Raises:
        CardError: the card is missing or wrong; the message names the file, the field and what is expected.
    """
    path = Path(folder) / "card.yaml"
    try:
        content = read_yaml(path, "vlm.base in params.yaml must name a folder with a card.yaml, such as models/nano")
    except ParamError as error:
        raise CardError(str(error)) from error
    card = build(ModelCard, content, str(path))
    if card.family not in FAMILIES:
        raise CardError(f"{path}: family {card.family!r} is unknown; known: {', '.join(sorted(FAMILIES))}")
    if card.codec != FAMILIES[card.family].codec or card.codec not in CODECS:
        raise CardError(
            f"{path}: codec {card.codec!r} does not fit family {card.family!r}, which answers in {FAMILIES[card.family].codec!r}"
        )
    if card.revision is None:
        location = (path.parent / card.path).resolve()
        if not (location / "config.json").exists():
            raise CardError(
                f"{path}: no model in {card.path!r} beside the card (config.json is missing); fetch it with `dvc pull` or `git lfs pull`"
            )
        return Base(card, str(location))
    return Base(card, card.path)


def weights_hash(base: Base) -> str:
    """SHA-256 over the weights' files of a local base, or of id and revision of a hub model: what an adapter belongs to."""
    digest = hashlib.sha256()
    if base.card.revision is not None:
        return hashlib.sha256(f"{base.card.path}@{base.card.revision}".encode()).hexdigest()
    for file in sorted(Path(base.location).glob("*.safetensors")):
        digest.update(file.name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def write_card(folder: Path, card: ModelCard) -> None:
    """Write ``card.yaml``; long texts are folded, fields keep their order."""
    content: dict[str, Any] = dataclasses.asdict(card)
    (folder / "card.yaml").write_text(yaml.safe_dump(content, sort_keys=False, width=110, allow_unicode=True), encoding="utf-8")
