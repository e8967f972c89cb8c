"""What to say where a disk is full or a folder cannot be written: which place it is, and what helps."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_FULL = {errno.ENOSPC: "no space left", errno.EDQUOT: "the quota is used up", errno.EFBIG: "the file would be larger than allowed (ulimit -f)"}
_SHUT = {errno.EROFS: "the file system is read-only", errno.EACCES: "permission denied", errno.EPERM: "not permitted"}
# A place with less than this is called full: what a stage writes at once is larger.
_FULL_BELOW_BYTES = 4 << 20


def storage_fault(error: OSError, places: Sequence[Path | str] = ()) -> str | None:
    """One readable message with its remedy where storage is what failed, else None.

    ``places`` are folders that were being written, beside the working and the temporary folder: the system names no
    path when a write finds the disk full, so the message says how much room each of them has.
    """
    what = str(error.filename) if error.filename else None
    if error.errno in _FULL:
        rooms = "; ".join(_room(Path(place)) for place in dict.fromkeys([os.getcwd(), *map(str, places), tempfile.gettempdir()]))
        where = f" at {what}" if what else ""
        return f"{_FULL[error.errno]}{where} ({rooms}). Make room and give the same command again: what is half-written will be written anew"
    if error.errno == errno.EROFS:
        return f"{_SHUT[error.errno]}: {what or 'the system names no path'}. Make it writable, or work in a folder that is, and give the same command again"
    return None


@contextmanager
def naming_a_full_disk(places: Sequence[Path], *faults: type[Exception]) -> Iterator[None]:
    """Libraries that write by themselves raise ``faults`` of their own where a disk is full: make it the system's error.

    Raises:
        OSError: ENOSPC with the place, where one of ``faults`` came and the disk below a place is full; else the fault itself.
    """
    try:
        yield
    except faults as error:
        full = next((place for place in places if is_full(place)), None)
        if full is None:
            raise
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(full)) from error


def is_full(place: Path) -> bool:
    """Whether the disk below a path, which need not be there yet, has no room for a file of a stage."""
    return _free_bytes(place) < _FULL_BELOW_BYTES


def shut_folder(folder: Path, error: OSError, variable: str) -> str:
    """The message for a folder that cannot be made or written, and that an environment variable chooses."""
    reason = _FULL.get(error.errno or 0) or _SHUT.get(error.errno or 0) or error.strerror
    return f"{error.filename or folder} cannot be written ({reason}): make it writable, or set {variable} to a folder that is"


def _room(place: Path) -> str:
    return f"{place}: {_free_bytes(place) / 2**20:.1f} MB free{', full' if is_full(place) else ''}"


def _free_bytes(place: Path) -> int:
    while not place.exists() and place != place.parent:
        place = place.parent
    return shutil.disk_usage(place).free
