"""Miniature trees of chest radiograph sets. The patient's right lies at the picture's left."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.ingest.miniatures.drawing import ellipse, empty, grey_noise, save, write_text
from tests.ingest.miniatures.miniature import Miniature

PICTURE_LEFT_LUNG = ellipse((18, 24), (9, 16))
PICTURE_RIGHT_LUNG = ellipse((46, 24), (9, 16))


def shenzhen_cxr(root: Path) -> None:
    """Both lungs in one mask; one picture has none."""
    for name in ("CHNCXR_0001_0", "CHNCXR_0327_1", "CHNCXR_0025_0"):
        save(root / f"ChinaSet_AllFiles/CXR_png/{name}.png", np.repeat(grey_noise(7)[..., None], 3, axis=2))
        write_text(root / f"ChinaSet_AllFiles/ClinicalReadings/{name}.txt", "male 45yrs\nnormal")
    for name in ("CHNCXR_0001_0", "CHNCXR_0327_1"):
        save(root / f"mask/{name}_mask.png", PICTURE_LEFT_LUNG | PICTURE_RIGHT_LUNG)


def montgomery_cxr(root: Path) -> None:
    """One mask file per lung, in folders called left and right."""
    for name in ("MCUCXR_0001_0", "MCUCXR_0104_1"):
        save(root / f"MontgomerySet/CXR_png/{name}.png", grey_noise(8))
        save(root / f"MontgomerySet/ManualMask/leftMask/{name}.png", PICTURE_RIGHT_LUNG)
        save(root / f"MontgomerySet/ManualMask/rightMask/{name}.png", PICTURE_LEFT_LUNG)
        write_text(root / f"MontgomerySet/ClinicalReadings/{name}.txt", "Patient's Sex: F")
    write_text(root / "NLM-MontgomeryCXRSet-ReadMe.pdf", "x")


def jsrt(root: Path) -> None:
    """A raw 16-bit big-endian picture of 2048 x 2048, without a header that could name another size; GIF masks of half that size."""
    y, x = np.mgrid[:1024, :1024]
    boxes = {
        "heart": (480, 400, 700, 700),
        "right lung": (100, 200, 420, 800),
        "left lung": (600, 200, 920, 800),
        "right clavicle": (150, 150, 400, 220),
        "left clavicle": (620, 150, 870, 220),
    }
    (root / "All247images").mkdir()
    ramp = np.linspace(0, 4095, 2048).astype(">u2")
    (root / "All247images/JPCLN001.IMG").write_bytes(np.tile(ramp, (2048, 1)).tobytes())
    for label, (x0, y0, x1, y1) in boxes.items():
        mask = np.where((x >= x0) & (x < x1) & (y >= y0) & (y < y1), 255, 0).astype(np.uint8)
        save(root / f"scratch/fold1/masks/{label}/JPCLN001.gif", mask)
    write_text(root / "scratch/fold1/landmarks/JPCLN001.pfs", "x")


def covid_qu_ex(root: Path) -> None:
    """Lungs in every picture, infection in one group; the other groups have black infection masks."""
    for part, group, name in (("Train", "COVID-19", "covid_1"), ("Val", "COVID-19", "covid_2"), ("Test", "Normal", "Normal (5)")):
        base = root / f"Infection Segmentation Data/{part}/{group}"
        save(base / f"images/{name}.png", grey_noise(len(name)))
        save(base / f"lung masks/{name}.png", PICTURE_LEFT_LUNG | PICTURE_RIGHT_LUNG)
        save(base / f"infection masks/{name}.png", ellipse((18, 30), (6, 6)) if group == "COVID-19" else empty())
    save(root / "Lung Segmentation Data/Train/Normal/images/Normal (1).png", grey_noise(1))


MINIATURES = {
    "shenzhen_cxr": Miniature(shenzhen_cxr, cases=3, dropped=frozenset({"CHNCXR_0025_0"}), objects={"lung": 2}),
    "montgomery_cxr": Miniature(montgomery_cxr, cases=2, spacing_mm=(0.087, 0.087), objects={"lung": 4}),
    "covid_qu_ex": Miniature(covid_qu_ex, cases=3, objects={"lung": 3, "lung opacity": 2}, picture_side={"lung opacity": "left"}),
    # Scaled down by two for storage.
    "jsrt": Miniature(
        jsrt,
        cases=1,
        spacing_mm=(0.35, 0.35),
        picture_side={"right lung": "left", "right clavicle": "left", "left lung": "right", "left clavicle": "right", "heart": "right"},
    ),
}
