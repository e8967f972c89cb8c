"""Miniature trees of fundus photograph sets."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.ingest.miniatures.drawing import HEIGHT, WIDTH, colour_noise, ellipse, save, save_palette, write_text
from tests.ingest.miniatures.miniature import Miniature

DISC = ellipse((44, 22), (12, 12))
CUP = ellipse((44, 22), (6, 6))
FIELD = ellipse((32, 24), (30, 23))
SPOT = ellipse((16, 30), (4, 4))


def vessels() -> np.ndarray:
    """Two crossing bands."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[20:23] = 255
    mask[:, 30:33] = 255
    return mask


def drive(root: Path) -> None:
    """TIFF pictures, GIF masks; the field of view and a second observer lie beside them."""
    for part, number in (("training", 21), ("test", 1)):
        save(root / f"{part}/images/{number:02d}_{part}.tif", colour_noise(number))
        save(root / f"{part}/1st_manual/{number:02d}_manual1.gif", vessels())
        save(root / f"{part}/mask/{number:02d}_{part}_mask.gif", FIELD)
    save(root / "test/2nd_manual/01_manual2.gif", vessels())


def stare(root: Path) -> None:
    """PPM pictures and labels of two observers."""
    for name in ("im0001", "im0324"):
        save(root / f"stare-images/{name}.ppm", colour_noise(len(name)))
        save(root / f"labels-ah/{name}.ah.ppm", np.repeat(vessels()[..., None], 3, axis=2))
        save(root / f"labels-vk/{name}.vk.ppm", np.repeat(vessels()[..., None], 3, axis=2))


def chase_db1(root: Path) -> None:
    """Everything in one folder; both eyes of a child."""
    for name in ("Image_01L", "Image_01R"):
        save(root / f"{name}.jpg", colour_noise(len(name)))
        save(root / f"{name}_1stHO.png", vessels())
        save(root / f"{name}_2ndHO.png", vessels())


def hrf(root: Path) -> None:
    """Picture endings in both cases."""
    for name, ending in (("01_h", "jpg"), ("01_dr", "JPG"), ("01_g", "jpg")):
        save(root / f"images/{name}.{ending}", colour_noise(len(name)))
        save(root / f"manual1/{name}.tif", vessels())
        save(root / f"mask/{name}_mask.tif", np.repeat(FIELD[..., None], 3, axis=2))


def idrid(root: Path) -> None:
    """A folder and a suffix per lesion type, foreground red; a type that is absent has no file."""
    base = root / "A. Segmentation"
    kinds = {"1. Microaneurysms": "MA", "2. Haemorrhages": "HE", "3. Hard Exudates": "EX", "4. Soft Exudates": "SE", "5. Optic Disc": "OD"}
    for folder, name in (("a. Training Set", "IDRiD_01"), ("b. Testing Set", "IDRiD_55")):
        save(base / f"1. Original Images/{folder}/{name}.jpg", colour_noise(len(folder)))
        for kind, suffix in kinds.items():
            if (name, suffix) == ("IDRiD_01", "SE"):
                continue
            codes = (DISC if suffix == "OD" else SPOT) // 255
            path = base / f"2. All Segmentation Groundtruths/{folder}/{kind}/{name}_{suffix}.tif"
            save_palette(path, codes, [(0, 0, 0), (255, 0, 0)])
    write_text(base / "LICENSE.txt", "x")


def refuge2(root: Path) -> None:
    """One grey-coded BMP a picture: 0 cup, 128 rim of the disc, 255 background."""
    codes = np.where(CUP > 0, 0, np.where(DISC > 0, 128, 255)).astype(np.uint8)
    for part, name in (("train", "g0001"), ("val", "V0001"), ("test", "T0001")):
        save(root / f"{part}/images/{name}.jpg", colour_noise(len(part)))
        save(root / f"{part}/mask/{name}.bmp", codes)


def rim_one_dl(root: Path) -> None:
    """Pictures by hospital and again at random; disc and cup in files of their own beside text outlines."""
    for part, group, name in (("training_set", "glaucoma", "r2_Im365"), ("test_set", "normal", "r1_Im001"), ("training_set", "normal", "r3_N-27-L")):
        save(root / f"RIM-ONE_DL_images/partitioned_by_hospital/{part}/{group}/{name}.png", colour_noise(len(name)))
        save(root / f"RIM-ONE_DL_images/partitioned_randomly/{part}/{group}/{name}.png", colour_noise(len(name)))
        for kind, mask in (("Cup", CUP), ("Disc", DISC)):
            save(root / f"RIM-ONE_DL_reference_segmentations/{group}/{name}-1-{kind}-T.png", mask)
            write_text(root / f"RIM-ONE_DL_reference_segmentations/{group}/{name}-1-{kind}-T.txt", "x")
    write_text(root / "RIM-ONE_DL_reference_segmentations/LICENSE.txt", "x")


def drishti_gs(root: Path) -> None:
    """Soft maps of four experts, one folder a picture; the ring that only two of them marked is no foreground."""
    base = root / "Drishti-GS1_files"
    for part, truth, group, name in (("Training", "GT", "GLAUCOMA/", "drishtiGS_002"), ("Test", "Test_GT", "", "drishtiGS_001")):
        save(base / f"{part}/Images/{group}{name}.png", colour_noise(len(name)))
        for kind, mask in (("ODsegSoftmap", DISC), ("cupsegSoftmap", CUP)):
            soft = np.where(mask > 0, mask, ellipse((44, 22), (14, 14), 128))
            save(base / f"{part}/{truth}/{name}/SoftMap/{name}_{kind}.png", soft)
        write_text(base / f"{part}/{truth}/{name}/AvgBoundary/{name}_diskCenter.txt", "x")
        write_text(base / f"{part}/{truth}/{name}/{name}_cdrValues.txt", "x")


RIGHT = {"optic disc": "right", "optic cup": "right"}
MINIATURES = {
    "drive": Miniature(drive, cases=2),
    "stare": Miniature(stare, cases=2),
    "chase_db1": Miniature(chase_db1, cases=2, patients=1),
    "hrf": Miniature(hrf, cases=3),
    "idrid": Miniature(
        idrid,
        cases=2,
        objects={"microaneurysm": 2, "retinal haemorrhage": 2, "hard exudate": 2, "soft exudate": 1, "optic disc": 2},
        picture_side={"optic disc": "right", "hard exudate": "left"},
    ),
    "refuge2": Miniature(refuge2, cases=3, objects={"optic disc": 3, "optic cup": 3}, picture_side=RIGHT),
    "rim_one_dl": Miniature(rim_one_dl, cases=3, objects={"optic disc": 3, "optic cup": 3}, picture_side=RIGHT),
    "drishti_gs": Miniature(drishti_gs, cases=2, picture_side=RIGHT),
}
