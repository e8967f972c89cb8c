"""COCO JSON: polygons, run lengths, crowds, several files, and everything that can be wrong with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stages.core.geometry import encode_mask
from tests.ingest.readers.reading import boxes_of, faults_of, masks_of, samples_of
from tests.ingest.sources import block, card_content, grey, save

SQUARE = [[10, 5, 20, 5, 20, 15, 10, 15]]


def card(**changes: Any) -> dict[str, Any]:
    files = {"image": ["images/{case}.png"], "mask": ["*.json"], "other": []}
    labels = {"polyp": {"sources": ["Polyp"], "semantic": False}}
    return card_content(**({"reader": "coco_json", "files": files, "labels": labels, "annotated_labels": ["polyp"]} | changes))


def annotation(segmentation: Any = SQUARE, **changes: Any) -> dict[str, Any]:
    return {"id": 7, "image_id": 1, "category_id": 3, "segmentation": segmentation, "iscrowd": 0} | changes


def write(root: Path, annotations: list[Any], name: str = "instances.json", **changes: Any) -> None:
    """One image of 60 x 40 and an annotation file that speaks of it."""
    content = {
        "images": [{"id": 1, "file_name": "a.png", "width": 60, "height": 40}],
        "annotations": annotations,
        "categories": [{"id": 3, "name": "Polyp"}],
    }
    save(root / "images/a.png", grey())
    (root / name).write_text(json.dumps(content | changes), encoding="utf-8")


def test_a_polygon_is_filled_on_pixel_edges(tmp_path: Path) -> None:
    write(tmp_path / "root", [annotation()])
    (sample,) = samples_of(tmp_path, card())
    assert boxes_of(sample) == {("polyp", 0): [10, 5, 20, 15]}
    assert masks_of(sample)["polyp", 0].sum() == 100
    assert [file.path for file in sample.source_files] == ["images/a.png", "instances.json"]


def test_the_polygons_of_one_annotation_unite_and_annotations_stay_apart(tmp_path: Path) -> None:
    two = [*SQUARE, [30, 20, 40, 20, 40, 30, 30, 30]]
    write(tmp_path / "root", [annotation(two), annotation([[0, 30, 8, 30, 8, 38, 0, 38]], id=8)])
    (sample,) = samples_of(tmp_path, card())
    assert boxes_of(sample) == {("polyp", 0): [10, 5, 40, 30], ("polyp", 1): [0, 30, 8, 38]}
    assert masks_of(sample)["polyp", 0].sum() == 200


@pytest.mark.parametrize("compressed", [True, False])
def test_run_lengths_are_read_in_both_spellings_and_crowds_stay_crowds(tmp_path: Path, compressed: bool) -> None:
    mask = block((3, 4, 30, 20)) > 0
    flat = mask.ravel(order="F")
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flat.astype(int), [0]])))
    counts = np.diff([0, *edges, flat.size]).tolist()
    code = {"size": [40, 60], "counts": encode_mask(mask).counts if compressed else counts}
    write(tmp_path / "root", [annotation(code, iscrowd=1), annotation(id=8)])
    (sample,) = samples_of(tmp_path, card())
    assert np.array_equal(masks_of(sample)["polyp", 0], mask)
    assert [item.crowd for item in sample.objects] == [True, False]


def test_files_of_several_folders_with_one_name_are_told_apart_by_their_parts(tmp_path: Path) -> None:
    root = tmp_path / "root"
    for split, box in (("train", (0, 0, 8, 8)), ("val", (20, 20, 40, 30))):
        (root / split).mkdir(parents=True)
        write(root / split, [annotation([[box[0], box[1], box[2], box[1], box[2], box[3], box[0], box[3]]])], name="coco.json")
    files = {"image": ["{part:train|val}/images/{case}.png"], "mask": ["{part:train|val}/coco.json"], "other": []}
    found = {}
    for view in ("train", "val"):
        only = files | {"image": [f"{{part:{view}}}/images/{{case}}.png"], "mask": [f"{{part:{view}}}/coco.json"], "other": ["*/*.json", "*/images/*.png"]}
        (sample,) = samples_of(tmp_path, card(files=only))
        found[view] = boxes_of(sample)["polyp", 0]
    assert found == {"train": [0, 0, 8, 8], "val": [20, 20, 40, 30]}
    files["image"] = ["{part:train|val}/images/{case:[a-z]}{view:[.]}png"]
    assert [fault.kind for fault in faults_of(tmp_path, card(files=files))] == ["duplicate_id"]


def test_one_image_may_be_annotated_in_several_files(tmp_path: Path) -> None:
    root = tmp_path / "root"
    write(root, [annotation()])
    write(root, [annotation([[30, 20, 40, 20, 40, 30, 30, 30]])], name="more.json")
    (sample,) = samples_of(tmp_path, card())
    assert len(sample.objects) == 2


def test_images_without_annotations_follow_the_card_and_unlisted_ones_are_faults(tmp_path: Path) -> None:
    root = tmp_path / "root"
    write(root, [])
    save(root / "images/b.png", grey(seed=1))
    kinds = [(fault.kind, fault.file) for fault in faults_of(tmp_path, card())]
    assert ("image_without_mask", "images/b.png") in kinds and len(kinds) == 2
    (root / "images/b.png").unlink()
    (sample,) = samples_of(tmp_path, card(empty_images="keep"))
    assert sample.objects == [] and sample.annotated_labels == ["polyp"]


def test_an_image_that_is_listed_and_not_there_is_an_error(tmp_path: Path) -> None:
    root = tmp_path / "root"
    write(root, [annotation()], images=[{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "gone.png"}])
    (fault,) = faults_of(tmp_path, card())
    assert (fault.kind, fault.item_id) == ("mask_without_image", "tiny/gone") and "'gone.png'" in fault.cause


@pytest.mark.parametrize(
    ("segmentation", "kind", "word"),
    [
        ([[10, 5, 20, 5, 15, 5]], "empty_mask", "no area"),
        ([[70, 5, 90, 5, 90, 15]], "bad_polygon", "outside the image of 60 x 40"),
        ([[1, 2, 3, 4]], "bad_polygon", "2 points"),
        ([[1, 2, 3]], "bad_polygon", "flat list"),
        ([["x", 2]], "bad_polygon", "flat list"),
        ([], "bad_polygon", "a box alone"),
        (None, "bad_polygon", "a box alone"),
        ({"size": [40, 61], "counts": [2440]}, "mask_size", "[40, 61]"),
        ({"size": [40, 60], "counts": [2400]}, "empty_mask", "no pixel"),
        ({"size": [40, 60], "counts": [5, 10]}, "bad_runs", "add up to 15"),
        ({"size": [40, 60], "counts": "zz"}, "bad_runs", "the character 'z'"),
        ({"size": [40, 60], "counts": None}, "bad_runs", "annotations[1]"),
    ],
)
def test_a_faulty_segmentation_is_a_fault_that_names_the_annotation(tmp_path: Path, segmentation: Any, kind: str, word: str) -> None:
    labels = {"polyp": {"sources": ["Polyp"], "semantic": False}, "heart": {"sources": ["Heart"], "semantic": False}}
    categories = [{"id": 3, "name": "Polyp"}, {"id": 4, "name": "Heart"}]
    write(tmp_path / "root", [annotation(category_id=4), annotation(segmentation)], categories=categories)
    (fault,) = faults_of(tmp_path, card(labels=labels))
    assert (fault.kind, fault.file) == (kind, "instances.json")
    assert word in fault.cause and "annotations[1] (id 7)" in fault.cause


def test_a_polygon_over_the_edge_is_clipped_and_flagged(tmp_path: Path) -> None:
    write(tmp_path / "root", [annotation([[50, 5, 75, 5, 75, 15, 50, 15]])])
    (sample,) = samples_of(tmp_path, card())
    assert boxes_of(sample) == {("polyp", 0): [50, 5, 60, 15]}
    assert "polygon_clipped" in sample.flags


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("{", "no valid JSON"),
        ("[1, 2]", "under 'images'"),
        ('{"images": []}', "under 'annotations'"),
        ('{"images": [{"id": 1}], "annotations": [], "categories": []}', "images[0] has no usable 'file_name'"),
        ('{"images": [], "annotations": [{"image_id": 1, "category_id": 3}], "categories": []}', "image_id 1, which the file does not list"),
        ('{"images": [{"id": 1, "file_name": "a"}, {"id": 1, "file_name": "b"}], "annotations": [], "categories": []}', "one id"),
    ],
)
def test_a_file_of_another_layout_says_what_it_lacks(tmp_path: Path, text: str, word: str) -> None:
    write(tmp_path / "root", [])
    (tmp_path / "root/instances.json").write_text(text)
    fault = faults_of(tmp_path, card())[0]
    assert (fault.kind, fault.file) == ("bad_annotations", "instances.json") and word in fault.cause


def test_a_category_that_the_card_does_not_know_names_the_nearest(tmp_path: Path) -> None:
    write(tmp_path / "root", [annotation()], categories=[{"id": 3, "name": "Polypp"}])
    (fault,) = faults_of(tmp_path, card())
    assert fault.kind == "unknown_label" and "nearest: Polyp" in fault.cause
