"""Studies on disk, in the layouts of real datasets. The same study gives the same bytes: no time stamp is written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from stages.core.stage import seed_for
from stages.phantom.ct import VALUES as CT_VALUES
from stages.phantom.ct import build_study
from stages.phantom.cxr import build_radiograph
from stages.phantom.microscopy import build_field
from stages.phantom.ultrasound import build_scan

ORIENTATIONS = ("RAS", "LPS")
PALETTE = [0, 0, 0, 255, 214, 0, 214, 39, 40]


@dataclass(frozen=True)
class Case:
    """A study to write. Visits of one patient share ``patient_seed`` (the anatomy) and differ in ``seed`` (the rest)."""

    number: int
    name: str
    patient: str
    patient_seed: int
    seed: int


def case_of(number: int, dataset: str, cases: int, seed: int) -> Case:
    """The study with a number from 0: the last seventh of the studies are second visits of the first patients."""
    first_visits = cases - cases // 7
    visit, index = divmod(number, first_visits)
    patient = f"p{index + 1:04d}"
    name = f"{patient}_{visit + 1}"
    return Case(number, name, patient, seed_for(seed, dataset, patient), seed_for(seed, dataset, name))


def write_ct(root: Path, case: Case) -> None:
    """``imagesTr/ct_<case>.nii.gz`` and ``labelsTr/...``; every other study is stored in RAS, the rest in LPS."""
    from stages.core.volume import write_volume

    study = build_study(np.random.default_rng(case.patient_seed), np.random.default_rng(case.seed))
    for folder, array in (("imagesTr", study.hounsfield), ("labelsTr", study.labels)):
        write_volume(root / folder / f"ct_{case.name}.nii.gz", array, study.spacing_mm, ORIENTATIONS[case.number % 2])


def write_cxr(root: Path, case: Case) -> None:
    """``images/<case>.png`` and ``masks/<case>/<structure>.png`` (0 or 255)."""
    study = build_radiograph(np.random.default_rng(case.patient_seed), np.random.default_rng(case.seed))
    _save(study.image, root / "images" / f"{case.name}.png")
    for name, mask in study.masks.items():
        _save(mask.astype(np.uint8) * 255, root / "masks" / case.name / f"{name}.png")


def write_us(root: Path, case: Case) -> None:
    """``images/<case>.png`` and a palette label map ``masks/<case>.png``."""
    study = build_scan(np.random.default_rng(case.seed))
    _save(study.image, root / "images" / f"{case.name}.png")
    label_map = Image.fromarray(study.labels, mode="P")
    label_map.putpalette(PALETTE)
    (root / "masks").mkdir(parents=True, exist_ok=True)
    label_map.save(root / "masks" / f"{case.name}.png")


def write_micro(root: Path, case: Case) -> None:
    """``stage1_train/<case>/images/<case>.png`` and one file per nucleus, named by the hash of its pixels."""
    study = build_field(np.random.default_rng(case.seed))
    folder = root / "stage1_train" / case.name
    _save(study.image, folder / "images" / f"{case.name}.png")
    for mask in study.masks:
        digest = hashlib.sha256(np.packbits(mask).tobytes()).hexdigest()
        _save(mask.astype(np.uint8) * 255, folder / "masks" / f"{digest}.png")


# Name of the dataset -> (function that writes one case, path of its image below the root).
PHANTOMS: dict[str, tuple[Callable[[Path, Case], None], str]] = {
    "ct_phantom": (write_ct, "imagesTr/ct_{case}.nii.gz"),
    "cxr_phantom": (write_cxr, "images/{case}.png"),
    "us_phantom": (write_us, "images/{case}.png"),
    "micro_phantom": (write_micro, "stage1_train/{case}/images/{case}.png"),
}


def write_case(number: int, name: str, root: Path, cases: int, seed: int) -> tuple[str, str]:
    """Write one study of the dataset ``name``; returns (path of its image below the root, patient)."""
    case = case_of(number, name, cases, seed)
    writer, image = PHANTOMS[name]
    writer(root, case)
    return image.format(case=case.name), case.patient


def write_index(name: str, root: Path, subjects: list[tuple[str, str]]) -> None:
    """``subjects.csv`` (image, patient) and, for CT, the ``dataset.json`` of the Medical Segmentation Decathlon."""
    rows = sorted(f"{image},{patient}" for image, patient in subjects)
    (root / "subjects.csv").write_text("\n".join(["image,patient", *rows]) + "\n", encoding="utf-8")
    if name != "ct_phantom":
        return
    images = sorted(f"./{image}" for image, _ in subjects)
    content = {
        "name": name,
        "description": "Synthetic abdominal CT with organs and focal liver lesions",
        "tensorImageSize": "3D",
        "modality": {"0": "CT"},
        "labels": {"0": "background", **{str(value): label for label, value in CT_VALUES.items()}},
        "numTraining": len(images),
        "training": [{"image": image, "label": image.replace("imagesTr", "labelsTr")} for image in images],
    }
    (root / "dataset.json").write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _save(array: np.ndarray, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, compress_level=4)
