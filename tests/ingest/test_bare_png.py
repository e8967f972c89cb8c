"""The source's own PNG compression is kept where nothing but pixels can be in it."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from stages.core.records import Sample
from stages.ingest.bare_png import bare_png
from tests.ingest.sources import block, grey, ingest_folder, label_map_card, save

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOURS = np.dstack([np.add.outer(np.arange(40), np.arange(60)).astype(np.uint8), block((5, 5, 50, 30)), block((20, 2, 40, 20))])
SMOOTH = np.ascontiguousarray(COLOURS[..., 0])


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def chunk_names(png: bytes) -> list[bytes]:
    names, place = [], len(SIGNATURE)
    while place < len(png):
        names.append(png[place + 4 : place + 8])
        place += 12 + struct.unpack(">I", png[place : place + 4])[0]
    return names


def png_of(pixels: np.ndarray, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", **options)
    return buffer.getvalue()


def rebuilt(pixels: np.ndarray, extra: bytes = b"", after: bytes = b"", tail: bytes = b"", pieces: int = 1, interlace: int = 0) -> bytes:
    """A PNG file by hand: chunks between header and rows, bytes after the compressed rows, bytes after the end, rows in pieces."""
    height, width = pixels.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, 8, 2 if pixels.ndim == 3 else 0, 0, 0, interlace)
    packed = zlib.compress(b"".join(b"\0" + row.tobytes() for row in pixels)) + after
    step = -(-len(packed) // pieces)
    rows = b"".join(chunk(b"IDAT", packed[start : start + step]) for start in range(0, len(packed), step))
    return SIGNATURE + chunk(b"IHDR", header) + extra + rows + chunk(b"IEND", b"") + tail


def pixels_of(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)))


def read_one(folder: Path, png: bytes, **limits: object) -> Sample:
    (folder / "root/images").mkdir(parents=True)
    (folder / "root/images/a.png").write_bytes(png)
    save(folder / "root/masks/a.png", block((5, 5, 30, 30), value=1))
    content = label_map_card(labels={"nerve": {"sources": [1], "semantic": True}}, annotated_labels=["nerve"])
    found, (result,) = ingest_folder(folder, content, **limits)
    assert found.errors == [] and result.lost == []
    return result.samples[0]


@pytest.mark.parametrize("pixels", [SMOOTH, COLOURS], ids=["grey", "rgb"])
def test_the_compressed_rows_of_a_plain_file_are_kept_and_the_pixels_are_equal(tmp_path: Path, pixels: np.ndarray) -> None:
    source = png_of(pixels, compress_level=9)
    sample = read_one(tmp_path, source)
    assert np.array_equal(pixels_of(sample.image), pixels)
    assert np.array_equal(cv2.imdecode(np.frombuffer(sample.image, np.uint8), cv2.IMREAD_UNCHANGED), pixels[..., ::-1] if pixels.ndim == 3 else pixels)
    assert sample.image == bare_png(source) and chunk_names(sample.image) == [b"IHDR", b"IDAT", b"IEND"]
    packed = source[source.index(b"IDAT") + 4 :]
    assert packed[:200] in sample.image


def test_no_byte_of_metadata_survives(tmp_path: Path) -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("Patient", "Zebra^Quentin")
    text.add_itxt("Comment", "Zebra^Quentin", zip=False)
    text.add(b"tIME", b"Zebra^Q")
    text.add(b"gAMA", b"Zebr")
    text.add(b"prVt", b"Zebra^Quentin", after_idat=True)
    exif = Image.Exif()
    exif[0x010E] = "Zebra^Quentin"
    source = png_of(COLOURS, pnginfo=text, exif=exif, dpi=(300, 300), icc_profile=b"Zebra profile", transparency=(1, 2, 3)) + b"Zebra^Quentin"
    assert source.count(b"Zebra^Quentin") >= 4
    sample = read_one(tmp_path, source)
    assert b"Zebr" not in sample.image and chunk_names(sample.image) == [b"IHDR", b"IDAT", b"IEND"]
    assert len(sample.image) == len(SIGNATURE) + 3 * 12 + 13 + sum(len(data) for data in idat(source))
    assert np.array_equal(pixels_of(sample.image), COLOURS)


def idat(png: bytes) -> list[bytes]:
    found, place = [], len(SIGNATURE)
    while place < len(png) and (not found or found[-1] != b"end"):
        length = struct.unpack(">I", png[place : place + 4])[0]
        name = png[place + 4 : place + 8]
        if name == b"IEND":
            break
        found += [png[place + 8 : place + 8 + length]] if name == b"IDAT" else []
        place += 12 + length
    return found


def test_the_same_rows_in_other_chunks_are_the_same_bytes() -> None:
    plain = bare_png(rebuilt(SMOOTH))
    assert plain is not None
    assert bare_png(rebuilt(SMOOTH, extra=chunk(b"tEXt", b"a\0b"), tail=b"more", pieces=3)) == plain


@pytest.mark.parametrize(
    "content",
    [
        rebuilt(SMOOTH, after=b"Zebra^Quentin"),
        rebuilt(SMOOTH, extra=chunk(b"acTL", b"\0\0\0\2\0\0\0\0")),
        rebuilt(SMOOTH, interlace=1),
        rebuilt(SMOOTH)[:-20],
        rebuilt(np.vstack([SMOOTH, SMOOTH]))[:16] + rebuilt(SMOOTH)[16:24] + rebuilt(np.vstack([SMOOTH, SMOOTH]))[24:],
        png_of(np.dstack([COLOURS, SMOOTH])),
        png_of(SMOOTH.astype(np.uint16) * 256),
        png_of(grey(), compress_level=0),
        b"\xff\xd8\xff",
    ],
    ids=["bytes after the rows", "animated", "interlaced", "no end", "more rows than the header says", "alpha", "16 bit", "not compressed", "JPEG"],
)
def test_what_is_not_plain_is_encoded_anew(content: bytes) -> None:
    assert bare_png(content) is None


def test_what_hides_after_the_rows_does_not_reach_the_sample(tmp_path: Path) -> None:
    sample = read_one(tmp_path, rebuilt(SMOOTH, after=b"Zebra^Quentin"))
    assert b"Zebra" not in sample.image and np.array_equal(pixels_of(sample.image), SMOOTH)


def test_a_picture_that_is_scaled_or_turned_grey_is_encoded_anew(tmp_path: Path) -> None:
    small = read_one(tmp_path / "scaled", png_of(COLOURS), max_side_px=30)
    assert pixels_of(small.image).shape == (20, 30, 3)
    source = png_of(np.dstack([SMOOTH] * 3))
    turned = read_one(tmp_path / "grey", source)
    assert np.array_equal(pixels_of(turned.image), SMOOTH) and turned.image != bare_png(source)
