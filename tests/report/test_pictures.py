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
    picture = small_picture(png(np.full(shape, 90, np.uint8)), 100, "s", 10**6)
    assert (picture.width, picture.height) == (shape[1], shape[0])
    assert max(opened(picture.uri).size) == 100


def test_small_pictures_are_not_blown_up() -> None:
    assert opened(small_picture(png(np.zeros((20, 30), np.uint8)), 100, "s", 10**6).uri).size == (30, 20)


def test_an_unknown_sample_is_an_error(run_copy) -> None:
    with pytest.raises(StageError, match="nowhere/1/0"):
        read_pictures(["ct_tiny"], ["ct_tiny/c01/0", "nowhere/1/0"], 64, {}, 10**6)


def test_a_picture_beyond_its_share_loses_quality_and_not_size() -> None:
    noise = png(np.random.default_rng(0).integers(0, 255, (200, 300), dtype=np.uint8))
    fine, coarse = small_picture(noise, 300, "s", 10**6), small_picture(noise, 300, "s", 40_000)
    assert len(coarse.uri) < 0.7 * len(fine.uri)
    assert opened(coarse.uri).size == opened(fine.uri).size == (300, 200)


def test_a_patch_is_laid_over_the_picture() -> None:
    patch = {"x_px": 10, "y_px": 4, "png": png(np.full((8, 8), 255, np.uint8))}
    grey = np.asarray(opened(small_picture(png(np.zeros((30, 40), np.uint8)), 100, "s", 10**6, patch).uri))
    assert grey[6:10, 12:16].min() > 240 and grey[16:, :].max() < 15


def test_a_picture_that_no_quality_fits_shrinks() -> None:
    noise = png(np.random.default_rng(0).integers(0, 255, (200, 300), dtype=np.uint8))
    tiny = small_picture(noise, 300, "s", 6_000)
    assert len(tiny.uri) <= 6_000 and (tiny.width, tiny.height) == (300, 200)
