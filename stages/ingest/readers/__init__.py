"""Readers of source formats, one file each. The key is what a card's ``reader`` says."""

from stages.ingest.readers.base import Reader
from stages.ingest.readers.nifti_pairs import NiftiPairs
from stages.ingest.readers.picture_label_map import PictureLabelMap
from stages.ingest.readers.picture_mask_crops import PictureMaskCrops
from stages.ingest.readers.picture_mask_files import PictureMaskFiles

READERS: dict[str, Reader] = {
    "nifti_pairs": NiftiPairs(),
    "picture_label_map": PictureLabelMap(),
    "picture_mask_crops": PictureMaskCrops(),
    "picture_mask_files": PictureMaskFiles(),
}
