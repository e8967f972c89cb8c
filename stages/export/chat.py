"""Chat JSONL for one model family: ``<split>.jsonl`` beside ``images/<split>``.

The user's words are the family's instruction, the answer is its codec's: the same functions as in training and prediction
here. Pictures are as the family wants them before its processor (MedGemma 1.5: padded to a square).
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stages.core.records import Example
from stages.core.stage import StageError
from stages.export.holdings import Holdings
from stages.export.layout import Column, Layout, write_lines
from stages.export.pictures import write_pictures
from stages.vlm.bases import BaseError, base_processor
from stages.vlm.card import Base, load_base
from stages.vlm.codecs.qwen2_5 import SeenPixels
from stages.vlm.codecs.resize import smart_resize
from stages.vlm.families import Family, find_family
from stages.vlm.families.family import whole_picture
from stages.vlm.families.pixel_limits import PIXEL_SETTINGS, pixel_limits
from stages.vlm.families.qwen2_5_vl import FACTOR
from stages.vlm.families.words import spoken

SeenSize = Callable[[int, int], tuple[int, int]]
USAGE = (
    "from datasets import load_dataset",
    'rows = load_dataset("json", data_files={"train": "train.jsonl"})["train"]',
    'prompt = processor.apply_chat_template(rows[0]["messages"][:1], add_generation_prompt=True)  # the answer is messages[1]',
)


def export_chat(holdings: Holdings, out: Path, family_name: str, base: str | None) -> Layout:
    """Write the conversations of every split, and the pictures.

    Raises:
        StageError: the codec counts pixels after the processor's resize and no base tells them; the base is of another family.
    """
    family = find_family(family_name)
    card = None if base is None else load_base(base)
    if card is not None and card.family != family:
        raise StageError(f"--base {base} is of family {card.card.family!r}, the format is chat-{family.name}: give --format chat-{card.card.family}")
    seen, resize = _seen(family, card)
    for split in holdings.splits:
        write_lines(out / f"{split}.jsonl", (conversation(example, holdings, family, seen) for example in holdings.examples if example.split == split))
    change = None if family.prepare is whole_picture else prepared(family)
    write_pictures(holdings, lambda picture: out / "images" / picture.split, change)
    return Layout("*.jsonl", "application/jsonlines", "column", COLUMNS, USAGE, _settings(family, card, resize))


def conversation(example: Example, holdings: Holdings, family: Family, seen: SeenSize | None) -> dict[str, Any]:
    """One example as a user's turn with a picture and the assistant's answer; boxes stand beside it in original pixels."""
    picture = holdings.pictures[example.sample_id]
    size = None if seen is None else seen(example.width, example.height)
    return {
        "id": example.example_id,
        "images": [f"images/{example.split}/{picture.file_name}"],
        "messages": [
            {"role": "user", "content": [{"type": "image", "text": None}, {"type": "text", "text": family.instruction(example.text)}]},
            {"role": "assistant", "content": [{"type": "text", "text": answer(example, family, size)}]},
        ],
        "text": example.text,
        "label": example.label,
        "kind": example.kind,
        "boxes_xyxy_px": example.boxes_xyxy_px,
        "width": example.width,
        "height": example.height,
        "seen_px": size,
        "split": example.split,
        "modality": example.modality,
        "dataset": example.dataset,
        "patient_id": example.patient_id,
        "licence": example.licence,
    }


def answer(example: Example, family: Family, seen_px: tuple[int, int] | None) -> str:
    """The family's answer; a label is written in words ("left kidney|right kidney": left kidney and right kidney)."""
    return family.box_codec.encode(example.boxes_xyxy_px, example.width, example.height, seen_px=seen_px, label=spoken(example.label) or None)


def prepared(family: Family) -> Callable[[bytes], bytes]:
    """PNG bytes to PNG bytes of the picture as the family wants it before its processor."""

    def change(png: bytes) -> bytes:
        from PIL import Image

        written = io.BytesIO()
        family.prepare(Image.open(io.BytesIO(png)).convert("RGB")).save(written, format="PNG", compress_level=1)
        return written.getvalue()

    return change


def counts_seen_pixels(family: Family) -> bool:
    """Whether the family's boxes are pixels of the picture after the processor's resize."""
    return isinstance(getattr(family.box_codec, "space", None), SeenPixels)


def _seen(family: Family, base: Base | None) -> tuple[SeenSize | None, dict[str, int] | None]:
    """How large the model sees a picture, and the resize's settings; None for families whose boxes do not depend on it."""
    if not counts_seen_pixels(family):
        return None, None
    if base is None:
        raise StageError(
            f"the boxes of {family.name} are pixels of the picture after the processor's resize: name the model that will be tuned, "
            "for example --base models/qwen2.5-vl-3b-instruct.yaml (its card's min_pixels and max_pixels must stay the same in training)"
        )
    resize = _limits(base)
    return lambda width, height: smart_resize(width, height, **resize), resize


def _limits(base: Base) -> dict[str, int]:
    """The resize's factor and limits: from the card where it states both limits of a hub model, so that nothing is fetched.

    Raises:
        StageError: the card leaves a limit to a processor that cannot be fetched.
    """
    stated = base.card.processor or {}
    if base.card.hub is not None and PIXEL_SETTINGS.keys() <= stated.keys():
        return {"factor": FACTOR, **{name: stated[name] for name in PIXEL_SETTINGS}}
    try:
        processor = base_processor(base)
    except BaseError as error:
        if base.card.hub is None:
            raise
        raise StageError(
            f"the card of {base.card.name!r} leaves {' and '.join(sorted(PIXEL_SETTINGS.keys() - stated.keys()))} to the processor of "
            f"{base.location}, which cannot be fetched here: state both under `processor` in the card, or go online once"
        ) from error
    images = processor.image_processor
    low, high = pixel_limits(processor)
    return {"factor": images.patch_size * images.merge_size, "min_pixels": low, "max_pixels": high}


def _settings(family: Family, base: Base | None, resize: dict[str, int] | None) -> dict[str, Any]:
    """What a training on the files has to keep."""
    model = None
    if base is not None:
        model = {name: value for name, value in dataclasses.asdict(base.card).items() if name in ("name", "hub", "revision", "processor", "licence")}
    return {
        "family": family.name,
        "codec": family.codec,
        "instruction": family.instruction("{expression}"),
        "end_token": family.end_token,
        "pictures": "as ingested" if family.prepare is whole_picture else family.prepare.__name__.replace("_", " "),
        "base": model,
        "resize": resize,
    }


COLUMNS = (
    Column("id", "sc:Text", "id", "Id of the referring expression."),
    Column("text", "sc:Text", "text", "The referring expression."),
    Column("boxes_xyxy_px", "cr:BoundingBox", "boxes_xyxy_px", "Boxes of the targets, [x0, y0, x1, y1] in pixels of the picture as ingested.", repeated=True),
    Column("split", "sc:Text", "split", "train | val | test; a patient is in one of them."),
)
