"""The folder that the example card describes."""

from __future__ import annotations

from pathlib import Path

from tests.ingest.miniatures.drawing import ellipse, grey_noise, save, write_text
from tests.ingest.miniatures.miniature import Miniature

THYROID = ellipse((20, 24), (14, 16))
FIRST_NODULE, SECOND_NODULE = ellipse((14, 20), (4, 4)), ellipse((26, 30), (4, 5))


def example(root: Path) -> None:
    """Two patients; one with two nodules, one with none and a calliper that was drawn as a mask."""
    for number, (split, case) in enumerate([("training", "0001"), ("test", "0007")]):
        save(root / f"{split}/frames/{case}.png", grey_noise(number))
        save(root / f"{split}/outlines/{case}_thyroid.png", THYROID)
    save(root / "training/outlines/0001_nodule_1.png", FIRST_NODULE)
    save(root / "training/outlines/0001_nodule_2.png", SECOND_NODULE)
    save(root / "test/outlines/0007_calliper.png", SECOND_NODULE)
    write_text(root / "patients.csv", "file,patient,mm\n0001.png,p1,0.1\n0007.png,p2,0.1\n")
    write_text(root / "README.txt", "An invented set.")


MINIATURES: dict[str, Miniature] = {
    "example": Miniature(example, cases=2, spacing_mm=(0.1, 0.1), picture_side={"thyroid gland": "left"}),
}
