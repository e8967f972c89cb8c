"""Miniature trees of colonoscopy and dermoscopy sets."""

from __future__ import annotations

from pathlib import Path

from tests.ingest.miniatures.drawing import colour_noise, ellipse, save, save_one_bit, write_text
from tests.ingest.miniatures.miniature import Miniature

ONE_BLOB = ellipse((24, 20), (12, 9))
TWO_BLOBS = ONE_BLOB | ellipse((52, 38), (8, 6))


def cvc_clinicdb(root: Path) -> None:
    """Two folders of TIFF files with the same names."""
    for number, mask in ((1, ONE_BLOB), (2, TWO_BLOBS)):
        save(root / f"Original/{number}.tif", colour_noise(number))
        save(root / f"Ground Truth/{number}.tif", mask)


def cvc_colondb(root: Path) -> None:
    """The layout of the polyp test sets."""
    for number, mask in ((1, ONE_BLOB), (380, TWO_BLOBS)):
        save(root / f"CVC-ColonDB/images/{number}.png", colour_noise(number))
        save(root / f"CVC-ColonDB/masks/{number}.png", mask)


def etis_larib(root: Path) -> None:
    """Masks are named p<number>."""
    for number, mask in ((1, ONE_BLOB), (196, TWO_BLOBS)):
        save(root / f"ETIS-LaribPolypDB/{number}.tif", colour_noise(number))
        save(root / f"Ground Truth/p{number}.tif", mask)


def kvasir_seg(root: Path) -> None:
    """JPEG pictures and JPEG masks."""
    for name, mask in (("cju0qkwl35piu0993l0dewei2", ONE_BLOB), ("cju0qoxqj9q6s0835b43399p4", TWO_BLOBS)):
        save(root / f"Kvasir-SEG/images/{name}.jpg", colour_noise(len(name)))
        save(root / f"Kvasir-SEG/masks/{name}.jpg", mask)
    write_text(root / "Kvasir-SEG/kavsir_bboxes.json", "{}")


def isic2017(root: Path) -> None:
    """Three parts; pictures lie beside superpixel maps."""
    for number, part in enumerate(("Training", "Validation", "Test_v2")):
        name = f"ISIC_{number:07d}"
        save(root / f"ISIC-2017_{part}_Data/{name}.jpg", colour_noise(number))
        save(root / f"ISIC-2017_{part}_Data/{name}_superpixels.png", colour_noise(number + 9))
        save(root / f"ISIC-2017_{part}_Part1_GroundTruth/{name}_segmentation.png", ONE_BLOB)
        write_text(root / f"ISIC-2017_{part}_Data/ISIC-2017_{part}_Data_metadata.csv", "image_id,age_approximate,sex\n")


def isic2018(root: Path) -> None:
    """Three parts with the archive's licence files."""
    for number, part in enumerate(("Training", "Validation", "Test")):
        name = f"ISIC_{number:07d}"
        save(root / f"ISIC2018_Task1-2_{part}_Input/{name}.jpg", colour_noise(number))
        save(root / f"ISIC2018_Task1_{part}_GroundTruth/{name}_segmentation.png", ONE_BLOB)
        write_text(root / f"ISIC2018_Task1-2_{part}_Input/ATTRIBUTION.txt", "x")


def ham10000(root: Path) -> None:
    """Pictures in two folders, masks in one; the table joins two pictures of one lesion."""
    rows = ["lesion_id,image_id,dx,dx_type,age,sex,localization,dataset"]
    for number, lesion in ((24306, "HAM_0000550"), (24307, "HAM_0003577"), (24308, "HAM_0000550")):
        name = f"ISIC_{number:07d}"
        save(root / f"HAM10000_images_part_{1 + number % 2}/{name}.jpg", colour_noise(number))
        save(root / f"HAM10000_segmentations_lesion_tschandl/{name}_segmentation.png", ONE_BLOB)
        rows.append(f"{lesion},{name},nv,follow_up,45,male,trunk,vidir_molemax")
    write_text(root / "HAM10000_metadata.csv", "\n".join(rows) + "\n")


def ph2(root: Path) -> None:
    """A folder per case; masks of one bit per pixel."""
    for name in ("IMD002", "IMD437"):
        case = root / "PH2 Dataset images" / name
        save(case / f"{name}_Dermoscopic_Image/{name}.bmp", colour_noise(len(name)))
        save_one_bit(case / f"{name}_lesion/{name}_lesion.bmp", ONE_BLOB)
        save_one_bit(case / f"{name}_roi/{name}_R1_Label4.bmp", ONE_BLOB)
    write_text(root / "PH2_dataset.txt", "x")


MINIATURES = {
    "cvc_clinicdb": Miniature(cvc_clinicdb, cases=2),
    "cvc_colondb": Miniature(cvc_colondb, cases=2),
    "etis_larib": Miniature(etis_larib, cases=2),
    "kvasir_seg": Miniature(kvasir_seg, cases=2),
    "isic2017": Miniature(isic2017, cases=3),
    "isic2018": Miniature(isic2018, cases=3),
    "ham10000": Miniature(ham10000, cases=3, patients=2),
    "ph2": Miniature(ph2, cases=2),
}
