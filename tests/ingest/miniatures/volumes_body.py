"""Miniature trees of volume sets of chest, abdomen and pelvis. The names of the structures are those of each set's documentation."""

from __future__ import annotations

from tests.ingest.miniatures.phantom_volume import LAS, LPS, SLICES_FIRST
from tests.ingest.miniatures.volume_set import CT, MR, VolumeSet
from tests.knowledge.public_sets import AMOS22, BTCV, CT_ORG, FLARE22, TOTALSEGMENTATOR, WORD, numbered


def _amos(split: str, number: str, grey: tuple[int, int], foreign: str) -> VolumeSet:
    """One modality of AMOS; files of the other one lie beside it."""
    return VolumeSet(
        images=[f"images{split}/amos_{{}}.nii.gz"],
        mask=f"labels{split}/amos_{{}}.nii.gz",
        cases=[number],
        names=AMOS22,
        grey=grey,
        axes=LAS,
        others=(f"imagesTr/amos_{foreign}.nii.gz", f"labelsTr/amos_{foreign}.nii.gz", "imagesTs/amos_0002.nii.gz", "imagesTr/.DS_Store"),
        dataset_json={"labels": {str(value): name for value, name in AMOS22.items()}},
    )


SETS = {
    "totalsegmentator": VolumeSet(
        images=["{}/ct.nii.gz"],
        mask="{}/segmentations/{structure}.nii.gz",
        cases=["s0000", "s0011"],
        names=TOTALSEGMENTATOR,
        files=TOTALSEGMENTATOR,
        grey=CT,
        tables={"meta.csv": "\ufeffimage_id;age;gender;split\ns0000;64;m;train\ns0011;;f;test\n"},
        splits=frozenset({"train", "test"}),
    ),
    "amos22_ct": _amos("Tr", "0001", CT, foreign="0507"),
    "amos22_mr": _amos("Va", "0540", MR, foreign="0004"),
    "kits23": VolumeSet(
        images=["case_{}/imaging.nii.gz"],
        mask="case_{}/segmentation.nii.gz",
        cases=["00000", "00401"],
        names={1: "kidney", 2: "kidney tumor", 3: "kidney cyst"},
        united=("kidney",),
        grey=CT,
        axes=SLICES_FIRST,
        others=("kits23.json", "case_00000/instances/kidney_instance-1_annotation-1.nii.gz"),
    ),
    "lits": VolumeSet(
        images=["Training Batch 1/volume-{}.nii"],
        mask="Training Batch 1/segmentation-{}.nii",
        cases=["0", "27"],
        names={1: "liver", 2: "liver tumor"},
        united=("liver",),
        grey=CT,
        axes=LAS,
    ),
    "flare22": VolumeSet(
        images=["FLARE22Train/images/FLARE22_Tr_{}_0000.nii.gz"],
        mask="FLARE22Train/labels/FLARE22_Tr_{}.nii.gz",
        cases=["0001", "0050"],
        names=FLARE22,
        grey=CT,
    ),
    "btcv": VolumeSet(
        images=["RawData/Training/img/img{}.nii.gz"],
        mask="RawData/Training/label/label{}.nii.gz",
        cases=["0001", "0040"],
        names=BTCV,
        grey=CT,
        axes=LAS,
        others=("RawData/Testing/img/img0061.nii.gz",),
    ),
    "btcv_cervix": VolumeSet(
        images=["RawData/Training/img/{}-Image.nii.gz"],
        mask="RawData/Training/label/{}-Mask.nii.gz",
        cases=["0507688", "0759564"],
        names=numbered("bladder, uterus, rectum, small bowel"),
        grey=CT,
        others=("RawData/Testing/img/1258230-Image.nii.gz",),
    ),
    "word": VolumeSet(
        images=["imagesTs/word_{}.nii.gz"],
        mask="labelsTs/word_{}.nii.gz",
        cases=["0014"],
        names=WORD,
        grey=CT,
        axes=LPS,
    ),
    "ct_org": VolumeSet(images=["volume-{}.nii.gz"], mask="labels-{}.nii.gz", cases=["0", "139"], names=CT_ORG, grey=CT, axes=LAS),
    "abdomenct_1k": VolumeSet(
        images=["imagesTr/Case_{}_0000.nii.gz"],
        mask="labels/Case_{}.nii.gz",
        cases=["00001", "00901"],
        names=numbered("liver, kidney, spleen, pancreas"),
        grey=CT,
        others=("imagesTs/Case_00010_0000.nii.gz", "dataset.json"),
    ),
    "covid19_ct_infection": VolumeSet(
        images=["COVID-19-CT-Seg_20cases/coronacases_{}.nii.gz"],
        mask="Infection_Mask/coronacases_{}.nii.gz",
        cases=["001", "010"],
        names={1: "lung opacity"},
        grey=(-1000, 200),
        axes=LAS,
        others=(
            "COVID-19-CT-Seg_20cases/radiopaedia_10_85902_1.nii.gz",
            "Infection_Mask/radiopaedia_10_85902_1.nii.gz",
            "Lung_Mask/coronacases_001.nii.gz",
            "Lung_and_Infection_Mask/coronacases_001.nii.gz",
        ),
    ),
    "promise12": VolumeSet(
        images=["training_data/Case{}.mhd"],
        mask="training_data/Case{}_segmentation.mhd",
        cases=["00", "49"],
        names={1: "prostate"},
        grey=MR,
    ),
}

MINIATURES = {name: layout.miniature() for name, layout in SETS.items()}
