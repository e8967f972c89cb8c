"""Miniature trees of volume sets of chest, abdomen and pelvis. The names of the structures are those of each set's documentation."""

from __future__ import annotations

from tests.ingest.miniatures.phantom_volume import LAS, LPS, SLICES_FIRST
from tests.ingest.miniatures.volume_set import CT, MR, VolumeSet, numbered

AMOS = numbered(
    "spleen, right kidney, left kidney, gall bladder, esophagus, liver, stomach, arota, postcava, pancreas, right adrenal gland, "
    "left adrenal gland, duodenum, bladder, prostate/uterus"
)
BTCV = numbered(
    "spleen, right kidney, left kidney, gallbladder, esophagus, liver, stomach, aorta, inferior vena cava, "
    "portal vein and splenic vein, pancreas, right adrenal gland, left adrenal gland"
)
FLARE22 = numbered(
    "liver, right kidney, spleen, pancreas, aorta, inferior vena cava, right adrenal gland, left adrenal gland, gallbladder, "
    "esophagus, stomach, duodenum, left kidney"
)
WORD = numbered(
    "liver, spleen, kidney left, kidney right, stomach, gallbladder, esophagus, pancreas, duodenum, colon, intestine, adrenal, "
    "rectum, bladder, head of femur left, head of femur right"
)
CT_ORG = numbered("liver, bladder, lungs, kidneys, bone, brain")


def _amos(split: str, number: str, grey: tuple[int, int], foreign: str) -> VolumeSet:
    """One modality of AMOS; files of the other one lie beside it."""
    return VolumeSet(
        images=[f"images{split}/amos_{{}}.nii.gz"],
        mask=f"labels{split}/amos_{{}}.nii.gz",
        cases=[number],
        names=AMOS,
        grey=grey,
        axes=LAS,
        others=(f"imagesTr/amos_{foreign}.nii.gz", f"labelsTr/amos_{foreign}.nii.gz", "imagesTs/amos_0002.nii.gz", "imagesTr/.DS_Store"),
        dataset_json={"labels": {str(value): name for value, name in AMOS.items()}},
    )


TOTALSEGMENTATOR = numbered(
    "spleen, kidney_right, kidney_left, gallbladder, liver, stomach, pancreas, adrenal_gland_right, adrenal_gland_left, "
    "lung_upper_lobe_left, lung_lower_lobe_left, lung_upper_lobe_right, lung_middle_lobe_right, lung_lower_lobe_right, esophagus, "
    "trachea, thyroid_gland, small_bowel, duodenum, colon, urinary_bladder, prostate, kidney_cyst_left, kidney_cyst_right, sacrum, "
    + ", ".join(f"vertebrae_{level}" for level in ("S1", *(f"{c}{n}" for c, last in (("L", 5), ("T", 12), ("C", 7)) for n in range(last, 0, -1))))
    + ", heart, aorta, pulmonary_vein, brachiocephalic_trunk, subclavian_artery_right, subclavian_artery_left, "
    "common_carotid_artery_right, common_carotid_artery_left, brachiocephalic_vein_left, brachiocephalic_vein_right, "
    "atrial_appendage_left, superior_vena_cava, inferior_vena_cava, portal_vein_and_splenic_vein, iliac_artery_left, "
    "iliac_artery_right, iliac_vena_left, iliac_vena_right, humerus_left, humerus_right, scapula_left, scapula_right, "
    "clavicula_left, clavicula_right, femur_left, femur_right, hip_left, hip_right, spinal_cord, gluteus_maximus_left, "
    "gluteus_maximus_right, gluteus_medius_left, gluteus_medius_right, gluteus_minimus_left, gluteus_minimus_right, "
    "autochthon_left, autochthon_right, iliopsoas_left, iliopsoas_right, brain, skull, "
    + ", ".join(f"rib_{side}_{number}" for side in ("left", "right") for number in range(1, 13))
    + ", sternum, costal_cartilages"
)

SETS = {
    "totalsegmentator": VolumeSet(
        images=["{}/ct.nii.gz"],
        mask="{}/segmentations/{structure}.nii.gz",
        cases=["s0000", "s0011"],
        names=TOTALSEGMENTATOR,
        files=TOTALSEGMENTATOR,
        grey=CT,
        others=("meta.csv",),
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
