"""Faults of single items. Inside ingest they are raised; at its edge they become ``ItemError`` values."""

from __future__ import annotations

from stages.core.records import ItemError

STAGE = "ingest"

# The closed list of fault codes that metrics and the errors table use: what each means, and what to do about it.
KINDS = {
    "image_without_mask": "no mask goes with the image: add it, mend the mask pattern, or set `unmasked_images`",
    "mask_without_image": "no image goes with the mask: add it, or mend the image pattern",
    "duplicate_id": "two images have one case and view: let {case} or {view} tell them apart; {case:[^/]+/[^/]+} takes the folder into the id",
    "not_in_table": "the image table has no row for the image, or one that fits several: mend the table, or the column that the card names",
    "bad_table_row": "a row of a table cannot be read: mend the line that is named",
    "unknown_split": "the image's split is not under `official_split`: add it there",
    "unsafe_path": "a path or a link leads outside the folder: copy the file into it",
    "missing_file": "a table names a file that is not there: fetch it, or drop the row",
    "mask_not_given": "a row names no mask file: the label counts as not annotated in that image",
    "unreadable_image": "damaged, truncated, or no picture or volume: fetch it again",
    "unreadable_mask": "a picture that is no label map: export it as grey, palette or RGB without loss",
    "too_large": "more pixels or voxels than `ingest.max_pixels` allows: raise it if the file is what it should be",
    "not_3d": "a volume of other than three dimensions: say `channel`",
    "not_finite": "NaN or infinite values: export it again",
    "flat_image": "one value everywhere: nothing to see, take it out",
    "bad_spacing": "spacing missing, negative or contradictory: mend the header",
    "geometry_mismatch": "label and image volume lie at different places: mend the headers, or set `resample_masks`",
    "mask_size": "the mask has another size than its image: export it at that size, or set `resample_masks`",
    "mask_outside": "a cropped mask leaves its image: mend the table",
    "bad_mask_values": "a label volume holds fractions: it was interpolated, resample by nearest neighbour",
    "several_images": "a mask fits more than one image",
    "several_masks": "more than one label map goes with the image: narrow the mask pattern",
    "unknown_label": "a source that the card does not know: put it under `labels` or `ignored_sources`",
    "empty_mask": "no foreground: see `mask_threshold`, or set `empty_images`",
    "no_object": "nothing is marked, or nothing usable is left: see `empty_images`, `unmasked_images`, the faults of its masks, `ingest.min_object_px`",
    "several_pages": "a picture file of several pages: say which in `pictures: {page: 0}`",
    "open_outline": "a drawn outline that encloses nothing: close it, or take the mask out",
    "bad_annotations": "an annotation file that is damaged or of another layout: export it again, or choose another reader",
    "bad_polygon": "a polygon, contour or shape that encloses nothing, or lies outside its image: mend the shape that is named",
    "bad_runs": "run lengths that describe no mask of the image: see `order`, `start`, `positions` and `empty` of `run_lengths`",
    "unsafe_content": "a file that asks for code to be run (pickled objects) or unpacks to more than allowed: save it without objects",
    "mixed_series": "a DICOM series holds pictures of several sizes or directions: split it, or name one part in the image pattern",
    "missing_slices": "a DICOM series has gaps: fetch the missing files",
    "uneven_slices": "a DICOM series is not evenly spaced: leave it out, or export it resampled",
    "sheared_grid": "a tilted series was to be cut across its slices: choose the plane of its slices",
    "undecodable_syntax": "a compression that no installed decoder reads: store the files uncompressed",
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
