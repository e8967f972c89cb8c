"""Pictures that are the same, or nearly so, under different patients.

A perceptual hash alone collides on pictures of little detail (two CT phantoms look alike to 64 bits), so a pair
that it proposes is confirmed by the rank correlation of thumbnails (Spearman's, so that another window, gamma or
contrast does not matter). Measured on radiographs, ultrasound, endoscopy and dermoscopy: of 264 copies that were
recompressed (JPEG 50), halved or regraded (gamma 1.3, contrast x 1.2) 96% correlate above 0.995; 88% differ in at
most 2 bits, all but one in at most 6. Unlike pictures within 10 bits reach 0.91. Crops are beyond this check.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stages.core.stage import StageError

THUMBNAIL_PX = 64
LEAST_CORRELATION = 0.995
_BLOCK = 1024


@dataclass(frozen=True)
class Fingerprint:
    """What is compared of one picture: SHA-256 of size and pixels, 64-bit perceptual hash, and a thumbnail.

    ``thumbnail`` is float32 (4096,): ranks of the grey levels, of zero mean and unit length; zeros for a picture of one level.
    """

    sample_id: str
    exact: str
    perceptual: int
    thumbnail: np.ndarray


@dataclass(frozen=True)
class Duplicates:
    """Pairs of indices, smaller first: equal pixels, confirmed near duplicates (equal ones included), hash collisions."""

    exact: list[tuple[int, int]]
    perceptual: list[tuple[int, int]]
    collisions: list[tuple[int, int]]


def fingerprint(item: tuple[str, bytes]) -> Fingerprint:
    """Fingerprint of a (sample_id, PNG bytes) pair.

    Raises:
        StageError: the picture cannot be decoded, which ingestion would not have let through.
    """
    import cv2

    sample_id, png = item
    pixels = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED) if png else None
    if pixels is None:
        raise StageError(f"{sample_id}: its picture in data/samples cannot be decoded; run the ingest stage again (`dvc repro ingest`)")
    exact = hashlib.sha256(repr(pixels.shape).encode() + np.ascontiguousarray(pixels).tobytes()).hexdigest()
    small = _thumbnail(pixels if pixels.ndim == 2 else cv2.cvtColor(pixels[..., :3], cv2.COLOR_BGR2GRAY))
    return Fingerprint(sample_id, exact, _hash_of(small), _centred_ranks(small))


def perceptual_hash(pixels: np.ndarray) -> int:
    """64-bit perceptual hash of a uint8 picture, (height, width) grey or (height, width, 3) RGB; that of its fingerprint."""
    import cv2

    return _hash_of(_thumbnail(pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)))


def _thumbnail(grey: np.ndarray) -> np.ndarray:
    import cv2

    return cv2.resize(grey, (THUMBNAIL_PX, THUMBNAIL_PX), interpolation=cv2.INTER_AREA)


def _hash_of(thumbnail: np.ndarray) -> int:
    """pHash of the thumbnail rather than of the picture: an eighth of the time, and the pairs are confirmed on it anyway."""
    import imagehash
    from PIL import Image

    return int("".join("1" if bit else "0" for bit in imagehash.phash(Image.fromarray(thumbnail)).hash.ravel()), 2)


def _centred_ranks(grey: np.ndarray) -> np.ndarray:
    """Ranks of the values (equal ones share their mean rank), of zero mean and unit length: a dot product is Spearman's rho."""
    from scipy.stats import rankdata

    ranks = rankdata(grey.ravel())
    ranks -= ranks.mean()
    length = np.linalg.norm(ranks)
    return (ranks / length if length > 0 else ranks).astype(np.float32)


def find_duplicates(prints: Sequence[Fingerprint], owners: Sequence[object], distance: int) -> Duplicates:
    """Duplicate pairs among pictures of different owners; ``distance`` is the largest Hamming distance in bits."""
    exact = _exact_pairs(prints, owners)
    equal = set(exact)
    perceptual: list[tuple[int, int]] = []
    collisions: list[tuple[int, int]] = []
    for i, j in hash_pairs([item.perceptual for item in prints], owners, distance):
        alike = (i, j) in equal or float(prints[i].thumbnail @ prints[j].thumbnail) > LEAST_CORRELATION
        (perceptual if alike else collisions).append((i, j))
    return Duplicates(exact, perceptual, collisions)


def _exact_pairs(prints: Sequence[Fingerprint], owners: Sequence[object]) -> list[tuple[int, int]]:
    same: dict[str, list[int]] = defaultdict(list)
    for index, item in enumerate(prints):
        same[item.exact].append(index)
    pairs = [(i, j) for indices in same.values() for place, i in enumerate(indices) for j in indices[place + 1 :]]
    return sorted((i, j) for i, j in pairs if owners[i] != owners[j])


def hash_pairs(perceptual: Sequence[int], owners: Sequence[object], distance: int) -> list[tuple[int, int]]:
    """Pairs of hashes of different owners within the distance, in order; blockwise, so that memory stays at a block of 64-bit words."""
    hashes = np.array(perceptual, np.uint64)
    codes = {owner: code for code, owner in enumerate(dict.fromkeys(owners))}
    owner = np.array([codes[item] for item in owners], np.int64)
    pairs: list[tuple[int, int]] = []
    for start in range(0, len(hashes), _BLOCK):
        bits = np.bitwise_count(hashes[start : start + _BLOCK, None] ^ hashes[None, start:])
        near = (bits <= distance) & (owner[start : start + _BLOCK, None] != owner[None, start:])
        rows, columns = np.nonzero(np.triu(near, k=1))
        pairs += [(start + int(i), start + int(j)) for i, j in zip(rows, columns, strict=True)]
    return pairs
