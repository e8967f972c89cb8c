"""Miniature trees of echocardiography in NIfTI: two-dimensional views (CAMUS) and volumes (CETUS)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.ingest.miniatures.drawing import ellipse, grey_noise, write_text
from tests.ingest.miniatures.miniature import Miniature
from tests.nifti import write_nifti

# Rows are 0.15 mm high and columns 0.31 mm wide; i runs along the columns.
FLAT = np.diag([0.31, 0.15, 1.0, 1.0])
# As a converter of the set reports it: the numbers are metres.
METRES = np.diag([0.0006, 0.0006, 0.0006, 1.0])


def camus(root: Path) -> None:
    """Both views at end diastole and end systole; half sequences, recording facts and split lists beside them."""
    ventricle = ellipse((24, 16), (8, 12))
    wall = ellipse((24, 16), (11, 15))
    atrium = ellipse((24, 40), (8, 5))
    codes = np.where(ventricle > 0, 1, np.where(wall > 0, 2, np.where(atrium > 0, 3, 0))).astype(np.uint8)
    patient = root / "database_nifti/patient0001"
    for view in ("2CH", "4CH"):
        for phase in ("ED", "ES"):
            write_nifti(patient / f"patient0001_{view}_{phase}.nii.gz", grey_noise(len(view)).T, FLAT)
            write_nifti(patient / f"patient0001_{view}_{phase}_gt.nii.gz", codes.T, FLAT)
        frames = np.stack([grey_noise(1).T, grey_noise(2).T], axis=-1)
        write_nifti(patient / f"patient0001_{view}_half_sequence.nii.gz", frames, FLAT)
        write_nifti(patient / f"patient0001_{view}_half_sequence_gt.nii.gz", frames, FLAT)
        write_text(patient / f"Info_{view}.cfg", "ED: 1\nES: 20\n")
    write_text(root / "database_split/subgroup_testing.txt", "patient0001\n")


def cetus2014(root: Path) -> None:
    """Isotropic volumes; the mask is 0 and 255."""
    z, y, x = np.mgrid[:24, :28, :32]
    cavity = (((x - 16) / 8) ** 2 + ((y - 14) / 7) ** 2 + ((z - 12) / 8) ** 2 <= 1).astype(np.uint8) * 255
    noise = np.random.default_rng(0).integers(0, 200, cavity.shape).astype(np.uint8)
    for phase in ("ED", "ES"):
        base = root / f"dataset/patient01/patient01_{phase}"
        write_nifti(base.with_name(f"{base.name}.nii.gz"), np.ascontiguousarray(noise.T), METRES)
        write_nifti(base.with_name(f"{base.name}_gt.nii.gz"), np.ascontiguousarray(cavity.T), METRES)


MINIATURES = {
    "camus": Miniature(
        camus,
        cases=4,
        spacing_mm=(0.15, 0.31),
        patients=1,
        objects={"left ventricle": 4, "left ventricular myocardium": 4, "left atrium": 4},
        picture_side=dict.fromkeys(("left ventricle", "left ventricular myocardium", "left atrium"), "left"),
    ),
    "cetus2014": Miniature(cetus2014, cases=2, spacing_mm=(0.6, 0.6), patients=1),
}
