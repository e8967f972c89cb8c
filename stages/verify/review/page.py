"""The page that a person judges samples on: one file, no network, everything that came from data escaped."""

from __future__ import annotations

import base64
import hashlib
import io
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stages.core.params import Params
from stages.core.records import Query, Sample, Verdict
from stages.core.stage import StageError
from stages.verify.judges.combination import counted
from stages.verify.review.sampling import Judged
from stages.verify.review.tables import read_boxes, read_samples, read_verdicts

TEMPLATES = Path(__file__).parent / "templates"
# Why a person rejects, in the order of the keys 1 to 8.
REASONS = {
    "not_visible": "nothing to be seen there",
    "wrong_box": "box is off",
    "wrong_thing": "another thing than named",
    "wrong_place": "wrong side or place",
    "wrong_look": "wrong size, shape or look",
    "ambiguous": "others fit as well",
    "wrong_number": "wrong number of targets",
    "bad_language": "nobody would say so",
}
_QUALITY = 92


@dataclass(frozen=True)
class Item:
    """One sample on the page. Boxes are ``box_xyxy_px`` of the stored image; ``digest`` ties an answer to the text it is about."""

    query_id: str
    digest: str
    text: str
    kind: str
    where: str
    picture: str
    width: int
    height: int
    boxes: list[list[float]]
    n_targets: int
    left_mark: str | None
    right_mark: str | None
    fate: str
    verdicts: list[Verdict]


def digest_of(query: Query) -> str:
    """Short hash of a query's text and targets."""
    return hashlib.sha256("\x1f".join([query.text, *sorted(query.anchor_ids)]).encode()).hexdigest()[:16]


def items_of(drawn: Sequence[Judged], params: Params, longest_px: int) -> list[Item]:
    """What the page shows of the drawn queries, in their order.

    Raises:
        StageError: a sample's picture is missing or cannot be decoded.
    """
    samples = read_samples(params, {item.query.sample_id for item in drawn})
    boxes = read_boxes(params, {anchor_id for item in drawn for anchor_id in item.query.anchor_ids})
    verdicts = read_verdicts({item.query.query_id for item in drawn})
    return [_item(entry, samples.get(entry.query.sample_id), boxes, verdicts.get(entry.query.query_id, []), longest_px) for entry in drawn]


def _item(entry: Judged, sample: Sample | None, boxes: dict[str, list[float]], verdicts: list[Verdict], longest_px: int) -> Item:
    query = entry.query
    if sample is None:
        raise StageError(f"{query.query_id}: its sample {query.sample_id!r} is in no table of data/samples: run `dvc repro`")
    marks = {"patient_right": ("R", "L"), "patient_left": ("L", "R")}.get(sample.image_left_is or "", (None, None))
    where = ", ".join(part for part in (sample.modality, sample.body_part, sample.plane) if part)
    return Item(
        query_id=query.query_id, digest=digest_of(query), text=visible(query.text), kind=query.kind, where=where,
        picture=_picture(sample, longest_px), width=sample.width, height=sample.height,
        boxes=[boxes[anchor_id] for anchor_id in query.anchor_ids if anchor_id in boxes], n_targets=len(query.anchor_ids),
        left_mark=marks[0], right_mark=marks[1], fate=entry.fate, verdicts=_deciding_first(verdicts),
    )  # fmt: skip


def _deciding_first(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """All verdicts, those first that speak against the query."""
    deciding = {verdict.check for verdict in counted(verdicts) if verdict.passed is not True}
    return sorted(verdicts, key=lambda verdict: (verdict.check not in deciding, verdict.passed is True))


def visible(text: str) -> str:
    """A text in which characters that are not seen, or that turn the reading order, stand as their code."""
    return "".join(f"[U+{ord(c):04X}]" if unicodedata.category(c) in ("Cc", "Cf", "Co", "Cn", "Zl", "Zp") else c for c in text)


def _picture(sample: Sample, longest_px: int) -> str:
    """The sample's picture as a data URI, scaled down to ``longest_px``."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(sample.image)) as opened:
            image = opened.convert("L" if opened.mode in ("1", "L") else "RGB")
    except (UnidentifiedImageError, OSError) as error:
        raise StageError(f"data/samples: the picture of {sample.sample_id} cannot be decoded ({error}): `dvc repro ingest`") from error
    image.thumbnail((longest_px, longest_px), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "jpeg", quality=_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def render(items: Sequence[Item], seed: int) -> str:
    """The whole page. It depends on the items alone: no time, run or path."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["pixels"] = lambda value: f"{value:.3f}".rstrip("0").rstrip(".")
    return environment.get_template("page.html.j2").render(
        items=items,
        reasons=REASONS,
        seed=seed,
        page_id=hashlib.sha256("\x1f".join(item.query_id + item.digest for item in items).encode()).hexdigest()[:16],
        style=Markup((TEMPLATES / "page.css").read_text(encoding="utf-8")),
        script=Markup((TEMPLATES / "page.js").read_text(encoding="utf-8")),
    )
