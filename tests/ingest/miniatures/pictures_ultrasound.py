"""Miniature trees of ultrasound pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.ingest.miniatures.drawing import ellipse, empty, grey_noise, save, write_text
from tests.ingest.miniatures.miniature import Miniature

LESION = ellipse((24, 20), (12, 9))
SECOND = ellipse((52, 38), (8, 6))


def busi(root: Path) -> None:
    """A folder per group; a second lesion has its own mask file; normal pictures come with a black mask."""
    base = root / "Dataset_BUSI_with_GT"
    for group, number in (("benign", 4), ("malignant", 20), ("normal", 1)):
        save(base / f"{group}/{group} ({number}).png", np.repeat(grey_noise(number)[..., None], 3, axis=2))
        save(base / f"{group}/{group} ({number})_mask.png", empty() if group == "normal" else LESION)
    save(base / "benign/benign (4)_mask_1.png", SECOND)


def hc18(root: Path) -> None:
    """Two pictures of one fetus and one of another; the annotation is an ellipse drawn two pixels wide; test pictures have none."""
    outline = ellipse((32, 24), (24, 18)) - ellipse((32, 24), (22, 16))
    for name in ("000_HC", "010_HC", "010_2HC"):
        save(root / f"training_set/{name}.png", grey_noise(len(name)))
        save(root / f"training_set/{name}_Annotation.png", outline)
    save(root / "test_set/000_HC.png", grey_noise(5))
    rows = "".join(f"{name}.png,0.125,310.25\n" for name in ("000_HC", "010_HC", "010_2HC"))
    write_text(root / "training_set_pixel_size_and_HC.csv", f"filename,pixel size(mm),head circumference (mm)\n{rows}")
    write_text(root / "test_set_pixel_size.csv", "filename,pixel size(mm)\n000_HC.png,0.1\n")


def tn3k(root: Path) -> None:
    """Both parts count from 0000; pictures and masks are JPEG."""
    for part in ("trainval", "test"):
        for number in (0, 1):
            save(root / f"{part}-image/{number:04d}.jpg", grey_noise(number + len(part)))
            save(root / f"{part}-mask/{number:04d}.jpg", LESION)
        write_text(root / f"label4{part}.csv", "x")
    write_text(root / "tn3k-trainval-fold0.json", "{}")


def ddti(root: Path) -> None:
    """Upper-case endings."""
    for number in (0, 1):
        save(root / f"1_or_data/image/{number:04d}.PNG", grey_noise(number))
        save(root / f"1_or_data/mask/{number:04d}.PNG", LESION)
    write_text(root / "1_or_data/category.csv", "ID,CATE\n")
    write_text(root / "2_preprocessed_data/stage1/readme.txt", "x")


MINIATURES = {
    "busi": Miniature(busi, cases=3, objects={"breast lesion": 3}),
    "hc18": Miniature(hc18, cases=3, spacing_mm=(0.125, 0.125), patients=2),
    "tn3k": Miniature(tn3k, cases=4, patients=4),
    "ddti": Miniature(ddti, cases=2),
}
