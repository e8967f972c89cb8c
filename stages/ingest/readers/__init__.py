"""Readers of source formats, one file each. The key is what a card's ``reader`` says."""

from stages.ingest.readers.base import Reader
from stages.ingest.readers.dicom_series import DicomSeries
from stages.ingest.readers.nnunet import NnUnet
from stages.ingest.readers.picture_label_map import PictureLabelMap
from stages.ingest.readers.picture_mask_crops import PictureMaskCrops
from stages.ingest.readers.picture_mask_files import PictureMaskFiles
from stages.ingest.readers.volume_pairs import VolumePairs

READERS: dict[str, Reader] = {
    "dicom_series": DicomSeries(),
    "volume_pairs": VolumePairs(),
    "nnunet": NnUnet(),
    "picture_label_map": PictureLabelMap(),
    "picture_mask_crops": PictureMaskCrops(),
    "picture_mask_files": PictureMaskFiles(),
}
