"""A volume's values become 8 bit by the card's rule."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.core.params import ParamError
from stages.ingest.intensity import grey_rule, percentiles
from tests.ingest.sources import make_card, volume_card

TYPES = st.sampled_from(["u1", "i1", "u2", "i2", "f2", "f4", "i4", "f8"])


@given(TYPES, st.integers(1, 400), st.floats(0, 100), st.floats(0, 100), st.integers(0, 99))
def test_percentiles_are_those_of_numpy(kind: str, count: int, low: float, high: float, seed: int) -> None:
    draw = np.random.default_rng(seed)
    values = np.where(draw.random(count) < 0.4, 0, draw.normal(0, 50, count)).astype(kind)
    assert percentiles(values, [low, high]) == pytest.approx(np.percentile(values.astype(float), [low, high]).tolist(), rel=1e-3, abs=1e-3)


@pytest.mark.parametrize("kind", ["i2", "f4"])
def test_percentiles_of_a_turned_and_mirrored_volume_are_those_of_the_volume(kind: str) -> None:
    volume = np.random.default_rng(0).normal(0, 900, (9, 11, 13)).astype(kind)
    expected = percentiles(volume, [0.5, 99.5])
    assert percentiles(volume[::-1].transpose(2, 0, 1)[:, :, ::-1], [0.5, 99.5]) == expected
    assert expected == pytest.approx(np.percentile(volume, [0.5, 99.5]).tolist())


def test_percentiles_of_more_values_than_one_block_are_exact() -> None:
    values = np.zeros(1_500_000, np.float32)
    values[:20_000] = np.linspace(-7, 9, 20_000)
    assert percentiles(values, [0.1, 50, 99.9]) == pytest.approx(np.percentile(values, [0.1, 50, 99.9]).tolist(), abs=1e-6)


def test_a_window_by_name_is_applied_and_recorded_with_its_numbers(tmp_path: Path) -> None:
    card = make_card(tmp_path, volume_card(intensity={"kind": "window", "preset": "lung"}))
    grey = grey_rule(np.zeros((2, 2, 2), np.int16), card, "v.nii")
    assert grey.of(np.array([[-1350.0, -600.0, 150.0]])).tolist() == [[0, 128, 255]]
    assert grey.transform == {"kind": "window", "level": -600.0, "width": 1500.0, "preset": "lung"}


def test_an_unknown_window_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ParamError, match="'abdomn'; nearest: abdomen"):
        make_card(tmp_path, volume_card(intensity={"kind": "window", "preset": "abdomn"}))


def test_stored_values_need_8_bits(tmp_path: Path) -> None:
    card = make_card(tmp_path, volume_card(intensity={"kind": "stored"}))
    assert grey_rule(np.zeros((2, 2), np.uint8), card, "v.mha").of(np.full((2, 2), 7, np.uint8)).tolist() == [[7, 7], [7, 7]]
    with pytest.raises(ParamError, match="v.mha holds int16: use window or percentiles"):
        grey_rule(np.zeros((2, 2), np.int16), card, "v.mha")
