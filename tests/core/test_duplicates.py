"""Near duplicates are found and confirmed; pictures that only collide in the hash are not joined."""

from __future__ import annotations

import cv2
import numpy as np

from stages.core.duplicates import find_duplicates, fingerprint
from tests.split.tables import picture, png


def _found(pictures: list[np.ndarray], owners: list[str] | None = None, distance: int = 2):
    prints = [fingerprint((str(n), png(pixels))) for n, pixels in enumerate(pictures)]
    return find_duplicates(prints, owners or [str(n) for n in range(len(pictures))], distance)


def test_equal_pixels_are_equal_whatever_the_compression() -> None:
    pixels = picture(3)
    assert fingerprint(("a", png(pixels, 1))).exact == fingerprint(("b", png(pixels, 9))).exact


def test_pictures_of_equal_bytes_but_another_shape_are_not_equal() -> None:
    flat = np.arange(64, dtype=np.uint8)
    assert fingerprint(("a", png(flat.reshape(4, 16)))).exact != fingerprint(("b", png(flat.reshape(16, 4)))).exact


def test_a_copy_with_slight_noise_or_another_size_is_a_near_duplicate() -> None:
    pixels = picture(5, side=256)
    noisy = np.clip(pixels + np.random.default_rng(0).normal(0, 2, pixels.shape), 0, 255).astype(np.uint8)
    smaller = cv2.resize(pixels, (200, 200), interpolation=cv2.INTER_AREA)
    found = _found([pixels, noisy, smaller, picture(6, side=256)], distance=4)
    assert found.exact == []
    assert {(0, 1), (0, 2)} <= set(found.perceptual)
    assert all(3 not in pair for pair in found.perceptual)


def test_a_regraded_copy_is_a_near_duplicate() -> None:
    pixels = picture(5, side=256)
    darker = (255 * (pixels / 255.0) ** 1.3).astype(np.uint8)
    assert _found([pixels, darker, 255 - pixels], distance=8).perceptual == [(0, 1)]


def test_a_recompressed_copy_of_a_dark_picture_is_a_near_duplicate() -> None:
    rng = np.random.default_rng(0)
    field = rng.poisson(3, (256, 256)).astype(np.float64)
    for x, y in rng.integers(20, 236, (12, 2)).tolist():
        cv2.circle(field, (x, y), 9, 160, -1)
    pixels = field.clip(0, 255).astype(np.uint8)
    copy = cv2.imdecode(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 40])[1], cv2.IMREAD_GRAYSCALE)
    assert _found([pixels, copy, picture(6, side=256)], distance=4).perceptual == [(0, 1)]


def test_the_views_of_one_patient_are_no_leak() -> None:
    pixels = picture(7)
    found = _found([pixels, pixels, picture(8)], owners=["p", "p", "q"])
    assert found.exact == found.perceptual == []


def test_pictures_of_one_structure_with_other_details_collide_in_the_hash_and_are_kept_apart() -> None:
    body = cv2.GaussianBlur(cv2.circle(np.zeros((256, 256), np.uint8), (128, 128), 100, 120, -1), (0, 0), 3)
    first, second = body.copy(), body.copy()
    cv2.circle(first, (90, 110), 16, 190, -1)
    cv2.circle(second, (160, 150), 16, 190, -1)
    found = _found([first, second], distance=64)
    assert found.perceptual == []
    assert found.collisions == [(0, 1)]


def test_empty_pictures_of_one_grey_are_duplicates_only_when_equal() -> None:
    blank, grey = np.zeros((64, 64), np.uint8), np.full((64, 64), 9, np.uint8)
    found = _found([blank, blank, grey], distance=64)
    assert found.exact == [(0, 1)]
    assert found.perceptual == [(0, 1)]


def test_pairs_are_found_across_blocks(monkeypatch) -> None:
    pictures = [picture(n) for n in range(7)] + [picture(0)]
    whole = _found(pictures)
    monkeypatch.setattr("stages.core.duplicates._BLOCK", 3)
    assert _found(pictures) == whole
    assert whole.exact == [(0, 7)]


def test_colour_pictures_have_a_fingerprint_too() -> None:
    pixels = np.dstack([picture(1), picture(2), picture(3)])
    found = _found([pixels, pixels.copy(), pixels[..., ::-1].copy()])
    assert found.exact == [(0, 1)]
