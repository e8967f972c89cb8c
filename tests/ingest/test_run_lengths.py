"""Run lengths: the code of a crop is the code of the whole mask."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stages.core.geometry import encode_mask
from stages.ingest.run_lengths import encode_crop, encode_whole

masks = arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.booleans())


@given(masks)
def test_the_code_of_a_mask_is_that_of_pycocotools(mask: np.ndarray) -> None:
    assert encode_whole(mask) == encode_mask(mask)


@given(masks, st.integers(0, 3), st.integers(0, 3), st.integers(0, 2), st.integers(0, 2))
def test_the_code_of_a_crop_is_that_of_the_whole_mask(crop: np.ndarray, top: int, left: int, below: int, right: int) -> None:
    whole = np.pad(crop, ((top, below), (left, right)))
    assert encode_crop(crop, (top, left), whole.shape) == encode_mask(whole)
