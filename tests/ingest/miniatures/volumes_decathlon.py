"""Miniature trees of the ten tasks of the Medical Segmentation Decathlon: imagesTr, labelsTr, imagesTs, dataset.json."""

from __future__ import annotations

from typing import Any

from tests.ingest.miniatures.volume_set import CT, MR, VolumeSet


def _task(prefix: str, names: dict[int, str], said: dict[int, str], grey: tuple[int, int], channels: tuple[str, ...] = (), united: tuple[str, ...] = ()) -> VolumeSet:
    """A task: ``names`` are the meanings of the values, ``said`` what dataset.json calls them."""
    cases = [f"{prefix}_001", f"{prefix}_012"]
    pair = [{"image": f"./imagesTr/{case}.nii.gz", "label": f"./labelsTr/{case}.nii.gz"} for case in cases]
    modality = dict(enumerate(channels or (("CT",) if grey == CT else ("MRI",))))
    table: dict[str, Any] = {
        "name": prefix.upper(),
        "licence": "CC-BY-SA 4.0",
        "tensorImageSize": "4D" if channels else "3D",
        "modality": {str(number): name for number, name in modality.items()},
        "labels": {"0": "background", **{str(value): name for value, name in said.items()}},
        "numTraining": len(pair),
        "numTest": 1,
        "training": pair,
        "test": [f"./imagesTs/{prefix}_002.nii.gz"],
    }
    return VolumeSet(
        images=["imagesTr/{}.nii.gz"],
        mask="labelsTr/{}.nii.gz",
        cases=cases,
        names=names,
        grey=grey,
        united=united,
        channels=len(channels),
        others=(f"imagesTs/{prefix}_002.nii.gz", f"imagesTr/._{prefix}_001.nii.gz"),
        dataset_json=table,
    )


TASKS = {
    "msd_brain_tumour": _task(
        "BRATS",
        {1: "edema", 2: "non-enhancing tumor", 3: "enhancing tumour"},
        {1: "edema", 2: "non-enhancing tumor", 3: "enhancing tumour"},
        MR,
        ("FLAIR", "T1w", "t1gd", "T2w"),
    ),
    "msd_heart": _task("la", {1: "left atrium"}, {1: "left atrium"}, MR),
    "msd_liver": _task("liver", {1: "liver", 2: "liver lesion"}, {1: "liver", 2: "cancer"}, CT, united=("liver",)),
    "msd_task04_hippocampus": _task("hippocampus", {1: "Anterior", 2: "Posterior"}, {1: "Anterior", 2: "Posterior"}, MR),
    "msd_prostate": _task("prostate", {1: "PZ", 2: "TZ"}, {1: "PZ", 2: "TZ"}, MR, ("T2", "ADC")),
    "msd_lung": _task("lung", {1: "lung tumour"}, {1: "cancer"}, CT),
    "msd_pancreas": _task("pancreas", {1: "pancreas", 2: "pancreatic tumour"}, {1: "pancreas", 2: "cancer"}, CT, united=("pancreas",)),
    "msd_hepatic_vessel": _task("hepaticvessel", {1: "hepatic vessel", 2: "liver lesion"}, {1: "Vessel", 2: "Tumour"}, CT),
    "msd_spleen": _task("spleen", {1: "spleen"}, {1: "spleen"}, CT),
    "msd_colon": _task("colon", {1: "colon cancer primaries"}, {1: "colon cancer primaries"}, CT),
}

MINIATURES = {name: task.miniature() for name, task in TASKS.items()}
