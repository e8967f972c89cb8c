"""Picture files of every kind, and files that are none."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from stages.core.params import ParamError
from stages.core.records import Sample
from tests.ingest.readers.reading import boxes_of, faults_of, samples_of
from tests.ingest.sources import block, card_content, grey, save

COLOURS = np.random.default_rng(3).integers(0, 256, (40, 60, 3)).astype(np.uint8)
WIDE = np.linspace(1000, 3000, 2400).reshape(40, 60).astype(np.uint16)


def card(ending: str, **changes: Any) -> dict[str, Any]:
    files = {"image": [f"images/{{case}}.{ending}"], "mask": ["masks/{case}_{label}.png"], "other": []}
    return card_content(**({"files": files} | changes))


def mask_beside(root: Path) -> Path:
    """A root with the mask of a picture ``a`` that is still to be written."""
    save(root / "masks/a_heart.png", block((0, 0, 8, 8)))
    (root / "images").mkdir(parents=True, exist_ok=True)
    return root / "images"


def pixels_of(sample: Sample) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(sample.image)))


@pytest.mark.parametrize("ending", ["png", "bmp", "tif", "webp", "ppm", "jp2"])
def test_colours_come_back_from_every_lossless_format(tmp_path: Path, ending: str) -> None:
    folder = mask_beside(tmp_path / "root")
    options = {"lossless": True} if ending == "webp" else {"irreversible": False} if ending == "jp2" else {}
    Image.fromarray(COLOURS).save(folder / f"a.{ending}", **options)
    (sample,) = samples_of(tmp_path, card(ending))
    assert np.array_equal(pixels_of(sample), COLOURS)


@pytest.mark.parametrize("ending", ["png", "gif", "bmp", "tif", "pgm"])
def test_grey_comes_back_from_every_lossless_format(tmp_path: Path, ending: str) -> None:
    folder = mask_beside(tmp_path / "root")
    Image.fromarray(grey()).save(folder / f"a.{ending}")
    (sample,) = samples_of(tmp_path, card(ending))
    assert np.array_equal(pixels_of(sample), grey())


def test_a_grey_picture_in_three_channels_is_stored_as_grey_and_flagged(tmp_path: Path) -> None:
    save(mask_beside(tmp_path / "root") / "a.png", np.dstack([grey()] * 3))
    (sample,) = samples_of(tmp_path, card("png"))
    assert np.array_equal(pixels_of(sample), grey()) and "grey_as_rgb" in sample.flags


def test_one_coloured_pixel_keeps_a_picture_coloured(tmp_path: Path) -> None:
    pixels = np.dstack([grey()] * 3)
    pixels[7, 9] = (1, 2, 3)
    save(mask_beside(tmp_path / "root") / "a.png", pixels)
    (sample,) = samples_of(tmp_path, card("png"))
    assert np.array_equal(pixels_of(sample), pixels) and "grey_as_rgb" not in sample.flags


def test_a_cmyk_jpeg_becomes_rgb_with_a_flag(tmp_path: Path) -> None:
    flat = np.full((40, 60, 3), (200, 40, 80), np.uint8)
    Image.fromarray(flat).convert("CMYK").save(mask_beside(tmp_path / "root") / "a.jpg", quality=95)
    (sample,) = samples_of(tmp_path, card("jpg"))
    assert np.abs(pixels_of(sample).astype(int) - flat).max() < 12 and "cmyk_converted" in sample.flags


@pytest.mark.parametrize("writer", ["opencv png", "opencv tif", "tifffile", "tifffile planes"])
def test_colours_of_16_bits_keep_their_lower_half_and_their_balance(tmp_path: Path, writer: str) -> None:
    folder = mask_beside(tmp_path / "root")
    values = (np.dstack([WIDE, WIDE // 2, WIDE // 4])).astype(np.uint16)
    ending = "png" if writer == "opencv png" else "tif"
    if writer.startswith("opencv"):
        cv2.imwrite(str(folder / f"a.{ending}"), values[..., ::-1])
    elif writer == "tifffile":
        tifffile.imwrite(folder / "a.tif", values, photometric="rgb")
    else:
        tifffile.imwrite(folder / "a.tif", np.moveaxis(values, -1, 0).copy(), photometric="rgb", planarconfig="separate")
    (sample,) = samples_of(tmp_path, card(ending))
    low, high = np.percentile(values, [0.5, 99.5])
    expected = np.clip(np.rint((values - low) * (255 / (high - low))), 0, 255)
    assert np.array_equal(pixels_of(sample), expected) and "more_than_8_bit" in sample.flags


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.uint32, np.int16, np.uint16])
def test_tiff_of_any_number_type_becomes_8_bit_by_percentiles(tmp_path: Path, dtype: type) -> None:
    tifffile.imwrite(mask_beside(tmp_path / "root") / "a.tif", WIDE.astype(dtype))
    (sample,) = samples_of(tmp_path, card("tif"))
    assert (pixels_of(sample)[0, 0], pixels_of(sample)[-1, -1]) == (0, 255)
    assert np.all(np.diff(pixels_of(sample).ravel().astype(int)) >= 0)


def test_white_is_zero_in_tiff_is_turned_round_for_8_and_16_bits(tmp_path: Path) -> None:
    folder = mask_beside(tmp_path / "root")
    tifffile.imwrite(folder / "a.tif", WIDE, photometric="miniswhite")
    (sample,) = samples_of(tmp_path, card("tif"))
    assert (pixels_of(sample)[0, 0], pixels_of(sample)[-1, -1]) == (255, 0)
    tifffile.imwrite(folder / "a.tif", grey(), photometric="miniswhite")
    (sample,) = samples_of(tmp_path, card("tif"))
    assert np.array_equal(pixels_of(sample), 255 - grey())


def test_a_window_of_the_card_is_applied_to_wide_pictures(tmp_path: Path) -> None:
    tifffile.imwrite(mask_beside(tmp_path / "root") / "a.tif", WIDE)
    (sample,) = samples_of(tmp_path, card("tif", intensity={"kind": "window", "level": 2000.0, "width": 100.0}))
    assert (pixels_of(sample) == 0).sum() + (pixels_of(sample) == 255).sum() > 2200


def test_several_pages_are_a_fault_until_the_card_chooses_one(tmp_path: Path) -> None:
    pages = [Image.fromarray(grey(seed=number)) for number in range(3)]
    pages[0].save(mask_beside(tmp_path / "root") / "a.tif", save_all=True, append_images=pages[1:])
    (fault,) = faults_of(tmp_path, card("tif"))
    assert fault.kind == "several_pages" and "pictures: {page: 0}" in fault.cause
    (sample,) = samples_of(tmp_path, card("tif", pictures={"page": 2}))
    assert np.array_equal(pixels_of(sample), grey(seed=2))
    (fault,) = faults_of(tmp_path, card("tif", pictures={"page": 3}))
    assert fault.kind == "several_pages" and "has 3" in fault.cause


RAW = {"width": 60, "height": 40, "dtype": "uint16", "byte_order": "big"}


def test_a_headerless_picture_is_read_by_the_cards_numbers(tmp_path: Path) -> None:
    (mask_beside(tmp_path / "root") / "a.IMG").write_bytes(WIDE.astype(">u2").tobytes())
    (sample,) = samples_of(tmp_path, card("IMG", pictures={"raw": RAW}, pixel_mm=[0.175, 0.175]))
    assert (pixels_of(sample)[0, 0], pixels_of(sample)[-1, -1]) == (0, 255)
    assert sample.spacing_mm == [0.175, 0.175]
    (turned,) = samples_of(tmp_path, card("IMG", pictures={"raw": RAW, "inverted": True}))
    assert np.array_equal(pixels_of(turned), 255 - pixels_of(sample)) and '"inverted": true' in turned.transform


def test_a_headerless_picture_of_another_length_and_wrong_numbers_are_refused(tmp_path: Path) -> None:
    (mask_beside(tmp_path / "root") / "a.IMG").write_bytes(b"\0" * 4799)
    (fault,) = faults_of(tmp_path, card("IMG", pictures={"raw": RAW}))
    assert fault.kind == "unreadable_image" and "4799 bytes" in fault.cause and "makes 4800" in fault.cause
    with pytest.raises(ParamError, match="byte_order big or little"):
        faults_of(tmp_path, card("IMG", pictures={"raw": RAW | {"byte_order": "motorola"}}))


def test_a_wrong_ending_is_flagged_and_the_content_decides(tmp_path: Path) -> None:
    Image.fromarray(grey()).save(mask_beside(tmp_path / "root") / "a.jpg", format="PNG")
    (sample,) = samples_of(tmp_path, card("jpg"))
    assert np.array_equal(pixels_of(sample), grey()) and "wrong_extension" in sample.flags


def test_a_camera_turn_is_flagged_and_not_followed(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(COLOURS).save(mask_beside(tmp_path / "root") / "a.jpg", exif=exif)
    (sample,) = samples_of(tmp_path, card("jpg"))
    assert (sample.width, sample.height) == (60, 40) and "exif_orientation_ignored" in sample.flags


def test_grey_with_alpha_is_flagged_where_alpha_says_something(tmp_path: Path) -> None:
    pixels = np.dstack([grey(), np.full((40, 60), 128, np.uint8)])
    Image.fromarray(pixels, "LA").save(mask_beside(tmp_path / "root") / "a.png")
    (sample,) = samples_of(tmp_path, card("png"))
    assert np.array_equal(pixels_of(sample), grey()) and "alpha_dropped" in sample.flags


# Files that must not be read


def png_chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png_of(width: int, height: int, *chunks: bytes) -> bytes:
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    rows = png_chunk(b"IDAT", zlib.compress(b"\0" * 100))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + rows + png_chunk(b"IEND", b"")


def tiff_of(width: int, height: int) -> bytes:
    tags = [(256, 4, width), (257, 4, height), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 8), (277, 3, 1), (278, 4, height), (279, 4, 1)]
    entries = b"".join(struct.pack("<HHII", number, kind, 1, value) for number, kind, value in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + struct.pack("<I", 0)


TEXT_BOMB = png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"\0" * 30_000_000))
PROFILE_BOMB = png_chunk(b"iCCP", b"icc\0\0" + zlib.compress(b"\0" * 30_000_000))


@pytest.mark.parametrize(
    ("content", "kind", "word"),
    [
        (b"", "unreadable_image", "empty (0 bytes)"),
        (b"<html>404</html>", "unreadable_image", "begins with b'<html>404</h'"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "unreadable_image", "no picture"),
        (png_of(60000, 60000), "too_large", "60000 x 60000 pixels"),
        (png_of(60, 40), "unreadable_image", "truncated or damaged"),
        (png_of(60, 40, TEXT_BOMB), "too_large", "unpacks to more"),
        (png_of(60, 40, PROFILE_BOMB), "too_large", "unpacks to more"),
        (tiff_of(4_000_000_000, 4_000_000_000), "too_large", "4000000000 x 4000000000"),
        (tiff_of(60, 40), "unreadable_image", "truncated"),
        (b"II*\0", "unreadable_image", "truncated"),
        (b"BM" + struct.pack("<IHHIIiiHHIIiiII", 70, 0, 0, 54, 40, 90_000, 90_000, 1, 24, 0, 0, 0, 0, 0, 0), "too_large", "90000 x 90000"),
        (b"P5 99999 99999 255\n", "too_large", "99999 x 99999"),
    ],
    ids=["empty", "html", "postscript", "png bomb", "png cut", "text bomb", "profile bomb", "tiff bomb", "tiff cut", "tiff stub", "bmp", "pgm"],
)
def test_a_file_that_is_no_good_picture_is_a_fault_with_its_cause(tmp_path: Path, content: bytes, kind: str, word: str) -> None:
    (mask_beside(tmp_path / "root") / "a.png").write_bytes(content)
    (fault,) = faults_of(tmp_path, card("png"))
    assert (fault.kind, fault.file) == (kind, "images/a.png") and word in fault.cause


@pytest.mark.parametrize(("ending", "keep"), [("jpg", 0.6), ("png", 0.6), ("tif", 0.6), ("gif", 0.6), ("bmp", 0.6), ("jpg", 0.02)])
def test_a_truncated_picture_of_any_format_is_a_fault(tmp_path: Path, ending: str, keep: float) -> None:
    path = mask_beside(tmp_path / "root") / f"a.{ending}"
    Image.fromarray(grey()).save(path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])
    (fault,) = faults_of(tmp_path, card(ending))
    assert (fault.kind, fault.file) == ("unreadable_image", f"images/a.{ending}")


def test_nan_in_a_float_picture_is_a_fault(tmp_path: Path) -> None:
    tifffile.imwrite(mask_beside(tmp_path / "root") / "a.tif", np.full((40, 60), np.nan, np.float32))
    (fault,) = faults_of(tmp_path, card("tif"))
    assert fault.kind == "not_finite"


def test_a_flat_wide_picture_is_a_fault(tmp_path: Path) -> None:
    tifffile.imwrite(mask_beside(tmp_path / "root") / "a.tif", np.full((40, 60), 7, np.uint16))
    (fault,) = faults_of(tmp_path, card("tif"))
    assert fault.kind == "flat_image"


def test_masks_of_another_size_are_scaled_only_when_the_card_says_so(tmp_path: Path) -> None:
    root = tmp_path / "root"
    save(mask_beside(root) / "a.png", grey())
    save(root / "masks/a_heart.png", block((10, 5, 20, 15), height=20, width=30))
    (fault,) = faults_of(tmp_path, card("png"))
    assert "resample_masks" in fault.cause
    (sample,) = samples_of(tmp_path, card("png", resample_masks=True))
    assert boxes_of(sample) == {("heart", 0): [20, 10, 40, 30]} and "mask_resampled" in sample.flags
    save(root / "masks/a_heart.png", block((10, 5, 20, 15), height=20, width=40))
    (fault,) = faults_of(tmp_path, card("png", resample_masks=True))
    assert "another ratio" in fault.cause
