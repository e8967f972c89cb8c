"""Miniature trees of volume sets of brain, head and neck, heart and spine. Names of structures as in each set's documentation."""

from __future__ import annotations

from tests.ingest.miniatures.phantom_volume import LPS, PIR
from tests.ingest.miniatures.volume_set import CT, MR, VolumeSet
from tests.knowledge.public_sets import ACDC, BRATS, MMWHS, SEGRAP2023, SPIDER, VERSE


def _mmwhs(modality: str, grey: tuple[int, int]) -> VolumeSet:
    return VolumeSet(
        images=[f"{modality}_train/{modality}_train_{{}}_image.nii.gz"],
        mask=f"{modality}_train/{modality}_train_{{}}_label.nii.gz",
        cases=["1001", "1020"],
        names=MMWHS,
        grey=grey,
        dtype="int16",
        others=(f"{modality}_test/{modality}_test_2001_image.nii.gz",),
    )


SETS = {
    "brats2021": VolumeSet(
        images=[f"{{}}/{{}}_{sequence}.nii.gz" for sequence in ("flair", "t1", "t1ce", "t2")],
        mask="{}/{}_seg.nii.gz",
        cases=["BraTS2021_00000", "BraTS2021_00002"],
        names=BRATS,
        grey=MR,
        axes=LPS,
    ),
    "segrap2023": VolumeSet(
        images=["SegRap2023_Training_Set_120cases/{}/image.nii.gz", "SegRap2023_Training_Set_120cases/{}/image_contrast.nii.gz"],
        mask="SegRap2023_Training_Set_120cases/{}/{structure}.nii.gz",
        cases=["segrap_0000"],
        names=SEGRAP2023,
        files=SEGRAP2023,
        grey=CT,
        others=("SegRap2023_Training_Set_120cases_OneHot_Labels/Task001/segrap_0000.nii.gz",),
    ),
    "isles2022": VolumeSet(
        images=["sub-{}/ses-0001/dwi/sub-{}_ses-0001_dwi.nii.gz", "sub-{}/ses-0001/dwi/sub-{}_ses-0001_adc.nii.gz"],
        mask="derivatives/sub-{}/ses-0001/sub-{}_ses-0001_msk.nii.gz",
        cases=["strokecase0001", "strokecase0002"],
        names={1: "stroke lesion"},
        grey=MR,
        others=(
            "sub-strokecase0001/ses-0001/anat/sub-strokecase0001_ses-0001_FLAIR.nii.gz",
            "sub-strokecase0001/ses-0001/dwi/sub-strokecase0001_ses-0001_dwi.json",
            "dataset_description.json",
        ),
    ),
    "acdc": VolumeSet(
        images=["training/patient001/patient001_{}.nii.gz"],
        mask="training/patient001/patient001_{}_gt.nii.gz",
        cases=["frame01", "frame12"],
        names=ACDC,
        grey=MR,
        others=("training/patient001/patient001_4d.nii.gz", "training/patient001/Info.cfg"),
    ),
    "mmwhs_ct": _mmwhs("ct", CT),
    "mmwhs_mr": _mmwhs("mr", MR),
    "verse2020": VolumeSet(
        images=["dataset-01training/rawdata/sub-verse500/sub-verse500_dir-{}_ct.nii.gz"],
        mask="dataset-01training/derivatives/sub-verse500/sub-verse500_dir-{}_seg-vert_msk.nii.gz",
        cases=["ax", "sag"],
        names=VERSE,
        grey=CT,
        plane="sagittal",
        axes=PIR,
        others=(
            "dataset-01training/derivatives/sub-verse500/sub-verse500_dir-ax_seg-subreg_ctd.json",
            "dataset-01training/derivatives/sub-verse500/sub-verse500_dir-ax_seg-vert_snp.png",
        ),
    ),
    "spider_lumbar": VolumeSet(
        images=["images/{}.mha"],
        mask="masks/{}.mha",
        cases=["1_t1", "1_t2", "2_t2_SPACE"],
        names=SPIDER,
        grey=MR,
        plane="sagittal",
        others=("overview.csv",),
    ),
}

MINIATURES = {name: layout.miniature() for name, layout in SETS.items()}
