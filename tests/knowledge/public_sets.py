"""What public data sets call their structures, by the values that they give them: their documentation, and no card of ours."""

from __future__ import annotations


def numbered(names: str, first: int = 1) -> dict[int, str]:
    """ "spleen, liver" -> {1: "spleen", 2: "liver"}."""
    return {number: name.strip() for number, name in enumerate(names.split(","), start=first)}


def _levels(letter: str, levels: range) -> list[str]:
    return [f"{letter}{level}" for level in levels]


_SPINE_UPWARDS = ["S1", *_levels("L", range(5, 0, -1)), *_levels("T", range(12, 0, -1)), *_levels("C", range(7, 0, -1))]
# totalsegmentator/map_to_binary.py, class map "total" of version 2.
TOTALSEGMENTATOR = numbered(
    "spleen, kidney_right, kidney_left, gallbladder, liver, stomach, pancreas, adrenal_gland_right, adrenal_gland_left, "
    "lung_upper_lobe_left, lung_lower_lobe_left, lung_upper_lobe_right, lung_middle_lobe_right, lung_lower_lobe_right, esophagus, "
    "trachea, thyroid_gland, small_bowel, duodenum, colon, urinary_bladder, prostate, kidney_cyst_left, kidney_cyst_right, sacrum, "
    + ", ".join(f"vertebrae_{level}" for level in _SPINE_UPWARDS)
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
# dataset.json of the set, with its spelling.
AMOS22 = numbered(
    "spleen, right kidney, left kidney, gall bladder, esophagus, liver, stomach, arota, postcava, pancreas, right adrenal gland, "
    "left adrenal gland, duodenum, bladder, prostate/uterus"
)
BTCV = numbered(
    "spleen, right kidney, left kidney, gallbladder, esophagus, liver, stomach, aorta, inferior vena cava, "
    "portal vein and splenic vein, pancreas, right adrenal gland, left adrenal gland"
)
FLARE22 = numbered(
    "liver, right kidney, spleen, pancreas, aorta, inferior vena cava, right adrenal gland, left adrenal gland, gallbladder, esophagus, stomach, duodenum, left kidney"
)
WORD = numbered(
    "liver, spleen, kidney left, kidney right, stomach, gallbladder, esophagus, pancreas, duodenum, colon, intestine, adrenal, "
    "rectum, bladder, head of femur left, head of femur right"
)
CT_ORG = numbered("liver, bladder, lungs, kidneys, bone, brain")
ACDC = numbered("RV, Myo, LV")
BRATS = {1: "necrotic tumor core", 2: "peritumoral edema", 4: "enhancing tumor"}
# The files of the training set; the numbers mean nothing.
SEGRAP2023 = numbered(
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
    **numbered(", ".join(_levels("C", range(1, 8)))),
    **numbered(", ".join(_levels("T", range(1, 13))), first=8),
    **numbered(", ".join(_levels("L", range(1, 7))), first=20),
    28: "T13",
}
# Counted from the bottom: L5 is 1.
SPIDER = {
    **numbered(", ".join(_levels("L", range(5, 0, -1)))),
    **numbered(", ".join(_levels("T", range(12, 0, -1))), first=6),
    100: "spinal canal",
    201: "intervertebral disc",
}
