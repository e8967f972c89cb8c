"""PNG files of the source whose compressed pixels can be stored as they are: no second encoding, and nothing but pixels.

Of the file only width, height, kind of colour and the compressed rows are taken over, as one IHDR, IDAT and IEND chunk: texts,
times, EXIF, colour profiles, gamma and physical sizes are left behind, and so is what hides after the rows.
"""

from __future__ import annotations

import struct
import zlib

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER = struct.Struct(">IIBBBBB")
# Kind of colour -> bytes a pixel, at 8 bits a channel: grey and RGB.
_PIXEL_BYTES = {0: 1, 2: 3}


def bare_png(content: bytes) -> bytes | None:
    """The file with its pixels alone; None where they must be encoded anew.

    That is so for other files than plain PNG of 8-bit grey or RGB: palettes, alpha, 16 bits, interlaced and animated ones,
    rows that are incomplete or followed by something, and compression that does not compress. The pixels are those that
    a decoder finds in ``content``; a picture is the same bytes again for the same rows and compression.
    """
    if not content.startswith(_SIGNATURE):
        return None
    chunks = _chunks(content)
    if not chunks or chunks[0][0] != b"IHDR" or len(chunks[0][1]) != _HEADER.size or any(name == b"acTL" for name, _ in chunks):
        return None
    width, height, bits, colour, *methods = _HEADER.unpack(chunks[0][1])
    if bits != 8 or colour not in _PIXEL_BYTES or any(methods):
        return None
    rows = b"".join(bytes(data) for name, data in chunks if name == b"IDAT")
    # Every row begins with a byte that names its filter.
    n_bytes = height * (1 + width * _PIXEL_BYTES[colour])
    if len(rows) >= n_bytes or not _holds_exactly(rows, n_bytes):
        return None
    return _SIGNATURE + _chunk(b"IHDR", bytes(chunks[0][1])) + _chunk(b"IDAT", rows) + _chunk(b"IEND", b"")


def _chunks(content: bytes) -> list[tuple[bytes, memoryview]]:
    """(name, data) of the chunks up to IEND; empty where the file ends before it."""
    view, place, found = memoryview(content), len(_SIGNATURE), []
    while place + 12 <= len(view):
        length, name = int.from_bytes(view[place : place + 4], "big"), bytes(view[place + 4 : place + 8])
        found.append((name, view[place + 8 : place + 8 + length]))
        if name == b"IEND":
            return found
        place += 12 + length
    return []


def _holds_exactly(rows: bytes, n_bytes: int) -> bool:
    """Whether a stream unpacks to so many bytes, with a right check sum and nothing after it; memory stays at that size."""
    unpacker = zlib.decompressobj()
    try:
        found = len(unpacker.decompress(rows, n_bytes + 1))
    except zlib.error:
        return False
    return found == n_bytes and unpacker.eof and not unpacker.unused_data and not unpacker.unconsumed_tail


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
