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


def image_scope(groups: dict[str, list[tuple[int, int]]]) -> str:
    """ImageScope XML: an annotation per group, called by its first attribute, an octagon per centre."""
    text = '<Annotations MicronsPerPixel="0.252000">'
    for number, (name, centres) in enumerate(groups.items(), start=1):
        text += f'<Annotation Id="{number}" Name="" ReadOnly="0"><Attributes><Attribute Name="{name}" Id="0" Value="" /></Attributes><Regions>'
        for x, y in centres:
            corners = [(x - 5, y - 2), (x - 2, y - 5), (x + 2, y - 5), (x + 5, y - 2), (x + 5, y + 2), (x + 2, y + 5), (x - 2, y + 5), (x - 5, y + 2)]
            vertices = "".join(f'<Vertex X="{column}" Y="{row}" Z="0" />' for column, row in corners)
            text += f'<Region Id="1" Type="0" NegativeROA="0"><Vertices>{vertices}</Vertices></Region>'
        text += "</Regions></Annotation>"
    return text + "</Annotations>"


def monuseg(root: Path) -> None:
    """Training pictures and outlines in two folders, test ones side by side; one patient has two pictures."""
    base = root / "MoNuSeg 2018 Training Data"
    for name in ("TCGA-18-5592-01Z-00-DX1", "TCGA-18-5592-01Z-00-DX2"):
        save(base / f"Tissue Images/{name}.tif", colour_noise(len(name)))
        write_text(base / f"Annotations/{name}.xml", image_scope({"Description": list(CENTRES)}))
    save(root / "MoNuSegTestData/TCGA-2Z-A9J9-01A-01-TS1.tif", colour_noise(2))
    write_text(root / "MoNuSegTestData/TCGA-2Z-A9J9-01A-01-TS1.xml", image_scope({"Description": list(CENTRES[:2])}))


def monusac(root: Path) -> None:
    """A folder per patient, cell types as attributes; the test set knows unclear regions."""
    groups = {"Epithelial": [CENTRES[0], CENTRES[1]], "Lymphocyte": [CENTRES[2]]}
    more = {"Macrophage": [CENTRES[0]], "Neutrophil": [CENTRES[2]], "Ambiguous": [CENTRES[1]]}
    parts = {
        "MoNuSAC_images_and_annotations": ("TCGA-55-1594-01Z-00-DX1", groups),
        "MoNuSAC Testing Data and Annotations": ("TCGA-2Z-A9JG-01Z-00-DX1", more),
    }
    for part, (patient, content) in parts.items():
        folder = root / part / patient
        save(folder / f"{patient}_001.tif", colour_noise(len(part)))
        write_text(folder / f"{patient}_001.xml", image_scope(content))
        write_text(folder / f"{patient}_001.svs", "x")


MINIATURES = {
    "dsb2018": Miniature(dsb2018, cases=2, objects={"cell nucleus": 6}),
    "glas": Miniature(glas, cases=3, objects={"gland": 9}, patients=1),
    "monuseg": Miniature(monuseg, cases=3, patients=2, objects={"cell nucleus": 8}),
    "monusac": Miniature(
        monusac,
        cases=2,
        patients=2,
        objects={"epithelial cell nucleus": 2, "lymphocyte nucleus": 1, "macrophage nucleus": 1, "neutrophil nucleus": 1},
    ),
    "crag": Miniature(crag, cases=2, objects={"gland": 6}),
}
