"""Miniature trees of microscopy and pathology sets."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.ingest.miniatures.drawing import colour_noise, ellipse, save, write_text
from tests.ingest.miniatures.miniature import Miniature

CENTRES = ((12, 12), (30, 30), (50, 16))
# Two glands that touch: only their values tell them apart.
GLANDS = np.maximum(ellipse((16, 24), (10, 16), 1), ellipse((46, 14), (12, 9), 2))
GLANDS[24:40, 27:46] = 3


def dsb2018(root: Path) -> None:
    """A folder per picture, a mask file per nucleus; test pictures have none."""
    for name in ("a" * 64, "b" * 64):
        save(root / f"stage1_train/{name}/images/{name}.png", np.dstack([colour_noise(3), np.full((48, 64), 255, np.uint8)]))
        for number, centre in enumerate(CENTRES):
            save(root / f"stage1_train/{name}/masks/{number:064x}.png", ellipse(centre, (6, 5)))
    save(root / f"stage1_test/{'c' * 64}/images/{'c' * 64}.png", colour_noise(4))
    write_text(root / "stage1_train_labels.csv", "ImageId,EncodedPixels\n")


def glas(root: Path) -> None:
    """Instance maps beside the pictures."""
    base = root / "Warwick QU Dataset (Released 2016_07_08)"
    rows = ["name,patient ID, grade (GlaS), grade (Sirinukunwattana et al. 2015)"]
    for name in ("train_1", "testA_1", "testB_20"):
        save(base / f"{name}.bmp", colour_noise(len(name)))
        save(base / f"{name}_anno.bmp", GLANDS)
        rows.append(f"{name},7, benign, adenomatous")
    write_text(base / "Grade.csv", "\n".join(rows) + "\n")


def crag(root: Path) -> None:
    """Instance maps in folders of their own."""
    for part, name in (("train", "train_1"), ("valid", "test_1")):
        save(root / f"CRAG/{part}/Images/{name}.png", colour_noise(len(part)))
        save(root / f"CRAG/{part}/Annotation/{name}.png", GLANDS)
        save(root / f"CRAG/{part}/Overlay/{name}.png", colour_noise(len(part)))


MINIATURES = {
    "dsb2018": Miniature(dsb2018, cases=2, objects={"cell nucleus": 6}),
    "glas": Miniature(glas, cases=3, objects={"gland": 9}, patients=1),
    "crag": Miniature(crag, cases=2, objects={"gland": 6}),
}
