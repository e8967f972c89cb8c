"""DICOM files, opened without letting their contents into messages: datasets, what a file is, where its frames lie."""

from __future__ import annotations

import contextlib
import functools
import logging
import struct
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.ingest.faults import Fault

if TYPE_CHECKING:
    from pydicom import Dataset

_SEGMENTATIONS = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
_STRUCTURES = "1.2.840.10008.5.1.4.1.1.481.3"
_DIRECTORY = "1.2.840.10008.1.3.10"
# Enhanced and legacy-converted CT, MR and PET: many slices in one file, placed frame by frame.
_ENHANCED = tuple(f"1.2.840.10008.5.1.4.1.1.{end}" for end in ("2.1", "2.2", "4.1", "4.4", "128.1", "130"))
# Modalities of objects that are no pictures to mark things in: reports, presentation states, plans, doses, registrations, maps.
_NO_PICTURES = ("SR", "PR", "KO", "DOC", "PLAN", "RTPLAN", "RTDOSE", "RTRECORD", "REG", "FID", "RWV", "AU", "ECG", "HD", "SMR", "PMAP", "ANN")
# What `find` needs of a header; the rest is left unread.
_HEADER = [
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "FrameOfReferenceUID",
    "PatientID",
    "PatientIdentityRemoved",
    "Modality",
    "Rows",
    "ImagePositionPatient",
    "ReferencedSeriesSequence",
    "ReferencedFrameOfReferenceSequence",
]


@dataclass(frozen=True)
class Header:
    """What ``find`` knows of a DICOM file. ``references`` are UIDs of the series and instances that a mask file was made from.

    ``kind`` is image | seg | rtstruct | directory | other; ``placed``: the header says where in the patient the pixels lie.
    """

    kind: str
    sop_uid: str
    study_uid: str
    series_uid: str
    frame_of_reference: str | None
    patient: str
    identity_removed: bool
    placed: bool
    references: frozenset[str]


@functools.cache
def damage() -> tuple[type[Exception], ...]:
    """What pydicom raises on damaged content, beside its InvalidDicomError."""
    from pydicom.errors import BytesLengthException

    plain = (OSError, EOFError, ValueError, KeyError, AttributeError, TypeError, IndexError, NotImplementedError, OverflowError)
    return (*plain, BytesLengthException, struct.error, zlib.error)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No warning and no log line of pydicom, since both quote the values of elements; it does not compare them with its rules either."""
    from pydicom import config

    logger = logging.getLogger("pydicom")
    before, mode = logger.disabled, config.settings.reading_validation_mode
    logger.disabled = True
    config.settings.reading_validation_mode = config.IGNORE
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.disabled = before
        config.settings.reading_validation_mode = mode


@contextlib.contextmanager
def parsing(shown: str) -> Iterator[None]:
    """Around code that takes header elements at their word: a value of the wrong kind becomes a fault that does not quote it.

    Raises:
        Fault: an element could not be understood.
    """
    try:
        with quiet():
            yield
    except damage() as error:
        raise Fault("unreadable_image", shown, f"its header cannot be understood ({type(error).__name__}): mend the header") from error


def open_dataset(path: Path, shown: str, header_only: bool = False) -> Dataset:
    """The dataset of a file; ``shown`` is its name in faults.

    Raises:
        Fault: no DICOM file, damaged or truncated. The cause names the kind of damage and no content.
    """
    import pydicom
    from pydicom.errors import InvalidDicomError

    try:
        with quiet():
            return pydicom.dcmread(path, stop_before_pixels=header_only, specific_tags=list(_HEADER) if header_only else None)
    except InvalidDicomError as error:
        cause = "no DICOM file (the mark DICM after 128 bytes is missing): take it out of the card's pattern, or write it again with `dcmconv`"
        raise Fault("unreadable_image", shown, cause) from error
    except damage() as error:
        raise Fault("unreadable_image", shown, f"pydicom cannot parse it ({type(error).__name__}): damaged or truncated; fetch it again") from error


def read_header(path: Path, shown: str) -> Header:
    """What kind of DICOM file this is, and what it belongs to.

    Raises:
        Fault: no DICOM file, damaged, or without the UIDs that every DICOM file has.
    """
    dataset = open_dataset(path, shown, header_only=True)
    with parsing(shown):
        return _header(dataset, shown)


def _header(dataset: Dataset, shown: str) -> Header:
    meta_class = str(dataset.file_meta.get("MediaStorageSOPClassUID", ""))
    kind = _kind(dataset, meta_class, shown)
    uids = {key: str(dataset.get(key, "")) for key in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")}
    if kind != "directory" and not all(uids.values()):
        missing = ", ".join(key for key, value in uids.items() if not value)
        raise Fault("unreadable_image", shown, f"it has no {missing}, which every DICOM image has: export it again")
    return Header(
        kind=kind,
        sop_uid=uids["SOPInstanceUID"],
        study_uid=uids["StudyInstanceUID"],
        series_uid=uids["SeriesInstanceUID"],
        frame_of_reference=_frame_of_reference(dataset),
        patient=str(dataset.get("PatientID") or uids["StudyInstanceUID"]),
        identity_removed=str(dataset.get("PatientIdentityRemoved", "")).upper() == "YES",
        placed=bool(dataset.get("ImagePositionPatient")) or str(dataset.get("SOPClassUID", "")) in _ENHANCED,
        references=frozenset(_references(dataset)),
    )


def _kind(dataset: Dataset, meta_class: str, shown: str) -> str:
    sop_class, modality = str(dataset.get("SOPClassUID", meta_class)), str(dataset.get("Modality", ""))
    if meta_class == _DIRECTORY:
        return "directory"
    if sop_class in _SEGMENTATIONS or modality == "SEG":
        return "seg"
    if sop_class == _STRUCTURES or modality == "RTSTRUCT":
        return "rtstruct"
    if modality in _NO_PICTURES:
        return "other"
    needed(dataset, "Rows", shown)  # a picture that was cut off before its description must not pass for something else
    return "image"


def _frame_of_reference(dataset: Dataset) -> str | None:
    uid = dataset.get("FrameOfReferenceUID")
    if not uid and dataset.get("ReferencedFrameOfReferenceSequence"):
        uid = dataset.ReferencedFrameOfReferenceSequence[0].get("FrameOfReferenceUID")
    return str(uid) if uid else None


def _references(dataset: Dataset) -> Iterator[str]:
    """UIDs of series and instances that a SEG or RTSTRUCT names as its source."""
    series = list(dataset.get("ReferencedSeriesSequence") or [])
    for frame in dataset.get("ReferencedFrameOfReferenceSequence") or []:
        for study in frame.get("RTReferencedStudySequence") or []:
            series += list(study.get("RTReferencedSeriesSequence") or [])
    for item in series:
        yield str(item.get("SeriesInstanceUID", ""))
        for instance in [*(item.get("ReferencedInstanceSequence") or []), *(item.get("ContourImageSequence") or [])]:
            yield str(instance.get("ReferencedSOPInstanceUID", ""))


def needed(dataset: Dataset, keyword: str, shown: str) -> Any:
    """An element that must be there.

    Raises:
        Fault: it is missing or empty.
    """
    value = dataset.get(keyword)
    if value is None or value == "":
        raise Fault("unreadable_image", shown, f"its header has no {keyword}: export it again with complete headers")
    return value


def functional_group(dataset: Dataset, frame: int, sequence: str) -> Dataset | None:
    """Item of a functional group sequence that holds for one frame (from 0): its own, else the shared one, else None."""
    frames = dataset.get("PerFrameFunctionalGroupsSequence") or []
    shared = dataset.get("SharedFunctionalGroupsSequence") or []
    for group in [*frames[frame : frame + 1], *shared[:1]]:
        if group.get(sequence):
            return group[sequence].value[0]
    return None
