"""The card of a base model: what it is, where its weights are, how its pictures are prepared, what it may be used for."""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from stages.core.params import ParamError, build, read_yaml
from stages.vlm.codecs import CODECS
from stages.vlm.families import FAMILIES, Family

CARDS = Path("models")
_COMMIT = re.compile(r"[0-9a-f]{40}")


class CardError(ParamError):
    """A model card is missing or says something that cannot be used."""


@dataclass(frozen=True)
class ModelCard:
    """Either ``path``, a folder relative to the card, or ``hub``, a hub id, with ``revision``, the commit it is pinned to.

    ``processor`` holds settings of the family's processor (see ``Family.settings``); what it leaves out is as the model
    was published. For weights made here ``data``, ``steps``, ``minutes``, ``scores`` and ``limits`` say how they came
    about and what to expect.
    """

    name: str
    family: str
    codec: str
    licence: str
    path: str | None = None
    hub: str | None = None
    revision: str | None = None
    processor: dict[str, Any] | None = None
    note: str | None = None
    image_px: int | None = None
    data: str | None = None
    steps: int | None = None
    minutes: float | None = None
    scores: dict[str, float] | None = None
    limits: str | None = None


@dataclass(frozen=True)
class Base:
    """A base model as a stage needs it: its card, and where its weights are (folder or hub id)."""

    card: ModelCard
    location: str

    @property
    def family(self) -> Family:
        """The card's family."""
        return FAMILIES[self.card.family]

    @property
    def processor_settings(self) -> dict[str, Any]:
        """The card's processor settings as keywords of the family's image processor."""
        chosen = self.card.processor or {}
        return {key: item for name, value in chosen.items() for key, item in self.family.settings[name](value).items()}


def load_base(where: Path | str) -> Base:
    """Read and check a card: a folder with a card.yaml, a card's file, or the name of a card in models/.

    Raises:
        CardError: the card is missing or wrong; the message names the file, the field and what is expected.
    """
    path = card_file(where)
    try:
        content = read_yaml(path, "vlm.base in params.yaml must name a folder with a card.yaml, or a card in models/")
        card = build(ModelCard, content, str(path))
    except CardError:
        raise
    except ParamError as error:
        raise CardError(str(error)) from error
    _check_family(card, path)
    _check_settings(card, path)
    return Base(card, _location(card, path))


def card_file(where: Path | str) -> Path:
    """The card that ``vlm.base`` means.

    Raises:
        CardError: there is none; the message lists the cards that there are.
    """
    given = Path(where)
    if given.suffix == ".yaml":
        candidates = [given, CARDS / given]
    else:
        candidates = [given / "card.yaml", given.with_name(f"{given.name}.yaml"), CARDS / f"{where}.yaml", CARDS / given / "card.yaml"]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    known = sorted({*(path.stem for path in CARDS.glob("*.yaml")), *(path.parent.name for path in CARDS.glob("*/card.yaml"))})
    raise CardError(
        f"vlm.base in params.yaml: no model card at {where} (nor in {CARDS}/). Name a folder with a card.yaml, or one of the cards: {', '.join(known) or 'none here'}"
    )


def _check_family(card: ModelCard, path: Path) -> None:
    if card.family not in FAMILIES:
        raise CardError(f"{path}: family {card.family!r} is unknown; known: {', '.join(sorted(FAMILIES))}")
    expected = FAMILIES[card.family].codec
    if card.codec != expected or card.codec not in CODECS:
        raise CardError(f"{path}: codec {card.codec!r} does not fit family {card.family!r}, which answers in {expected!r}")


def _check_settings(card: ModelCard, path: Path) -> None:
    known = FAMILIES[card.family].settings
    for name, value in (card.processor or {}).items():
        if name not in known:
            near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.0)
            guess = f"did you mean {near[0]!r}? " if near else ""
            raise CardError(f"{path}: processor: unknown setting {name!r}; {guess}Family {card.family!r} knows: {', '.join(known) or 'none'}")
        if not isinstance(value, int) or (not isinstance(value, bool) and value <= 0):
            raise CardError(f"{path}: processor: {name}: expected a whole number above 0, or true or false, got {value!r}")


def _location(card: ModelCard, path: Path) -> str:
    """Folder or hub id of the weights."""
    if (card.path is None) == (card.hub is None):
        raise CardError(f"{path}: expected either `path` (a folder beside the card) or `hub` (a hub id), got {card.path!r} and {card.hub!r}")
    if card.hub is not None:
        if card.revision is None or not _COMMIT.fullmatch(card.revision):
            raise CardError(
                f"{path}: revision: expected the full commit id of {card.hub} (40 hexadecimal digits), got {card.revision!r}: fill in the one "
                f"that you use, from https://huggingface.co/{card.hub}/commits/main, because an unpinned model can change between two runs"
            )
        return card.hub
    if card.revision is not None:
        raise CardError(f"{path}: revision {card.revision!r} belongs to a hub id; for weights in a folder leave it out")
    location = (path.parent / str(card.path)).resolve()
    if not (location / "config.json").exists():
        raise CardError(f"{path}: no model in {card.path!r} beside the card (config.json is missing); fetch it with `dvc pull` or `git lfs pull`")
    return str(location)


def weights_hash(base: Base) -> str:
    """What an adapter belongs to: SHA-256 over the weights' files of a local base, or of a hub model's id and revision.

    Processor settings count too: with others the same weights see other pixels.
    """
    digest = hashlib.sha256()
    if base.card.hub is not None:
        digest.update(f"{base.card.hub}@{base.card.revision}".encode())
    else:
        for file in sorted(Path(base.location).glob("*.safetensors")):
            with file.open("rb") as handle:
                digest.update(file.name.encode() + b"\0" + hashlib.file_digest(handle, "sha256").digest())
    if base.card.processor:
        digest.update(json.dumps(base.card.processor, sort_keys=True).encode())
    return digest.hexdigest()


def write_card(folder: Path, card: ModelCard) -> None:
    """Write ``card.yaml`` without empty fields; long texts are folded, fields keep their order."""
    content = {key: value for key, value in dataclasses.asdict(card).items() if value is not None}
    (folder / "card.yaml").write_text(yaml.safe_dump(content, sort_keys=False, width=110, allow_unicode=True), encoding="utf-8")
