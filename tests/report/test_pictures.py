from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from stages.core.stage import StageError
from stages.report.pictures import read_pictures, small_picture


def png(array: np.ndarray) -> bytes:
    target = io.BytesIO()
    Image.fromarray(array).save(target, "png")
    return target.getvalue()


def opened(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1])))


@pytest.mark.parametrize("shape", [(700, 500), (500, 700, 3)])
def test_large_pictures_shrink_and_keep_their_own_size_for_boxes(shape: tuple[int, ...]) -> None:
    picture = small_picture(png(np.full(shape, 90, np.uint8)), 100, "s")
    assert (picture.width, picture.height) == (shape[1], shape[0])
    assert max(opened(picture.uri).size) == 100


def test_small_pictures_are_not_blown_up() -> None:
    assert opened(small_picture(png(np.zeros((20, 30), np.uint8)), 100, "s").uri).size == (30, 20)


def test_an_unknown_sample_is_an_error(run_copy) -> None:
    with pytest.raises(StageError, match="nowhere/1/0"):
        read_pictures(["ct_tiny"], ["ct_tiny/c01/0", "nowhere/1/0"], 64)
