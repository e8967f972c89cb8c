"""Annotations of a volume, slice by slice, against the same masks as whole volumes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stages.core.volume import PLANE_AXIS, plane_slice
from stages.ingest.faults import Fault
from stages.ingest.volume_labels import CodeVolume, MaskVolumes, bounding_box, count_codes, whole_numbers
from tests.ingest.sources import make_card, volume_card

PLANES = sorted(PLANE_AXIS)
volumes = hnp.arrays(np.uint8, hnp.array_shapes(min_dims=3, max_dims=3, max_side=7), elements=st.sampled_from([0, 0, 0, 1, 2]))


@given(volumes, st.sampled_from([0, 1, 2]), st.sampled_from([1, -1, 300, 70000]))
def test_values_are_counted_as_numpy_counts_them(codes: np.ndarray, axis: int, factor: int) -> None:
    codes = codes.astype(np.int32) * factor
    values, counts = count_codes(codes, axis)
    assert values.tolist() == np.unique(codes).tolist()
    others = tuple(other for other in range(3) if other != axis)
    assert np.array_equal(counts, np.stack([(codes == value).sum(axis=others) for value in values]))


@given(volumes)
def test_a_bounding_box_is_the_tightest(codes: np.ndarray) -> None:
    box, where = bounding_box(codes.transpose(2, 0, 1)[::-1]), np.argwhere(codes.transpose(2, 0, 1)[::-1])
    assert (box is None) == (not where.size)
    if box is not None:
        assert [(part.start, part.stop) for part in box] == list(zip(where.min(axis=0), where.max(axis=0) + 1, strict=True))


@pytest.mark.parametrize("plane", PLANES)
def test_label_map_and_mask_files_of_one_patient_agree_in_every_plane(tmp_path: Path, plane: str) -> None:
    codes = np.random.default_rng(3).choice([0, 0, 0, 1, 2], (6, 7, 8)).astype(np.uint8)
    card = make_card(tmp_path, volume_card())
    as_codes = CodeVolume(codes, plane, card, "m.nii")
    as_masks = MaskVolumes(plane, card, codes.shape[PLANE_AXIS[plane]])
    for value in (1, 2):
        as_masks.add(str(value), codes == value, "m.nii")
    for index in range(codes.shape[PLANE_AXIS[plane]]):
        expected = {"liver": plane_slice(codes > 0, plane, index), "liver lesion": plane_slice(codes == 2, plane, index)}
        for annotation in (as_codes, as_masks):
            found = {item.label: item.whole(expected["liver"].shape) for item in annotation.objects(index)}
            assert found.keys() == {name for name, mask in expected.items() if mask.any()}
            assert all(np.array_equal(found[name], expected[name]) for name in found)
    assert sorted(as_codes.areas().sum(axis=1).tolist()) == sorted([(codes > 0).sum(), (codes == 2).sum()])


def test_labels_stored_as_floats_are_whole_numbers_or_a_fault() -> None:
    assert whole_numbers(np.array([0.0, 3.0]), "m.nii").tolist() == [0, 3]
    with pytest.raises(Fault, match="fractions"):
        whole_numbers(np.array([0.0, 0.5]), "m.nii")


def test_mask_files_cost_bits_of_their_bounding_box(tmp_path: Path) -> None:
    masks = MaskVolumes("axial", make_card(tmp_path, volume_card()), 64)
    mask = np.zeros((64, 64, 64), bool)
    mask[10:20, 10:26, 10:42] = True
    masks.add("1", mask, "m.nii")
    ((_, _, packed, shape, corner),) = masks._parts
    assert (shape, corner) == ((10, 16, 32), (10, 10, 10))
    assert packed.nbytes == 10 * 16 * 32 // 8
