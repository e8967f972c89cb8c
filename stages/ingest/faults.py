"""Faults of single items. Inside ingest they are raised; at its edge they become ``ItemError`` values."""

from __future__ import annotations

from stages.core.records import ItemError

STAGE = "ingest"

# The closed list of fault codes that metrics and the errors table use.
KINDS = {
    "image_without_mask": "no mask goes with the image",
    "mask_without_image": "no image goes with the mask",
    "duplicate_id": "two images have one case and view",
    "not_in_table": "the patient table does not know the image",
    "bad_table_row": "a row's numbers cannot be read",
    "unknown_split": "the card does not know the image's split",
    "unsafe_path": "a table names a path outside the root",
    "missing_file": "a table names a file that is not there",
    "mask_not_given": "a row names no mask file",
    "unreadable_image": "damaged, truncated or no picture or volume",
    "unreadable_mask": "a picture that is no label map",
    "too_large": "more pixels or voxels than allowed",
    "not_3d": "a volume of other than three dimensions",
    "not_finite": "NaN or infinite values",
    "flat_image": "one value everywhere",
    "bad_spacing": "spacing missing, negative or contradictory",
    "geometry_mismatch": "label and image volume lie at different places",
    "mask_size": "the mask has another size than its image",
    "mask_outside": "a cropped mask leaves its image",
    "bad_mask_values": "a label volume holds fractions",
    "several_masks": "more than one label map goes with the image",
    "unknown_label": "the card does not know the label",
    "empty_mask": "no foreground",
    "no_object": "no usable object is left",
    "several_pages": "a picture file of several pages, and the card does not say which is meant",
    "open_outline": "a drawn outline that encloses nothing",
    "bad_annotations": "an annotation file that is damaged or of another layout",
    "bad_polygon": "a polygon, contour or shape that encloses nothing, or lies outside its image",
    "bad_runs": "run lengths that describe no mask of the image",
    "unsafe_content": "a file that asks for code to be run (pickled objects) or unpacks to more than allowed",
    "mixed_series": "a DICOM series holds pictures of several sizes or directions",
    "missing_slices": "a DICOM series has gaps",
    "uneven_slices": "a DICOM series is not evenly spaced",
    "sheared_grid": "a tilted series was to be cut across its slices",
    "undecodable_syntax": "a compression that no installed decoder reads",
}


class Fault(Exception):
    """An item that must not be used: ``kind`` is a key of KINDS, ``file`` relative to the root, ``cause`` in words with the remedy."""

    def __init__(self, kind: str, file: str, cause: str) -> None:
        if kind not in KINDS:
            raise ValueError(f"fault code {kind!r} is not in KINDS")
        super().__init__(kind, file, cause)  # all three as args, so that a fault passes between processes
        self.kind, self.file, self.cause = kind, file, cause

    def as_error(self, item_id: str) -> ItemError:
        """The fault as a row of the errors table."""
        return ItemError(item_id=item_id, stage=STAGE, kind=self.kind, file=self.file, cause=self.cause)
