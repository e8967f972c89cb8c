"""Tiny real DICOM files: CT series in any geometry, SEG through highdicom, RTSTRUCT, radiographs; and cards for them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from stages.core.records import Sample
from tests.ingest.sources import card_content

CT_CLASS = "1.2.840.10008.5.1.4.1.1.2"
CR_CLASS = "1.2.840.10008.5.1.4.1.1.1"
RTSTRUCT_CLASS = "1.2.840.10008.5.1.4.1.1.481.3"
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
SPACING = (0.8, 1.25)
PATIENT = {"PatientName": "Zebra^Quentin", "PatientID": "MRN-4711-0815", "PatientBirthDate": "19510327", "AccessionNumber": "ACC99887766"}


def uid(*parts: object) -> str:
    """The same UID for the same parts."""
    return generate_uid(entropy_srcs=[str(part) for part in parts])


def dicom_card(**changes: Any) -> dict[str, Any]:
    """A card of one tree of DICOM files with liver and heart."""
    base = {
        "reader": "dicom_series",
        "files": {"image": ["{file:.+}"], "mask": [], "other": []},
        "labels": {"liver": {"sources": ["Liver", "SCT:10200004"], "semantic": True}, "heart": {"sources": ["Heart"], "semantic": True}},
        "annotated_labels": ["heart", "liver"],
        "modality": "CT",
        "image_left_is": None,
        "intensity": {"kind": "window", "level": 50, "width": 400},
        "slices": {"per_volume": 9, "per_label": 9, "min_gap": 1},
        "deidentified": True,
    }
    return card_content(**(base | changes))


def new_dataset(sop_class: str, sop_uid: str, study: str = "study", series: str = "series", **values: Any) -> Dataset:
    """A dataset with the elements that every file has, patient included."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = sop_class
    dataset.file_meta.MediaStorageSOPInstanceUID = sop_uid
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, sop_uid
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = uid(study), uid(study, series)
    dataset.StudyDate, dataset.StudyTime = "20190812", "101112"
    dataset.PatientSex, dataset.StudyID, dataset.ReferringPhysicianName = "", "1", ""
    dataset.Manufacturer, dataset.SeriesNumber, dataset.PositionReferenceIndicator = "tests", 1, ""
    for keyword, value in (PATIENT | values).items():
        setattr(dataset, keyword, value)
    return dataset


def set_pixels(dataset: Dataset, pixels: np.ndarray, meaning: str = "MONOCHROME2") -> None:
    """Grey or RGB pixels with the elements that describe them."""
    dataset.Rows, dataset.Columns = pixels.shape[:2]
    dataset.SamplesPerPixel = 3 if pixels.ndim == 3 else 1
    if pixels.ndim == 3:
        dataset.PlanarConfiguration = 0
    dataset.PhotometricInterpretation = meaning
    dataset.BitsAllocated = dataset.BitsStored = 8 * pixels.dtype.itemsize
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    dataset.PixelData = pixels.tobytes()


def ct_values(slices: int = 5, rows: int = 24, columns: int = 32, seed: int = 0) -> np.ndarray:
    """Noisy HU (slices, rows, columns), different everywhere."""
    return np.random.default_rng(seed).integers(-150, 250, (slices, rows, columns)).astype(np.int16)


def write_series(
    folder: Path,
    hu: np.ndarray,
    orientation: tuple[float, ...] = AXIAL,
    origin: tuple[float, float, float] = (-10.0, -20.0, 30.0),
    step_mm: float = 2.5,
    series: str = "series",
    study: str = "study",
    positions: np.ndarray | None = None,
    dtype: type = np.int16,
    **values: Any,
) -> list[Path]:
    """A CT series: slice k of ``hu`` lies k steps along the normal; file names and instance numbers run the other way."""
    normal = np.cross(orientation[:3], orientation[3:])
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, plane in enumerate(hu):
        dataset = new_dataset(CT_CLASS, uid(study, series, number), study, series, **({"Modality": "CT"} | values))
        dataset.FrameOfReferenceUID = uid(study, "frame")
        dataset.ImageOrientationPatient = [float(value) for value in orientation]
        place = np.array(origin) + number * step_mm * normal if positions is None else positions[number]
        dataset.ImagePositionPatient = [round(float(value), 6) for value in place]
        dataset.PixelSpacing, dataset.SliceThickness = list(SPACING), step_mm
        dataset.InstanceNumber = len(hu) - number
        dataset.RescaleSlope, dataset.RescaleIntercept = 2, -1024
        stored = np.rint((plane.astype(float) + 1024) / 2)
        set_pixels(dataset, stored.astype(dtype))
        paths.append(folder / f"{len(hu) - number:03d}")
        dataset.save_as(paths[-1], enforce_file_format=True)
    return paths


def pixels_of(sample: Sample) -> np.ndarray:
    """Stored pixels of a sample."""
    return np.asarray(Image.open(io.BytesIO(sample.image)))


def shown_hu(hu: np.ndarray) -> np.ndarray:
    """What is left of HU after storing them in steps of two."""
    return np.rint((hu.astype(float) + 1024) / 2) * 2 - 1024


def block_mask(shape: tuple[int, ...], box: tuple[int, int, int, int, int, int]) -> np.ndarray:
    """A box [k0, k1) x [r0, r1) x [c0, c1) in a mask of ``shape``."""
    mask = np.zeros(shape, bool)
    k0, k1, r0, r1, c0, c1 = box
    mask[k0:k1, r0:r1, c0:c1] = True
    return mask


def write_seg(path: Path, series: list[Path], masks: dict[str, np.ndarray], kind: str = "BINARY", **options: Any) -> Path:
    """A SEG of a series by highdicom; ``masks`` are (slices, rows, columns) in the order of the files, by segment label."""
    import highdicom as hd
    from pydicom.sr.codedict import codes

    known = {"Liver": codes.SCT.Liver, "Heart": codes.SCT.Heart}
    segments = [
        hd.seg.SegmentDescription(
            segment_number=number,
            segment_label=label,
            segmented_property_category=codes.SCT.AnatomicalStructure,
            segmented_property_type=known.get(label, codes.SCT.Organ),
            algorithm_type=hd.seg.SegmentAlgorithmTypeValues.MANUAL,
        )
        for number, label in enumerate(masks, start=1)
    ]
    stack = np.stack(list(masks.values()), axis=-1)
    segmentation = hd.seg.Segmentation(
        source_images=[pydicom.dcmread(file) for file in series],
        pixel_array=stack.astype(np.float32) if kind == "FRACTIONAL" else stack.astype(np.uint8),
        segmentation_type=hd.seg.SegmentationTypeValues(kind),
        segment_descriptions=segments,
        series_instance_uid=uid(path.name, "series"),
        series_number=2,
        sop_instance_uid=uid(path.name),
        instance_number=1,
        manufacturer="tests",
        manufacturer_model_name="tests",
        software_versions="1",
        device_serial_number="1",
        **options,
    )
    segmentation.save_as(path)
    return path


def write_rtstruct(path: Path, series: list[Path], rois: dict[str, list[np.ndarray]], frame: str | None = None, **values: Any) -> Path:
    """An RTSTRUCT; the contours of each ROI are arrays (points, 3) in patient millimetres."""
    first = pydicom.dcmread(series[0])
    dataset = new_dataset(RTSTRUCT_CLASS, uid(path.name), series=path.name, Modality="RTSTRUCT", **values)
    dataset.StudyInstanceUID = first.StudyInstanceUID
    referenced = Dataset()
    referenced.SeriesInstanceUID = first.SeriesInstanceUID
    study, reference = Dataset(), Dataset()
    study.RTReferencedSeriesSequence = Sequence([referenced])
    reference.FrameOfReferenceUID = frame or first.FrameOfReferenceUID
    reference.RTReferencedStudySequence = Sequence([study])
    dataset.ReferencedFrameOfReferenceSequence = Sequence([reference])
    dataset.StructureSetROISequence, dataset.ROIContourSequence = Sequence(), Sequence()
    for number, (name, contours) in enumerate(rois.items(), start=1):
        roi, drawn = Dataset(), Dataset()
        roi.ROINumber, roi.ROIName, roi.ReferencedFrameOfReferenceUID = number, name, reference.FrameOfReferenceUID
        drawn.ReferencedROINumber, drawn.ContourSequence = number, Sequence()
        for points in contours:
            contour = Dataset()
            contour.ContourGeometricType = "CLOSED_PLANAR"
            contour.NumberOfContourPoints = len(points)
            contour.ContourData = [round(float(value), 4) for value in np.asarray(points).ravel()]
            drawn.ContourSequence.append(contour)
        dataset.StructureSetROISequence.append(roi)
        dataset.ROIContourSequence.append(drawn)
    dataset.save_as(path, enforce_file_format=True)
    return path


def write_radiograph(path: Path, pixels: np.ndarray, meaning: str = "MONOCHROME2", **values: Any) -> Path:
    """A CR picture without a place in the patient."""
    dataset = new_dataset(CR_CLASS, uid(path.name), series=path.name, **({"Modality": "CR"} | values))
    set_pixels(dataset, pixels, meaning)
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path
