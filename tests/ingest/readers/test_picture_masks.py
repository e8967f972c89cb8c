"""Mask pictures: nesting codes, instances, blurred codes, outlines, suffixes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.draw
from PIL import Image

from stages.ingest.faults import Fault
from stages.ingest.picture_masks import distinct, fill_outline
from tests.ingest.readers.reading import boxes_of, faults_of, masks_of, samples_of
from tests.ingest.sources import block, card_content, grey, label_map_card, save


def test_nesting_codes_with_a_background_of_255(tmp_path: Path) -> None:
    root = tmp_path / "root"
    save(root / "images/a.jpg", grey())
    codes = np.full((40, 60), 255, np.uint8)
    codes[10:30, 20:45], codes[15:25, 25:35] = 128, 0
    save(root / "masks/a.bmp", codes)
    labels = {"optic disc": {"sources": [0, 128], "semantic": True}, "optic cup": {"sources": [0], "semantic": True}}
    files = {"image": ["images/{case}.jpg"], "mask": ["masks/{case}.bmp"], "other": []}
    content = label_map_card(labels=labels, annotated_labels=list(labels), ignored_sources=[255], files=files)
    (sample,) = samples_of(tmp_path, content)
    assert boxes_of(sample) == {("optic disc", 0): [20, 10, 45, 30], ("optic cup", 0): [25, 15, 35, 25]}


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_map_of_instances_gives_one_object_a_value(tmp_path: Path, dtype: type) -> None:
    root = tmp_path / "root"
    save(root / "images/a.png", grey())
    codes = np.zeros((40, 60), dtype)
    codes[2:12, 3:13], codes[20:30, 30:50] = 9, np.iinfo(dtype).max
    save(root / "masks/a.png", codes)
    labels = {"cell nucleus": {"sources": ["*"], "semantic": False}}
    (sample,) = samples_of(tmp_path, label_map_card(labels=labels, annotated_labels=["cell nucleus"]))
    assert boxes_of(sample) == {("cell nucleus", 0): [3, 2, 13, 12], ("cell nucleus", 1): [30, 20, 50, 30]}


def test_a_map_of_coloured_instances_and_a_palette_read_by_its_colours(tmp_path: Path) -> None:
    root = tmp_path / "root"
    save(root / "images/a.png", grey())
    picture = Image.fromarray(block((0, 0, 10, 10), value=1) + block((30, 20, 50, 38), value=2), mode="P")
    picture.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 16])
    (root / "masks").mkdir()
    picture.save(root / "masks/a.png")
    labels = {"nerve": {"sources": ["#008010"], "semantic": True}, "cell nucleus": {"sources": ["*"], "semantic": False}}
    (sample,) = samples_of(tmp_path, label_map_card(labels=labels, annotated_labels=[]))
    assert boxes_of(sample) == {("nerve", 0): [30, 20, 50, 38], ("cell nucleus", 0): [0, 0, 10, 10]}


def test_a_grey_map_saved_as_rgb_is_read_by_its_grey_values(tmp_path: Path) -> None:
    root = tmp_path / "root"
    save(root / "images/a.png", grey())
    save(root / "masks/a.png", np.dstack([block((5, 5, 15, 15), value=1)] * 3))
    (sample,) = samples_of(tmp_path, label_map_card())
    assert boxes_of(sample) == {("nerve", 0): [5, 5, 15, 15]}


def blurred(root: Path) -> dict[str, Any]:
    """A colour map that went through JPEG, and its card."""
    save(root / "images/a.png", grey())
    colours = np.zeros((40, 60, 3), np.uint8)
    colours[8:24, 8:32], colours[24:40, 32:56] = (255, 0, 0), (0, 255, 0)
    save(root / "masks/a.jpg", colours, quality=90)
    labels = {"nerve": {"sources": ["#ff0000"], "semantic": True}, "vessel": {"sources": ["#00ff00"], "semantic": True}}
    files = {"image": ["images/{case}.png"], "mask": ["masks/{case}.jpg"], "other": []}
    return label_map_card(labels=labels, files=files)


def test_codes_blurred_by_jpeg_are_a_fault_with_the_remedy(tmp_path: Path) -> None:
    content = blurred(tmp_path / "root")
    (fault,) = faults_of(tmp_path, content)
    assert fault.kind == "bad_mask_values" and "code_tolerance" in fault.cause


def test_with_a_tolerance_a_pixel_takes_the_nearest_code_of_the_card(tmp_path: Path) -> None:
    content = blurred(tmp_path / "root")
    (sample,) = samples_of(tmp_path, content | {"pictures": {"code_tolerance": 255}})
    found = masks_of(sample)
    nerve, vessel = np.zeros((40, 60), bool), np.zeros((40, 60), bool)
    nerve[8:24, 8:32], vessel[24:40, 32:56] = True, True
    assert np.logical_xor(found["nerve", 0], nerve).mean() < 0.01 and np.logical_xor(found["vessel", 0], vessel).mean() < 0.01
    assert "codes_snapped" in sample.flags
    (fault,) = faults_of(tmp_path, content | {"pictures": {"code_tolerance": 1}})
    assert fault.kind == "bad_mask_values" and "code_tolerance = 1" in fault.cause


def test_masks_with_and_without_a_number_after_their_suffix_are_instances(tmp_path: Path) -> None:
    root = tmp_path / "root"
    save(root / "benign/benign (1).png", grey())
    save(root / "benign/benign (1)_mask.png", block((0, 0, 8, 8)))
    save(root / "benign/benign (1)_mask_1.png", block((20, 20, 40, 30)))
    save(root / "normal/normal (1).png", grey(seed=1))
    save(root / "normal/normal (1)_mask.png", block((0, 0, 0, 0)))
    kind, case = "{kind:benign|malignant|normal}", "{case:[a-z]+ \\([0-9]+\\)}"
    files = {"image": [f"{kind}/{case}.png"], "mask": [f"{kind}/{case}_mask{{number:(_[0-9]+)?}}.png"], "other": []}
    labels = {"polyp": {"sources": ["mask"], "semantic": False}}
    benign, normal = samples_of(tmp_path, card_content(files=files, labels=labels, annotated_labels=["polyp"], empty_images="keep"))
    assert boxes_of(benign) == {("polyp", 0): [0, 0, 8, 8], ("polyp", 1): [20, 20, 40, 30]}
    assert normal.objects == [] and normal.annotated_labels == ["polyp"]


def test_a_one_bit_mask_and_a_gif_mask_are_read_above_their_threshold(tmp_path: Path) -> None:
    root = tmp_path / "root"
    for case, ending in (("a", "bmp"), ("b", "gif")):
        save(root / f"images/{case}.png", grey(seed=ord(case)))
        (root / "masks").mkdir(exist_ok=True)
        Image.fromarray(block((5, 5, 15, 15))).convert("1").save(root / f"masks/{case}_heart.{ending}")
    files = {"image": ["images/{case}.png"], "mask": ["masks/{case}_{label}.bmp", "masks/{case}_{label}.gif"], "other": []}
    for sample in samples_of(tmp_path, card_content(files=files, mask_threshold=127)):
        assert boxes_of(sample) == {("heart", 0): [5, 5, 15, 15]}


# Outlines


def ring(centre: tuple[float, float], shape: tuple[int, int] = (40, 60)) -> tuple[np.ndarray, np.ndarray]:
    """A drawn ellipse and its filled area."""
    outline, area = np.zeros(shape, np.uint8), np.zeros(shape, bool)
    area[skimage.draw.ellipse(*centre, 12.4, 18.4, shape=shape)] = True
    inner = np.zeros(shape, bool)
    inner[skimage.draw.ellipse(*centre, 10.4, 16.4, shape=shape)] = True
    outline[area & ~inner] = 255
    return outline, area


def test_a_drawn_outline_is_filled(tmp_path: Path) -> None:
    root = tmp_path / "root"
    save(root / "images/a.png", grey())
    outline, area = ring((20, 30))
    save(root / "masks/a_heart.png", outline)
    (sample,) = samples_of(tmp_path, card_content(fill_outlines=True))
    assert np.array_equal(masks_of(sample)["heart", 0], area)
    (drawn,) = samples_of(tmp_path, card_content())
    assert masks_of(drawn)["heart", 0].sum() == (outline > 0).sum()


def test_an_outline_that_leaves_the_picture_is_closed_along_its_edge() -> None:
    outline, area = ring((6, 30))
    filled, flags = fill_outline(outline > 0, "a.png")
    assert np.array_equal(filled, area) and flags == ["outline_closed_at_frame"]


def test_an_open_outline_is_a_fault() -> None:
    outline, _ = ring((20, 30))
    outline[:, 28:34] = 0
    with pytest.raises(Fault, match="encloses nothing") as caught:
        fill_outline(outline > 0, "a.png")
    assert caught.value.kind == "open_outline"


def test_a_picture_of_printing_colours_is_no_label_map(tmp_path: Path) -> None:
    root = tmp_path / "root"
    save(root / "images/a.png", grey())
    (root / "masks").mkdir()
    Image.fromarray(np.zeros((40, 60, 4), np.uint8), "CMYK").save(root / "masks/a.tif")
    files = {"image": ["images/{case}.png"], "mask": ["masks/{case}.tif"], "other": []}
    (fault,) = faults_of(tmp_path, label_map_card(files=files))
    assert (fault.kind, fault.file) == ("unreadable_mask", "masks/a.tif") and "mode CMYK" in fault.cause


def test_the_values_of_a_map_are_found_however_they_lie() -> None:
    values = np.random.default_rng(0).integers(0, 50, (30, 40)).astype(np.uint8)
    assert distinct(values) == np.unique(values).tolist()
    assert distinct(np.zeros((2, 2), np.uint8)) == [0]


def test_two_label_maps_for_one_picture_are_a_fault(tmp_path: Path) -> None:
    root = tmp_path / "root"
    save(root / "images/a.png", grey())
    for ending in ("png", "bmp"):
        save(root / f"masks/a.{ending}", block((0, 0, 9, 9), value=1))
    files = {"image": ["images/{case}.png"], "mask": ["masks/{case}.png", "masks/{case}.bmp"], "other": []}
    (fault,) = faults_of(tmp_path, label_map_card(files=files))
    assert fault.kind == "several_masks" and "2 label maps" in fault.cause
