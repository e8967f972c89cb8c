"""LabelMe JSON: shapes, groups, embedded pictures, and files that do not fit their picture."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.ingest.readers.reading import boxes_of, faults_of, masks_of, samples_of
from tests.ingest.sources import block, card_content, grey, save


def card(**changes: Any) -> dict[str, Any]:
    files = {"image": ["{case}.png"], "mask": ["{case}.json"], "other": []}
    labels = {"polyp": {"sources": ["polyp"], "semantic": False}, "heart": {"sources": ["heart"], "semantic": False}}
    return card_content(**({"reader": "labelme_json", "files": files, "labels": labels, "annotated_labels": ["polyp"]} | changes))


def shape(points: list, kind: str = "polygon", label: str = "polyp", group: int | None = None, **more: Any) -> dict[str, Any]:
    return {"label": label, "points": points, "shape_type": kind, "group_id": group} | more


def write(root: Path, shapes: list[Any], name: str = "a", **changes: Any) -> None:
    save(root / "a.png", grey())
    content = {"version": "5", "imagePath": "a.png", "imageData": None, "imageHeight": 40, "imageWidth": 60, "shapes": shapes}
    (root / f"{name}.json").write_text(json.dumps(content | changes), encoding="utf-8")


def png_text(pixels: np.ndarray) -> str:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def test_every_closed_shape_becomes_an_object(tmp_path: Path) -> None:
    crop = np.zeros((5, 6), np.uint8)
    crop[1:, :5] = 255
    write(
        tmp_path / "root",
        [
            shape([[10, 5], [20, 5], [20, 15], [10, 15]]),
            shape([[30, 30], [25, 20]], "rectangle"),
            shape([[45, 20], [45, 26]], "circle"),
            shape([[2, 30], [7, 34]], "mask", mask=png_text(crop)),
        ],
    )
    (sample,) = samples_of(tmp_path, card())
    assert boxes_of(sample) == {
        ("polyp", 0): [10, 5, 20, 15],
        ("polyp", 1): [25, 20, 30, 30],
        ("polyp", 2): [39, 14, 51, 26],
        ("polyp", 3): [2, 31, 7, 35],
    }
    assert masks_of(sample)["polyp", 2].sum() == pytest.approx(np.pi * 36, rel=0.03)


def test_shapes_of_one_group_and_label_are_parts_of_one_object(tmp_path: Path) -> None:
    left, right = [[0, 0], [8, 0], [8, 8], [0, 8]], [[20, 0], [28, 0], [28, 8], [20, 8]]
    write(tmp_path / "root", [shape(left, group=1), shape(right, group=1), shape(right, label="heart", group=1), shape(left)])
    (sample,) = samples_of(tmp_path, card())
    assert boxes_of(sample) == {("polyp", 0): [0, 0, 28, 8], ("heart", 0): [20, 0, 28, 8], ("polyp", 1): [0, 0, 8, 8]}


def test_a_file_of_another_name_is_tied_by_its_image_path(tmp_path: Path) -> None:
    write(tmp_path / "root", [shape([[0, 0], [8, 0], [8, 8]])], name="other")
    (sample,) = samples_of(tmp_path, card())
    assert sample.sample_id == "tiny/a/frontal"


def test_the_embedded_picture_is_used_only_when_the_card_says_so_and_the_file_is_missing(tmp_path: Path) -> None:
    pixels = grey(seed=5)
    write(tmp_path / "root", [shape([[0, 0], [8, 0], [8, 8]])], imageData=png_text(pixels))
    (tmp_path / "root/a.png").unlink()
    (fault,) = faults_of(tmp_path, card())
    assert fault.kind == "mask_without_image" and "image_data: true" in fault.cause
    (sample,) = samples_of(tmp_path, card(labelme={"image_data": True}))
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(sample.image))), pixels)
    assert sample.sample_id == "tiny/a/frontal" and "wrong_extension" not in sample.flags


@pytest.mark.parametrize(
    ("shapes", "changes", "kind", "word"),
    [
        ([shape([[1, 1], [5, 5]], "line")], {}, "bad_polygon", "shapes[1] is a line, which encloses nothing"),
        ([shape([[1, 1], [5, 5]])], {}, "bad_polygon", "2 points"),
        ([shape([[1, 1]], "circle")], {}, "bad_polygon", "a circle needs 2 points"),
        ([shape([[1, 1, 1]])], {}, "bad_polygon", "at least 3 points"),
        ([shape([[70, 1], [80, 1], [80, 9]])], {}, "bad_polygon", "outside the image"),
        ([shape([[2, 2], [5, 5]], "mask", mask="!")], {}, "bad_annotations", "base64"),
        ([shape([[58, 2], [60, 5]], "mask", mask=png_text(block((0, 0, 4, 4), 4, 4)))], {}, "mask_outside", "leaves the picture"),
    ],
)
def test_a_faulty_shape_costs_its_label_and_names_the_shape(tmp_path: Path, shapes: list, changes: dict, kind: str, word: str) -> None:
    heart = shape([[0, 0], [8, 0], [8, 8]], label="heart")
    write(tmp_path / "root", [heart, *shapes], **changes)
    (fault,) = faults_of(tmp_path, card())
    assert (fault.kind, fault.file) == (kind, "a.json") and word in fault.cause


@pytest.mark.parametrize(
    ("changes", "kind", "word"),
    [
        ({"imageWidth": 61}, "mask_size", "drawn on a picture of 61 x 40"),
        ({"shapes": None}, "bad_annotations", "list of `shapes`"),
        ({"shapes": [{"points": []}]}, "bad_annotations", "shapes[0] has no label"),
    ],
)
def test_a_file_that_does_not_fit_its_picture_costs_the_picture(tmp_path: Path, changes: dict, kind: str, word: str) -> None:
    write(tmp_path / "root", **({"shapes": [shape([[0, 0], [8, 0], [8, 8]])]} | changes))
    (fault,) = faults_of(tmp_path, card())
    assert (fault.kind, fault.file) == (kind, "a.json") and word in fault.cause


def test_an_image_path_that_leaves_the_root_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "root", [shape([[0, 0], [8, 0], [8, 8]])], name="b", imagePath="../secret.png")
    kinds = {fault.kind for fault in faults_of(tmp_path, card())}
    assert kinds == {"unsafe_path", "image_without_mask"}


def test_a_line_under_an_ignored_label_is_no_fault(tmp_path: Path) -> None:
    write(tmp_path / "root", [shape([[0, 0], [8, 0], [8, 8]]), shape([[1, 1], [5, 5]], "line", label="scale bar")])
    (sample,) = samples_of(tmp_path, card(ignored_sources=["scale bar"]))
    assert len(sample.objects) == 1
