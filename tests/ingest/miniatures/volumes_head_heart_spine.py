"""Miniature trees of volume sets of brain, head and neck, heart and spine. Names of structures as in each set's documentation."""

from __future__ import annotations

from tests.ingest.miniatures.phantom_volume import LPS, PIR
from tests.ingest.miniatures.volume_set import CT, MR, VolumeSet, numbered

SEGRAP = numbered(
    "Brain, BrainStem, Chiasm, TemporalLobe_L, TemporalLobe_R, Hippocampus_L, Hippocampus_R, Eye_L, Eye_R, Lens_L, Lens_R, "
    "OpticNerve_L, OpticNerve_R, MiddleEar_L, MiddleEar_R, IAC_L, IAC_R, TympanicCavity_L, TympanicCavity_R, VestibulSemi_L, "
    "VestibulSemi_R, Cochlea_L, Cochlea_R, ETbone_L, ETbone_R, Pituitary, OralCavity, Mandible_L, Mandible_R, Submandibular_L, "
    "Submandibular_R, Parotid_L, Parotid_R, Mastoid_L, Mastoid_R, TMjoint_L, TMjoint_R, SpinalCord, Esophagus, Larynx, "
    "Larynx_Glottic, Larynx_Supraglot, PharynxConst, Thyroid, Trachea, GTVp, GTVnd"
)
MMWHS = {
    500: "left ventricle blood cavity",
    600: "right ventricle blood cavity",
    420: "left atrium blood cavity",
    550: "right atrium blood cavity",
    205: "myocardium of the left ventricle",
    820: "ascending aorta",
    850: "pulmonary artery",
}
VERSE = {
    **numbered(", ".join(f"C{level}" for level in range(1, 8))),
    **numbered(", ".join(f"T{level}" for level in range(1, 13)), first=8),
    **numbered(", ".join(f"L{level}" for level in range(1, 7)), first=20),
    28: "T13",
}
# Counted from the bottom: L5 is 1.
SPIDER = {
    **numbered(", ".join(f"L{level}" for level in range(5, 0, -1))),
    **numbered(", ".join(f"T{level}" for level in range(12, 0, -1)), first=6),
    100: "spinal canal",
    201: "intervertebral disc",
}


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
        names={1: "necrotic tumor core", 2: "peritumoral edema", 4: "enhancing tumor"},
        grey=MR,
        axes=LPS,
    ),
    "segrap2023": VolumeSet(
        images=["SegRap2023_Training_Set_120cases/{}/image.nii.gz", "SegRap2023_Training_Set_120cases/{}/image_contrast.nii.gz"],
        mask="SegRap2023_Training_Set_120cases/{}/{structure}.nii.gz",
        cases=["segrap_0000"],
        names=SEGRAP,
        files=SEGRAP,
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
        names=numbered("RV, Myo, LV"),
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
