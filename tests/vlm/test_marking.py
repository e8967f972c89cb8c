"""What a model is shown."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from stages.core.geometry import encode_mask
from stages.vlm.marking import YELLOW, plain_and_marked


def _picture(width: int = 120, height: int = 80) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((height, width), 90, np.uint8)).save(buffer, format="PNG")
    return buffer.getvalue()


def _mask() -> np.ndarray:
    mask = np.zeros((80, 120), bool)
    mask[20:40, 60:100] = True
    return mask


def _yellow(png: bytes) -> np.ndarray:
    return (np.asarray(Image.open(io.BytesIO(png))) == YELLOW).all(axis=2)


@pytest.mark.parametrize("mark", ["contour", "box"])
def test_the_mark_surrounds_the_target_and_the_plain_picture_has_none(mark: str) -> None:
    plain, marked = plain_and_marked(_picture(), [encode_mask(_mask())], mark, 512)
    assert marked is not None and not _yellow(plain).any()
    rows, columns = np.nonzero(_yellow(marked))
    assert abs(rows.min() - 20) <= 1 and abs(rows.max() - 39) <= 1 and abs(columns.min() - 60) <= 1 and abs(columns.max() - 99) <= 1
    assert not _yellow(marked)[25:35, 65:95].any()


def test_a_large_picture_is_scaled_and_the_mark_with_it() -> None:
    plain, marked = plain_and_marked(_picture(), [encode_mask(_mask())], "contour", 60)
    assert marked is not None and Image.open(io.BytesIO(plain)).size == (60, 40)
    rows, columns = np.nonzero(_yellow(marked))
    assert abs(rows.mean() - 15) <= 1 and abs(columns.mean() - 40) <= 1


def test_without_a_target_there_is_one_picture() -> None:
    assert plain_and_marked(_picture(), [], "contour", 512)[1] is None
