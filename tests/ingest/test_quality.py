"""Quality: what is dropped with a count, what is flagged, and what stands twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stages.core.params import ParamError
from stages.core.records import Sample
from stages.ingest.objects import ObjectMask
from stages.ingest.quality import ALWAYS_SHOWN, FLAGS, frame_flags, odd_ones
from stages.ingest.run import check_limits, figures
from tests.ingest.sources import block, card_content, grey, ingest_folder, label_map_card, limits, save, write_case


def flags_of(folder: Path, content: dict[str, Any], **changes: Any) -> tuple[dict[str, int], list[Sample]]:
    """Figures' flags and the samples of a folder."""
    found, results = ingest_folder(folder, content, **changes)
    samples = [sample for result in results for sample in result.samples]
    return figures(samples, [], found, results, limits(**changes).near_duplicate_bits)["flags"], samples


def scene(seed: int, colour: bool = False) -> np.ndarray:
    from PIL import Image

    pixels = np.asarray(Image.fromarray(grey(5, 7, seed)).resize((96, 80), Image.Resampling.BICUBIC))
    return np.stack([pixels, pixels[::-1], pixels], axis=-1) if colour else pixels


def write_scene(root: Path, case: str, pixels: np.ndarray) -> None:
    save(root / f"images/{case}.png", pixels)
    save(root / f"masks/{case}_heart.png", block((20, 20, 60, 60), *pixels.shape[:2]))


def test_masks_below_the_coverage_of_their_kind_are_dropped_with_a_count_and_their_label_proves_no_absence(tmp_path: Path) -> None:
    write_case(tmp_path / "root")  # heart (organ) 400 of 2400 pixels, opacities (finding) 80 and 100
    flags, (sample,) = flags_of(tmp_path, card_content(), min_coverage={"finding": 0.04})
    assert flags["low_coverage_dropped_finding"] == 1
    assert [item.label for item in sample.objects] == ["heart", "lung opacity"]
    assert sample.annotated_labels == ["heart"]
    flags, (sample,) = flags_of(tmp_path, card_content(), min_coverage={"organ": 0.04, "lesion": 0.9})
    assert not any(name.startswith("low_coverage") for name in flags)
    assert len(sample.objects) == 3


def test_a_picture_that_loses_all_its_objects_to_the_coverage_is_left_out_and_counted_but_is_no_fault(tmp_path: Path) -> None:
    write_case(tmp_path / "root")
    found, (result,) = ingest_folder(tmp_path, card_content(), min_coverage={"organ": 0.5, "finding": 0.5})
    assert (result.samples, result.lost, found.errors) == ([], [], [])
    assert result.flags == {"low_coverage_dropped_organ": 1, "low_coverage_dropped_finding": 2, "nothing_left_dropped": 1}


def test_a_coverage_for_an_unknown_kind_names_the_kinds(tmp_path: Path) -> None:
    with pytest.raises(ParamError, match=r"min_coverage\.tumour must be a kind of labels\.yaml \(.*lesion"):
        check_limits(limits(min_coverage={"tumour": 0.1}))
    with pytest.raises(ParamError, match=r"min_coverage\.lesion must be a share"):
        check_limits(limits(min_coverage={"lesion": 1.5}))


@pytest.mark.parametrize(
    ("box", "touches"),
    [((0, 5, 9, 9), True), ((5, 0, 9, 9), True), ((50, 5, 60, 9), True), ((5, 30, 9, 40), True), ((1, 1, 59, 39), False)],
)
def test_a_mask_that_reaches_the_frame_is_flagged_whole_or_cropped(box: tuple[int, int, int, int], touches: bool) -> None:
    mask = block(box).astype(bool)
    x0, y0, x1, y1 = box
    cropped = ObjectMask("heart", "heart", False, mask[y0:y1, x0:x1], corner=(y0, x0))
    assert frame_flags([ObjectMask("heart", "heart", False, mask)], (40, 60)) == frame_flags([cropped], (40, 60))
    assert bool(frame_flags([cropped], (40, 60))) is touches


def test_a_colour_picture_among_grey_ones_is_odd_and_the_other_way_round(tmp_path: Path) -> None:
    for number in range(19):
        write_scene(tmp_path / "root", f"g{number:02d}", scene(number))
    write_scene(tmp_path / "root", "odd", scene(99, colour=True))
    flags, samples = flags_of(tmp_path, card_content())
    assert flags["odd_colour"] == 1
    assert odd_ones(samples) == ["tiny/odd/frontal"]
    assert odd_ones([*samples[-1:] * 19, samples[0]]) == [samples[0].sample_id]


def test_sets_where_both_are_common_have_no_odd_ones(tmp_path: Path) -> None:
    for number in range(4):
        write_scene(tmp_path / "root", f"c{number}", scene(number, colour=number % 2 == 0))
    flags, _ = flags_of(tmp_path, card_content())
    assert "odd_colour" not in flags


def test_copies_and_near_copies_of_other_cases_are_counted_apart(tmp_path: Path) -> None:
    write_scene(tmp_path / "root", "a", scene(1))
    write_scene(tmp_path / "root", "b", scene(1))
    write_scene(tmp_path / "root", "c", (255 * (scene(1) / 255.0) ** 1.2).astype(np.uint8))
    write_scene(tmp_path / "root", "d", scene(2))
    flags, _ = flags_of(tmp_path, card_content(), near_duplicate_bits=8)
    assert (flags["duplicate_images"], flags["near_duplicate_images"]) == (1, 1)


def test_equal_pixels_are_copies_whatever_their_compression(tmp_path: Path) -> None:
    for case, level in (("a", 1), ("b", 9)):
        write_scene(tmp_path / "root", case, scene(1))
        save(next((tmp_path / "root").rglob(f"{case}.png")), scene(1), compress_level=level)
    flags, samples = flags_of(tmp_path, card_content(), near_duplicate_bits=4)
    assert samples[0].image != samples[1].image
    assert (flags["duplicate_images"], flags["near_duplicate_images"]) == (1, 0)


def test_views_of_one_case_are_no_near_duplicates(tmp_path: Path) -> None:
    for view in ("one", "two"):
        save(tmp_path / f"root/{view}/a.png", scene(1))
        save(tmp_path / f"root/{view}/a_heart.png", block((20, 20, 60, 60), 80, 96))
    files = {"image": ["{view}/{case:[a-z]}.png"], "mask": ["{view}/{case:[a-z]}_{label}.png"], "other": []}
    flags, samples = flags_of(tmp_path, card_content(files=files), near_duplicate_bits=8)
    assert len(samples) == 2 and flags["near_duplicate_images"] == 0


def test_jpeg_fringes_and_overlapping_instances_are_flagged(tmp_path: Path) -> None:
    write_case(tmp_path / "root")
    save(tmp_path / "root/masks/a_opacity2.png", block((4, 8, 14, 30)))
    soft = block((30, 10, 50, 30))
    soft[9, 30:50] = 90
    save(tmp_path / "root/masks/a_heart.png", soft)
    flags, _ = flags_of(tmp_path, card_content(mask_threshold=127))
    assert (flags["overlapping_instances"], flags["mask_fringe"]) == (1, 1)


@pytest.mark.parametrize("policy", ["fault", "drop", "keep"])
@pytest.mark.parametrize("reader", ["picture_mask_files", "picture_label_map"])
def test_a_picture_whose_mask_is_empty_is_a_fault_or_left_out_or_an_example_of_absence(tmp_path: Path, policy: str, reader: str) -> None:
    save(tmp_path / "root/images/a.png", grey())
    maps = reader == "picture_label_map"
    save(tmp_path / ("root/masks/a.png" if maps else "root/masks/a_heart.png"), block((0, 0, 0, 0)))
    content = (label_map_card if maps else card_content)(empty_images=policy)
    _, (result,) = ingest_folder(tmp_path, content)
    if policy == "fault":
        assert [error.kind for error in result.lost] == ["empty_mask" if maps else "no_object"]
    else:
        assert result.lost == result.partial == []
        assert result.flags[f"empty_images_{'kept' if policy == 'keep' else 'dropped'}"] == 1
    for sample in result.samples:
        assert (policy, sample.objects, sample.annotated_labels) == ("keep", [], sorted(content["annotated_labels"]))
    assert len(result.samples) == (policy == "keep")


@pytest.mark.parametrize("policy", ["fault", "drop", "keep"])
@pytest.mark.parametrize("reader", ["picture_mask_files", "picture_label_map"])
def test_a_picture_without_a_mask_file_is_what_the_card_says(tmp_path: Path, policy: str, reader: str) -> None:
    save(tmp_path / "root/images/bare.png", grey())
    content = (label_map_card if reader == "picture_label_map" else card_content)(unmasked_images=policy)
    found, results = ingest_folder(tmp_path, content)
    assert [error.kind for error in found.errors] == (["image_without_mask"] if policy == "fault" else [])
    assert [len(result.samples) for result in results] == {"fault": [], "drop": [0], "keep": [1]}[policy]
    assert all(not sample.objects for result in results for sample in result.samples)


def test_a_small_object_alone_stays_a_fault_even_where_empty_pictures_are_kept(tmp_path: Path) -> None:
    save(tmp_path / "root/images/a.png", grey())
    save(tmp_path / "root/masks/a_heart.png", block((5, 5, 7, 7)))
    _, (result,) = ingest_folder(tmp_path, card_content(empty_images="keep"))
    assert [error.kind for error in result.lost] == ["no_object"]


def test_the_split_of_the_source_comes_from_the_path_and_an_unknown_one_is_a_fault(tmp_path: Path) -> None:
    for split in ("training", "testing", "hidden"):
        save(tmp_path / f"root/{split}/{split}.png", grey())
        save(tmp_path / f"root/{split}/{split}_heart.png", block((5, 5, 20, 20)))
    files = {"image": ["{split}/{case:[a-z]+}.png"], "mask": ["{split}/{case:[a-z]+}_{label}.png"], "other": []}
    content = card_content(files=files, official_split={"train": ["training"], "test": ["testing"]})
    found, results = ingest_folder(tmp_path, content)
    assert [error.kind for error in found.errors] == ["unknown_split"]
    samples = [sample for result in results for sample in result.samples]
    assert {sample.case_id: sample.source_split for sample in samples} == {"training": "train", "testing": "test"}
    assert figures(samples, [], found, results, 2)["source_split"] == {"test": 1, "train": 1}


def test_the_split_of_the_source_comes_from_the_table_where_the_card_names_its_column(tmp_path: Path) -> None:
    write_case(tmp_path / "root")
    (tmp_path / "root/table.csv").write_text("file,who,set\na.png,p1,val\n")
    table = {"table": "table.csv", "image": "file", "patient": "who", "licence": None, "split": "set"}
    _, (result,) = ingest_folder(tmp_path, card_content(image_table=table, official_split={"val": ["val"], "test": ["test"]}))
    assert [sample.source_split for sample in result.samples] == ["val"]


def test_every_flag_is_explained() -> None:
    assert set(ALWAYS_SHOWN) <= set(FLAGS)
    assert all(len(text) > 10 for text in FLAGS.values())
