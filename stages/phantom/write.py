"""Studies on disk, in the layouts of real datasets. The same study gives the same bytes: no time stamp is written."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from stages.core.stage import seed_for
from stages.phantom.ct import build_study
from stages.phantom.cxr import build_radiograph
from stages.phantom.microscopy import build_field
from stages.phantom.ultrasound import build_scan

PALETTE = [0, 0, 0, 255, 214, 0, 214, 39, 40]


def case_name(number: int, cases: int) -> tuple[str, str]:
    """(case, patient) of a study: the last seventh of the studies are second visits of the first patients."""
    first_visits = cases - cases // 7
    patient = f"p{(number if number < first_visits else number - first_visits) + 1:04d}"
    return f"{patient}_{1 if number < first_visits else 2}", patient


def write_ct(root: Path, case: str, seed: int) -> None:
    """``imagesTr/ct_<case>.nii.gz`` and ``labelsTr/...``; stored in RAS or LPS, as the draw says."""
    from stages.core.volume import write_volume

    rng = np.random.default_rng(seed)
    orientation = "RAS" if rng.random() < 0.5 else "LPS"
    study = build_study(rng)
    for folder, array in (("imagesTr", study.hounsfield), ("labelsTr", study.labels)):
        write_volume(root / folder / f"ct_{case}.nii.gz", array, study.spacing_mm, orientation)


def write_cxr(root: Path, case: str, seed: int) -> None:
    """``images/<case>.png`` and ``masks/<case>/<structure>.png`` (0 or 255)."""
    study = build_radiograph(np.random.default_rng(seed))
    _save(study.image, root / "images" / f"{case}.png")
    for name, mask in study.masks.items():
        _save(mask.astype(np.uint8) * 255, root / "masks" / case / f"{name}.png")


def write_us(root: Path, case: str, seed: int) -> None:
    """``images/<case>.png`` and a palette label map ``masks/<case>.png``."""
    study = build_scan(np.random.default_rng(seed))
    _save(study.image, root / "images" / f"{case}.png")
    label_map = Image.fromarray(study.labels, mode="P")
    label_map.putpalette(PALETTE)
    (root / "masks").mkdir(parents=True, exist_ok=True)
    label_map.save(root / "masks" / f"{case}.png")


def write_micro(root: Path, case: str, seed: int) -> None:
    """``stage1_train/<case>/images/<case>.png`` and one file per nucleus, named by the hash of its pixels."""
    study = build_field(np.random.default_rng(seed))
    folder = root / "stage1_train" / case
    _save(study.image, folder / "images" / f"{case}.png")
    for mask in study.masks:
        digest = hashlib.sha256(np.packbits(mask).tobytes()).hexdigest()
        _save(mask.astype(np.uint8) * 255, folder / "masks" / f"{digest}.png")


# Name of the dataset -> (function that writes one case, path of its image below the root).
PHANTOMS: dict[str, tuple[Callable[[Path, str, int], None], str]] = {
    "ct_phantom": (write_ct, "imagesTr/ct_{case}.nii.gz"),
    "cxr_phantom": (write_cxr, "images/{case}.png"),
    "us_phantom": (write_us, "images/{case}.png"),
    "micro_phantom": (write_micro, "stage1_train/{case}/images/{case}.png"),
}


def write_case(number: int, name: str, root: Path, cases: int, seed: int) -> str:
    """Write one study; returns its row of ``subjects.csv``."""
    case, patient = case_name(number, cases)
    writer, image = PHANTOMS[name]
    writer(root, case, seed_for(seed, name, case))
    return f"{image.format(case=case)},{patient}"


def _save(array: np.ndarray, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, compress_level=4)
