"""Readers of source formats, one file each. The key is what a card's ``reader`` says."""

from stages.ingest.readers.base import Reader
from stages.ingest.readers.coco_json import CocoJson
from stages.ingest.readers.contour_text import ContourText
from stages.ingest.readers.dicom_series import DicomSeries
from stages.ingest.readers.labelme_json import LabelMeJson
from stages.ingest.readers.nnunet import NnUnet
from stages.ingest.readers.npz_arrays import NpzArrays
from stages.ingest.readers.picture_label_map import PictureLabelMap
from stages.ingest.readers.picture_mask_crops import PictureMaskCrops
from stages.ingest.readers.picture_mask_files import PictureMaskFiles
from stages.ingest.readers.picture_xml import PictureXml
from stages.ingest.readers.run_length_csv import RunLengthCsv
from stages.ingest.readers.volume_pairs import VolumePairs

READERS: dict[str, Reader] = {
    "dicom_series": DicomSeries(),
    "volume_pairs": VolumePairs(),
    "nnunet": NnUnet(),
    "picture_label_map": PictureLabelMap(),
    "picture_mask_crops": PictureMaskCrops(),
    "picture_mask_files": PictureMaskFiles(),
    "coco_json": CocoJson(),
    "contour_text": ContourText(),
    "labelme_json": LabelMeJson(),
    "npz_arrays": NpzArrays(),
    "picture_xml": PictureXml(),
    "run_length_csv": RunLengthCsv(),
}
