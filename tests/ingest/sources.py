"""Tiny source folders with real files, and cards for them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image

from stages.core.params import DatasetParams, Params, load_params
from stages.ingest.card import Card, load_card
from stages.ingest.readers.base import Source
from stages.ingest.run import read_source
from stages.ingest.samples import CaseResult

REPO = Path(__file__).resolve().parents[2]


def card_content(**changes: Any) -> dict[str, Any]:
    """A valid card of mask files named by structure, as YAML content."""
    content: dict[str, Any] = {
        "name": "tiny",
        "title": "A tiny set",
        "url": "https://example.org",
        "version": "1",
        "licence": "CC0-1.0",
        "licence_limits": "None.",
        "citation": "Nobody. Nothing (2020).",
        "verified_on": "miniature",
        "modality": "X-ray",
        "body_part": "chest",
        "reader": "picture_mask_files",
        "files": {"image": ["images/{case}.png"], "mask": ["masks/{case}_{label:[a-z]+}{number:[0-9]*}.png"], "other": ["README.md"]},
        "labels": {"heart": {"sources": ["heart"], "semantic": False}, "lung opacity": {"sources": ["opacity"], "semantic": False}},
        "ignored_sources": [],
        "annotated_labels": ["heart", "lung opacity"],
        "view": "frontal",
        "image_left_is": "patient_right",
        "intensity": {"kind": "stored"},
        "hash_patients": True,
    }
    return content | changes


def label_map_card(**changes: Any) -> dict[str, Any]:
    """A card of pictures with label maps: 1 nerve, 2 vessel."""
    files = {"image": ["images/{case}.png"], "mask": ["masks/{case}.png"], "other": []}
    labels = {"nerve": {"sources": [1], "semantic": True}, "vessel": {"sources": [2], "semantic": True}}
    base = {
        "reader": "picture_label_map",
        "files": files,
        "labels": labels,
        "annotated_labels": ["nerve", "vessel"],
        "modality": "ultrasound",
    }
    return card_content(**(base | changes))


def volume_card(**changes: Any) -> dict[str, Any]:
    """A card of NIfTI pairs: 1 liver, 2 lesion in it."""
    files = {"image": ["{case}_image.nii.gz"], "mask": ["{case}_label.nii.gz"], "other": []}
    labels = {"liver": {"sources": [1, 2], "semantic": True}, "liver lesion": {"sources": [2], "semantic": True}}
    base = {
        "reader": "volume_pairs",
        "files": files,
        "labels": labels,
        "annotated_labels": ["liver", "liver lesion"],
        "modality": "CT",
        "plane": "axial",
        "image_left_is": None,
        "intensity": {"kind": "window", "level": 50, "width": 400},
    }
    return card_content(**(base | changes))


def write_card(folder: Path, content: dict[str, Any]) -> Path:
    """The card as a file."""
    path = folder / "card.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return path


def make_card(folder: Path, content: dict[str, Any]) -> Card:
    """The card, checked."""
    return load_card(write_card(folder, content))


def limits(**changes: Any) -> Any:
    """The repository's ingest block with some values changed."""
    return dataclasses.replace(load_params(REPO / "params.yaml").ingest, **changes)


def ingest_folder(folder: Path, content: dict[str, Any], **changes: Any) -> tuple[Any, list[CaseResult]]:
    """Read a folder with a card, in this process."""
    return read_source(Source(make_card(folder, content), folder / "root", limits(**changes)), workers=1)


def save(path: Path, pixels: np.ndarray, **options: Any) -> Path:
    """Pixels as a picture file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


def grey(height: int = 40, width: int = 60, seed: int = 0) -> np.ndarray:
    """A noisy grey picture."""
    return np.random.default_rng(seed).integers(0, 256, (height, width)).astype(np.uint8)


def block(box: tuple[int, int, int, int], height: int = 40, width: int = 60, value: int = 255) -> np.ndarray:
    """A mask with one rectangle [x0, y0, x1, y1)."""
    mask = np.zeros((height, width), np.uint8)
    x0, y0, x1, y1 = box
    mask[y0:y1, x0:x1] = value
    return mask


def write_case(root: Path, case: str = "a") -> None:
    """One radiograph with a heart and two opacities."""
    save(root / f"images/{case}.png", grey(seed=sum(case.encode())))
    save(root / f"masks/{case}_heart.png", block((30, 10, 50, 30)))
    save(root / f"masks/{case}_opacity1.png", block((2, 2, 10, 12)))
    save(root / f"masks/{case}_opacity2.png", block((4, 20, 14, 30)))


def stage_params(folder: Path, content: dict[str, Any], **changes: Any) -> Params:
    """Parameters of a run with the tiny dataset alone."""
    base = load_params(REPO / "params.yaml")
    card = write_card(folder, content)
    return dataclasses.replace(
        base,
        datasets={"tiny": DatasetParams(card=str(card), root=str(folder / "root"))},
        engine=dataclasses.replace(base.engine, workers=1),
        ingest=limits(**changes),
    )
