"""Folders with a dataset.json: Decathlon, nnU-Net 1 and 2."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stages.core.params import ParamError
from stages.core.records import Sample
from tests.ingest.sources import ingest_folder, volume_card
from tests.nifti import write_nifti

AFFINE = np.diag([1.0, 1.0, 3.0, 1.0])
V1 = {
    "name": "Liver",
    "modality": {"0": "CT"},
    "labels": {"0": "background", "1": "liver", "2": "cancer"},
    "numTraining": 2,
    "training": [{"image": f"./imagesTr/liver_{n}.nii.gz", "label": f"./labelsTr/liver_{n}.nii.gz"} for n in range(2)],
    "test": ["./imagesTs/liver_9.nii.gz"],
}
V2 = {"channel_names": {"0": "T1", "1": "FLAIR"}, "labels": {"background": 0, "liver": 1, "cancer": 2}, "numTraining": 2, "file_ending": ".nii.gz"}
LABELS = {"liver": {"sources": ["liver", "cancer"], "semantic": True}, "liver lesion": {"sources": ["cancer"], "semantic": True}}


def volume(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(60, 20, (24, 20, 8)).astype(np.int16)


def labels() -> np.ndarray:
    marked = np.zeros((24, 20, 8), np.uint8)
    marked[4:16, 4:14, 2:6] = 1
    marked[6:11, 6:11, 3:5] = 2
    return marked


def write_v1(root: Path, content: dict | None = None, channels: int = 0) -> None:
    for n in range(2):
        image = volume(n) if not channels else np.stack([volume(n + 10 * c) for c in range(channels)], axis=-1)
        write_nifti(root / f"imagesTr/liver_{n}.nii.gz", image, AFFINE)
        write_nifti(root / f"labelsTr/liver_{n}.nii.gz", labels(), AFFINE)
    write_nifti(root / "imagesTs/liver_9.nii.gz", volume(9), AFFINE)
    (root / "dataset.json").write_text(json.dumps(V1 if content is None else content))


def write_v2(root: Path, content: dict | None = None, channels: int = 2) -> None:
    for n in range(2):
        for c in range(channels):
            write_nifti(root / f"imagesTr/case_{n}_{c:04d}.nii.gz", volume(n + 10 * c), AFFINE)
        write_nifti(root / f"labelsTr/case_{n}.nii.gz", labels(), AFFINE)
    (root / "dataset.json").write_text(json.dumps(V2 if content is None else content))


def card(**changes: Any) -> dict[str, Any]:
    files = {"image": [], "mask": [], "other": []}
    return volume_card(**({"reader": "nnunet", "files": files, "labels": LABELS} | changes))


def samples_of(folder: Path, content: dict) -> list[Sample]:
    found, results = ingest_folder(folder, content, max_slices_per_volume=1)
    assert found.errors + [error for result in results for error in (*result.lost, *result.partial)] == []
    assert found.unmatched == []
    return [sample for result in results for sample in result.samples]


def test_a_decathlon_folder_is_read_by_its_list(tmp_path: Path) -> None:
    write_v1(tmp_path / "root")
    samples = samples_of(tmp_path, card())
    assert [sample.case_id for sample in samples] == ["liver_0", "liver_1"]
    assert [[(item.label, item.label_source) for item in sample.objects] for sample in samples] == [[("liver", "1+2"), ("liver lesion", "2")]] * 2


def test_values_serve_as_sources_as_well_as_names(tmp_path: Path) -> None:
    write_v1(tmp_path / "root")
    by_value = {"liver": {"sources": [1, 2], "semantic": True}, "liver lesion": {"sources": [2], "semantic": True}}
    assert samples_of(tmp_path, card(labels=by_value)) == samples_of(tmp_path, card())


def test_the_json_file_may_lie_one_folder_below_and_a_pattern_names_the_case(tmp_path: Path) -> None:
    write_v1(tmp_path / "root/Task03_Liver")
    files = {"image": ["Task03_Liver/imagesTr/liver_{case}.nii.gz"], "mask": [], "other": []}
    assert [sample.case_id for sample in samples_of(tmp_path, card(files=files))] == ["0", "1"]


def test_four_dimensional_images_give_the_channel_of_the_card(tmp_path: Path) -> None:
    write_v1(tmp_path / "root", V1 | {"modality": {"0": "T2", "1": "ADC"}}, channels=2)
    first, second = (samples_of(tmp_path, card(channel=channel)) for channel in (0, 1))
    assert first[0].image != second[0].image
    write_v1(tmp_path / "plain/root")
    assert first[0].image == samples_of(tmp_path / "plain", card())[0].image
    _, results = ingest_folder(tmp_path, card())
    assert {error.kind for result in results for error in result.lost} == {"not_3d"}


def test_images_of_a_version_1_folder_may_be_kept_as_files_per_channel(tmp_path: Path) -> None:
    write_v1(tmp_path / "root")
    for n in range(2):
        (tmp_path / f"root/imagesTr/liver_{n}.nii.gz").rename(tmp_path / f"root/imagesTr/liver_{n}_0000.nii.gz")
    assert len(samples_of(tmp_path, card())) == 2


def test_channels_in_files_are_views_of_one_case(tmp_path: Path) -> None:
    write_v2(tmp_path / "root")
    samples = samples_of(tmp_path, card())
    assert [sample.sample_id.rpartition("-axial")[0] for sample in samples] == [f"tiny/case_{n}/{view}" for n in range(2) for view in ("flair", "t1")]
    assert len({sample.patient_id for sample in samples}) == 2
    (first, second) = samples_of(tmp_path, card(channel=1))
    assert first.image == samples[0].image


def test_a_region_of_several_values_is_their_union(tmp_path: Path) -> None:
    write_v2(tmp_path / "root", V2 | {"labels": {"background": 0, "whole": [1, 2], "cancer": 2}})
    regions = {"liver": {"sources": ["whole"], "semantic": True}, "liver lesion": {"sources": ["cancer"], "semantic": True}}
    sample = samples_of(tmp_path, card(labels=regions, channel=0))[0]
    assert [(item.label, item.label_source) for item in sample.objects] == [("liver", "1+2"), ("liver lesion", "2")]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"labels": LABELS | {"spleen": {"sources": ["splen"], "semantic": True}}}, "'splen' is no label of dataset.json; nearest: "),
        ({"labels": {"liver": {"sources": ["liver"], "semantic": True}}, "annotated_labels": []}, "has the labels cancer, which the card does not name"),
    ],
)
def test_names_that_differ_between_card_and_json_are_an_error(tmp_path: Path, changes: dict, words: str) -> None:
    write_v1(tmp_path / "root")
    with pytest.raises(ParamError, match=words):
        samples_of(tmp_path, card(**changes))


def test_ignored_names_are_left_out(tmp_path: Path) -> None:
    write_v1(tmp_path / "root")
    only = {"liver": {"sources": ["liver"], "semantic": True}}
    (first, _) = samples_of(tmp_path, card(labels=only, ignored_sources=["cancer"], annotated_labels=["liver"]))
    assert [item.label for item in first.objects] == ["liver"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({key: value for key, value in V1.items() if key != "labels"}, "has no `labels`"),
        (V1 | {"labels": {}}, "`labels` must look like"),
        (V1 | {"labels": {"liver": "one"}}, "'liver' has the value 'one': whole numbers"),
        ({key: value for key, value in V1.items() if key != "modality"}, "has no `channel_names`"),
        (V1 | {"training": [{"image": "a.nii.gz"}]}, "an entry of `training` has no `image` and `label`"),
        (V1 | {"training": []}, "`training` must look like"),
        ({key: value for key, value in V1.items() if key != "training"}, "has no `file_ending`"),
        ({"file_ending": ".nii.gz"} | {key: value for key, value in V1.items() if key not in ("training", "numTraining")}, "has no `numTraining`"),
        (["a list"], "has no `labels`"),
    ],
)
def test_a_json_file_that_lacks_something_says_what(tmp_path: Path, content: Any, words: str) -> None:
    write_v1(tmp_path / "root", content)
    with pytest.raises(ParamError, match=words):
        samples_of(tmp_path, card())


def test_a_missing_or_broken_json_file_is_an_error(tmp_path: Path) -> None:
    write_v1(tmp_path / "root")
    (tmp_path / "root/dataset.json").write_text("{")
    with pytest.raises(ParamError, match="is no valid JSON"):
        samples_of(tmp_path, card())
    (tmp_path / "root/dataset.json").unlink()
    with pytest.raises(ParamError, match="needs one dataset.json.*none is there"):
        samples_of(tmp_path, card())


def test_a_count_that_differs_from_the_labels_is_an_error(tmp_path: Path) -> None:
    write_v2(tmp_path / "root", V2 | {"numTraining": 3})
    with pytest.raises(ParamError, match="`numTraining` is 3, but labelsTr holds 2"):
        samples_of(tmp_path, card())


@pytest.mark.parametrize(("image", "kind"), [("imagesTr/gone.nii.gz", "missing_file"), ("../liver_0.nii.gz", "unsafe_path"), ("/etc/hostname", "unsafe_path")])
def test_a_listed_file_that_is_missing_or_elsewhere_costs_its_case(tmp_path: Path, image: str, kind: str) -> None:
    entries = [{"image": image, "label": "labelsTr/liver_0.nii.gz"}, V1["training"][1]]
    write_v1(tmp_path / "root", V1 | {"training": entries})
    found, results = ingest_folder(tmp_path, card(), max_slices_per_volume=1)
    assert [error.kind for error in found.errors] == [kind]
    assert sum(len(result.samples) for result in results) == 1


def test_other_files_are_counted_as_unexplained(tmp_path: Path) -> None:
    write_v1(tmp_path / "root")
    (tmp_path / "root/imagesTr/._liver_0.nii.gz").write_bytes(b"?")
    found, _ = ingest_folder(tmp_path, card())
    assert found.unmatched == ["imagesTr/._liver_0.nii.gz"]
