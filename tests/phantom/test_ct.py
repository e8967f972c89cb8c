"""CT phantoms: what lies where in the body, in which units, however the file stores its axes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from stages.phantom.ct import LEAST_SIDE, VALUES, Study, build_study
from stages.phantom.write import case_of, write_ct
from tests.phantom.nifti_header import read_ijk, to_ras

AXIS_SIGNS = {"RAS": [1, 1, 1], "LPS": [-1, -1, 1]}


@pytest.fixture(scope="module")
def studies() -> list[Study]:
    return [build_study(np.random.default_rng(seed), np.random.default_rng(seed + 100)) for seed in range(4)]


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """One study per orientation as (image, labels, affine) of the file's own axes."""
    root = tmp_path_factory.mktemp("ct")
    files = {}
    for number, orientation in enumerate(("RAS", "LPS")):
        case = case_of(number, "ct_phantom", 4, seed=3)
        write_ct(root, case)
        (image, affine), (labels, _) = (read_ijk(root / folder / f"ct_{case.name}.nii.gz") for folder in ("imagesTr", "labelsTr"))
        files[orientation] = (image, labels, affine)
    return files


@pytest.mark.parametrize("orientation", ["RAS", "LPS"])
def test_the_affine_states_the_orientation(stored: dict, orientation: str) -> None:
    image, labels, affine = stored[orientation]
    assert image.dtype == np.int16 and labels.dtype == np.uint8 and image.shape == labels.shape
    assert np.sign(np.diag(affine)[:3]).tolist() == AXIS_SIGNS[orientation]
    assert np.count_nonzero(affine[:3, :3]) == 3


@pytest.mark.parametrize("orientation", ["RAS", "LPS"])
def test_liver_lies_right_spleen_left_and_spine_at_the_back_in_world_space(stored: dict, orientation: str) -> None:
    _, labels, affine = stored[orientation]
    centres = {name: (affine @ np.append(np.argwhere(labels == value).mean(axis=0), 1))[:3] for name, value in VALUES.items()}
    middle = centres["vertebra"]
    assert centres["liver"][0] > middle[0] > centres["spleen"][0]
    assert centres["right_kidney"][0] > middle[0] > centres["left_kidney"][0]
    assert centres["stomach"][0] < middle[0]
    assert all(centres[name][1] > middle[1] for name in VALUES if name != "vertebra")
    assert centres["aorta"][1] - middle[1] > 0


@pytest.mark.parametrize("orientation", ["RAS", "LPS"])
def test_spacing_is_anisotropic_and_the_voxels_are_those_that_were_drawn(stored: dict, orientation: str) -> None:
    number = ("RAS", "LPS").index(orientation)
    case = case_of(number, "ct_phantom", 4, seed=3)
    study = build_study(np.random.default_rng(case.patient_seed), np.random.default_rng(case.seed))
    image, labels, affine = stored[orientation]
    slice_mm, row_mm, column_mm = study.spacing_mm
    assert np.abs(np.diag(affine)[:3]) == pytest.approx([column_mm, row_mm, slice_mm], abs=1e-4)
    assert slice_mm > 1.5 * row_mm
    in_lps = study.labels.transpose(2, 1, 0)
    assert np.array_equal(to_ras(labels, affine), in_lps[::-1, ::-1])
    assert np.array_equal(to_ras(image, affine), study.hounsfield.transpose(2, 1, 0)[::-1, ::-1])


def test_tissues_have_their_hounsfield_units(studies: list[Study]) -> None:
    ranges = {"liver": (80, 130), "spleen": (85, 140), "left_kidney": (100, 205), "vertebra": (200, 480), "aorta": (130, 225)}
    for study in studies:
        for name, (low, high) in ranges.items():
            assert low < study.hounsfield[study.labels == VALUES[name]].mean() < high, name
        assert study.hounsfield[:, :3, :3].mean() < -950
        assert study.hounsfield[study.labels == VALUES["stomach"]].min() < -800, "no gas in the stomach"


def test_every_region_is_wide_enough_to_point_at_and_organs_are_in_one_piece(studies: list[Study]) -> None:
    for study in studies:
        for plane in study.labels:
            for name, value in VALUES.items():
                count, _, stats, _ = cv2.connectedComponentsWithStats((plane == value).astype(np.uint8), connectivity=8)
                assert name == "lesion" or count <= 2
                for region in stats[1:]:
                    assert region[cv2.CC_STAT_WIDTH] >= LEAST_SIDE * plane.shape[1]
                    assert region[cv2.CC_STAT_HEIGHT] >= LEAST_SIDE * plane.shape[0]


def test_lesions_lie_within_the_liver_and_several_share_a_slice(studies: list[Study]) -> None:
    for study in studies:
        lesion, liver = study.labels == VALUES["lesion"], study.labels == VALUES["liver"]
        ring = cv2.dilate(lesion.any(axis=0).astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
        assert (liver.any(axis=0) | lesion.any(axis=0))[ring].mean() > 0.9
        most = max(cv2.connectedComponents(plane.astype(np.uint8), connectivity=8)[0] - 1 for plane in lesion)
        assert 2 <= most <= 5


def test_visits_of_a_patient_share_the_organs_and_differ_in_the_lesions() -> None:
    first, second = (build_study(np.random.default_rng(1), np.random.default_rng(seed)) for seed in (2, 3))
    assert first.spacing_mm == second.spacing_mm
    organs = [np.isin(study.labels, [VALUES["spleen"], VALUES["vertebra"]]) for study in (first, second)]
    assert np.array_equal(*organs)
    assert not np.array_equal(first.labels == VALUES["lesion"], second.labels == VALUES["lesion"])
