"""Volume files as bytes: what ITK does not say about them.

ITK fills a truncated NIfTI file with zeros, turns NaN into 0, and passes over damage in a compressed stream. All of it
shows in the check sum that the stream ends with: it is compared with the sum of what ITK read, which costs a twentieth
of the reading, and only where they differ is the stream inflated once more, in bounded memory, to find out why.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

# How a file's name says its format: ending -> ITK's reader of it.
FORMATS = {
    ".nii": "NiftiImageIO",
    ".nii.gz": "NiftiImageIO",
    ".mha": "MetaImageIO",
    ".mhd": "MetaImageIO",
    ".nrrd": "NrrdImageIO",
    ".nhdr": "NrrdImageIO",
}
# First bytes of what is often found under a volume's name.
_SIGNATURES = {
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"BM": "a BMP picture",
    b"II*\0": "a TIFF picture",
    b"MM\0*": "a TIFF picture",
    b"PK\x03\x04": "a ZIP archive",
    b"\x1f\x8b": "a gzip stream",
    b"NRRD": "an NRRD volume",
    b"ObjectType": "a MetaImage volume",
    b"version https://git-lfs": "a Git LFS pointer (git lfs pull fetches the file)",
    b"<": "an HTML or XML page",
}
_NIFTI_1, _NIFTI_2 = 348, 540
_HEADER_LIMIT = 1 << 16
_CHUNK = 1 << 18
# Deflate cannot shrink more than about 1,032 to 1.
_MOST_SHRINKING = 1040
# Bytes that may follow the voxels in a compressed stream.
_SLACK = 1 << 20
_WBITS = {"gzip": 31, "zlib": 47}


class VolumeError(ValueError):
    """A volume that must not be used. ``kind`` is a short code, the message says the cause and the remedy."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True)
class Voxels:
    """Where a file keeps its voxels: ``path`` from byte ``offset`` on, packed as raw, gzip, zlib or text.

    ``prefix`` bytes stand before the voxels once unpacked (NIfTI's header). ``stated`` are the fields of a text header.
    """

    path: Path
    offset: int
    packing: str
    prefix: int
    stated: dict[str, str]

    @property
    def size(self) -> int:
        """Bytes in the file from ``offset`` on."""
        return self.path.stat().st_size - self.offset


def file_format(path: Path) -> str:
    """ITK's reader for a file by its name, after a look at its first bytes.

    Raises:
        VolumeError: missing or empty file, an ending that is no volume's, or content of another kind than the name says.
    """
    ending = next((ending for ending in sorted(FORMATS, key=len, reverse=True) if path.name.lower().endswith(ending)), None)
    if ending is None:
        raise VolumeError("unreadable_image", f"its name ends like no volume ({', '.join(FORMATS)}): choose another reader or mend the pattern")
    if not path.is_file():
        raise VolumeError("unreadable_image", "the file is not there: fetch it")
    start = _start(path, 256)
    if not start:
        raise VolumeError("unreadable_image", "the file is empty (0 bytes): fetch it again")
    header_size = int.from_bytes(start[:4], "little"), int.from_bytes(start[:4], "big")
    if ending.startswith(".nii") and _NIFTI_2 in header_size:
        raise VolumeError("unreadable_image", "it is NIfTI-2, which ITK does not read: convert it to NIfTI-1")
    plausible = {
        ".nii": _NIFTI_1 in header_size,
        ".nii.gz": start.startswith(b"\x1f\x8b") or _NIFTI_1 in header_size,
        ".nrrd": start.startswith(b"NRRD"),
        ".nhdr": start.startswith(b"NRRD"),
    }.get(ending, b"=" in start and b"\0" not in start[: start.index(b"=")])
    if not plausible:
        found = next((name for mark, name in _SIGNATURES.items() if start.startswith(mark)), "no volume")
        raise VolumeError("unreadable_image", f"it is named {ending}, but its first bytes are those of {found}: rename it, or mend the card's pattern")
    return FORMATS[ending]


def locate_voxels(path: Path, io: str, nifti_offset: int) -> Voxels:
    """Where the voxels of a file lie; ``nifti_offset`` is the offset that a NIfTI header states.

    Raises:
        VolumeError: a header names a data file outside its own folder, several data files, or one that is missing.
    """
    if io == "NiftiImageIO":
        packed = _start(path, 2) == b"\x1f\x8b"
        return Voxels(path, 0 if packed else nifti_offset, "gzip" if packed else "raw", nifti_offset if packed else 0, {})
    stated, end = _text_header(path, io)
    data_file = stated.get("elementdatafile") or stated.get("data file") or stated.get("datafile")
    inside = data_file in (None, "LOCAL")
    data_path = path if inside else _data_path(path, str(data_file))
    if io == "MetaImageIO":
        packing = "zlib" if stated.get("compresseddata", "").lower() == "true" else "raw"
        return Voxels(data_path, end if inside else 0, packing, 0, stated)
    encoding = stated.get("encoding", "raw").lower()
    packing = {"gz": "gzip", "gzip": "gzip", "raw": "raw"}.get(encoding, "text")
    skips = any(stated.get(key, "0") != "0" for key in ("line skip", "lineskip", "byte skip", "byteskip"))
    return Voxels(data_path, end if inside else 0, "text" if skips else packing, 0, stated)


def data_file(path: Path) -> Path | None:
    """The file beside a .mhd or .nhdr header that holds its voxels; None for files that hold their own.

    Raises:
        VolumeError: see ``locate_voxels``.
    """
    if not path.name.lower().endswith((".mhd", ".nhdr")):
        return None
    voxels = locate_voxels(path, file_format(path), 0)
    return None if voxels.path == path else voxels.path


def check_room(voxels: Voxels, promised: int) -> None:
    """Whether the file can hold the ``promised`` bytes of voxels at all; asked before memory is taken.

    Raises:
        VolumeError: it cannot.
    """
    most = voxels.size * (_MOST_SHRINKING if voxels.packing in _WBITS else 1)
    if voxels.packing != "text" and most < promised:
        raise VolumeError(
            "unreadable_image",
            f"truncated: {voxels.path.name} has {max(voxels.size, 0)} bytes of voxels where the header promises {promised}"
            f"{' after decompression' if voxels.packing in _WBITS else ''}; fetch it again",
        )


def check_content(voxels: Voxels, array: np.ndarray, promised: int, float_type: str | None) -> None:
    """Whether what ITK read is what the file holds.

    ``array`` is as ITK read it, in the file's order. ``float_type`` is the NumPy type of a file of floats whose NaN and
    infinity ITK hides, else None.

    Raises:
        VolumeError: damaged, truncated, longer than its header promises, or NaN or infinite voxels.
    """
    if voxels.packing in _WBITS and not _sum_agrees(voxels, array):
        _inflate_whole(voxels, promised, float_type)
    elif voxels.packing == "raw" and float_type is not None:
        count = promised // np.dtype(float_type).itemsize
        refuse_not_finite(np.fromfile(voxels.path, float_type, count, offset=voxels.offset))


def refuse_not_finite(values: np.ndarray) -> None:
    """Raises a VolumeError when a float array holds NaN or infinity."""
    if values.size and np.isfinite(values.min()) and np.isfinite(values.max()):
        return
    _refuse_bad(int(np.count_nonzero(~np.isfinite(values))))


def _refuse_bad(bad: int) -> None:
    if bad:
        raise VolumeError("not_finite", f"{bad} voxels are NaN or infinite: export the volume again, or fill them at the source")


def _sum_agrees(voxels: Voxels, array: np.ndarray) -> bool:
    """Whether the check sum at the end of the compressed stream is that of the voxels that were read."""
    if not array.flags.c_contiguous:
        return False
    with voxels.path.open("rb") as handle:
        handle.seek(voxels.offset)
        head = zlib.decompressobj(_WBITS[voxels.packing]).decompress(handle.read(_HEADER_LIMIT), voxels.prefix) if voxels.prefix else b""
        handle.seek(-8, 2)
        tail = handle.read()
    content = array.reshape(-1).view(np.uint8).data
    if voxels.packing == "zlib":
        return zlib.adler32(content) == int.from_bytes(tail[4:], "big")
    total = (voxels.prefix + content.nbytes) % 2**32
    if len(head) != voxels.prefix or int.from_bytes(tail[4:], "little") != total:
        return False
    return zlib.crc32(content, zlib.crc32(head)) == int.from_bytes(tail[:4], "little")


def _inflate_whole(voxels: Voxels, promised: int, float_type: str | None) -> None:
    """Unpack to the end, keeping nothing, so that the stream's own sums are checked and its floats are seen."""
    total, bad, carried = 0, 0, b""
    width = np.dtype(float_type).itemsize if float_type else 1
    try:
        for chunk in _inflated(voxels):
            if float_type:
                carried += chunk[max(0, voxels.prefix - total) : max(0, voxels.prefix + promised - total)]
                whole = len(carried) // width * width
                bad += int(np.count_nonzero(~np.isfinite(np.frombuffer(carried[:whole], float_type))))
                carried = carried[whole:]
            total += len(chunk)
            if total > voxels.prefix + promised + _SLACK:
                raise VolumeError("too_large", f"it inflates to more than the {promised} bytes of voxels that its header promises: fetch it again")
    except (EOFError, zlib.error) as error:
        raise VolumeError("unreadable_image", f"the compressed file is truncated or damaged ({error}): fetch it again") from error
    if total < voxels.prefix + promised:
        stated = voxels.prefix + promised
        raise VolumeError("unreadable_image", f"truncated: {total} bytes where the header promises {stated}; fetch it again")
    _refuse_bad(bad)


def _inflated(voxels: Voxels) -> Iterator[bytes]:
    """Unpacked chunks of at most ``_CHUNK`` bytes; a gzip file may have several members."""
    with voxels.path.open("rb") as handle:
        handle.seek(voxels.offset)
        stream, waiting = zlib.decompressobj(_WBITS[voxels.packing]), b""
        while block := waiting or handle.read(_CHUNK):
            yield stream.decompress(block, _CHUNK)
            waiting = stream.unconsumed_tail
            if stream.eof:
                waiting = stream.unused_data.lstrip(b"\0") or handle.read(_CHUNK).lstrip(b"\0")
                if not waiting or not waiting.startswith(b"\x1f\x8b"):
                    return
                stream = zlib.decompressobj(_WBITS[voxels.packing])
        raise EOFError("the stream stops before its end mark")


def _text_header(path: Path, io: str) -> tuple[dict[str, str], int]:
    """Fields of a MetaImage or NRRD header in lower case, and the number of bytes that it takes."""
    mark = "=" if io == "MetaImageIO" else ":"
    fields: dict[str, str] = {}
    with path.open("rb") as handle:
        while (line := handle.readline(_HEADER_LIMIT)) and handle.tell() <= _HEADER_LIMIT:
            text = line.decode("latin-1").strip()
            if not text and io == "NrrdImageIO":
                break
            key, found, value = text.partition(mark)
            if found and not text.startswith("#"):
                fields[key.strip().lower()] = value.strip()
            if io == "MetaImageIO" and key.strip().lower() == "elementdatafile":
                break
        return fields, handle.tell()


def _data_path(header: Path, name: str) -> Path:
    """The data file that a header names; it must lie in the header's own folder or below."""
    if name.upper().startswith("LIST") or "%" in name:
        raise VolumeError("unreadable_image", f"its header names several data files ({name!r}): write it as one file (SimpleITK.WriteImage)")
    pure = PurePosixPath(name.replace("\\", "/"))
    path = header.parent / pure
    linked_out = path.is_symlink() and not header.is_symlink() and not path.resolve().is_relative_to(header.parent.resolve())
    if pure.is_absolute() or ".." in pure.parts or ":" in name or linked_out:
        raise VolumeError("unsafe_path", f"its header names the data file {name!r}, outside its own folder: refused; put both side by side")
    if not path.is_file():
        raise VolumeError("unreadable_image", f"its data file {name!r} is not there: fetch it and put it beside the header")
    return path


def _start(path: Path, count: int) -> bytes:
    with path.open("rb") as handle:
        return handle.read(count)


def nifti_is_little_endian(path: Path) -> bool:
    """Byte order of a NIfTI-1 file, by the size that its header begins with."""
    start = _start(path, _HEADER_LIMIT)
    head = zlib.decompressobj(31).decompress(start, 4) if start.startswith(b"\x1f\x8b") else start[:4]
    return int.from_bytes(head, "little") == _NIFTI_1
