"""What a card's patterns make of the names in a folder, in words; and why one fits nothing."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from stages.ingest.card import Card
from stages.ingest.patterns import compile_pattern, list_files, match_parts

KINDS = ("image", "mask", "other")
_PART = re.compile(r"\{[a-z_]+(?::(?:[^{}]|\{[0-9,]*\})+)?\}")
# Names that a listing shows, and how many near misses.
_SHOWN, _NEAREST = 5, 3


@dataclass(frozen=True)
class PatternUse:
    """One pattern of the card: the files that it takes (a file belongs to the first pattern that fits)."""

    kind: str
    pattern: str
    files: list[str]


def pattern_uses(card: Card, root: Path) -> tuple[list[PatternUse], list[str]]:
    """What each pattern takes of the folder, images before masks before others; and the files that none takes."""
    uses = [PatternUse(kind, pattern, []) for kind in KINDS for pattern in getattr(card.files, kind)]
    compiled = [compile_pattern(use.pattern, f"{card.name}:files:{use.kind}") for use in uses]
    rest = []
    for path in list_files(root):
        taker = next((use for use, pattern in zip(uses, compiled, strict=True) if pattern.fullmatch(path)), None)
        (taker.files if taker else rest).append(path)
    return uses, rest


def explain_patterns(card: Card, root: Path) -> list[str]:
    """A line or more for each pattern, and the files that none explains, by folder and ending."""
    uses, rest = pattern_uses(card, root)
    lines = ["patterns (a file belongs to the first that fits):"]
    for use in uses:
        lines.append(f"  {use.kind} {use.pattern!r}: {len(use.files)} files" + _example(use, card))
        if not use.files:
            taken = [path for other in uses for path in other.files]
            lines += [f"    {line}" for line in why_nothing(use.pattern, rest, taken, card.name)]
    if rest:
        lines.append(f"  no pattern explains {len(rest)} files; by folder and ending:")
        groups = Counter(_family(path) for path in rest)
        lines += [f"    {family}: {count}" for family, count in groups.most_common(_SHOWN)]
        lines += [f"    ... and {len(groups) - _SHOWN} other families"] if len(groups) > _SHOWN else []
    return lines


def _example(use: PatternUse, card: Card) -> str:
    if not use.files:
        return ""
    parts = match_parts(use.files[0], [compile_pattern(use.pattern, card.name)]) or {}
    named = ", ".join(f"{name}={value}" for name, value in parts.items())
    return f", such as {use.files[0]}" + (f" ({named})" if named else "")


def _family(path: str) -> str:
    folder, _, name = path.rpartition("/")
    ending = "".join(Path(name).suffixes[-2:]) or "no ending"
    return f"{folder or '.'}/*{ending}"


def why_nothing(pattern: str, rest: list[str], taken: list[str], where: str) -> list[str]:
    """Why a pattern takes no file: an earlier pattern has them, a folder is missing, or the names differ; with the nearest names."""
    whole = compile_pattern(pattern, where)
    earlier = [path for path in taken if whole.fullmatch(path)]
    if earlier:
        return [f"{len(earlier)} files fit it, but an earlier pattern has taken them, such as {earlier[0]}: make that one narrower"]
    pieces = split_path(pattern)
    for depth in range(len(pieces) - 1, 0, -1):
        folder = compile_pattern("/".join(pieces[:depth]), where)
        inside = [path for path in rest if folder.fullmatch("/".join(path.split("/")[:depth])) and path.count("/") >= depth]
        if inside:
            same_depth = [path for path in inside if path.count("/") == len(pieces) - 1] or inside
            fits, rest_of = "/".join(pieces[:depth]), "/".join(pieces[depth:])
            return [f"folders fit {fits!r}, but no name in them fits {rest_of!r}; nearest: {', '.join(nearest(pattern, same_depth))}"]
    if not rest:
        return ["no file is left that it could take"]
    first = f"no folder fits {pieces[0]!r}" if len(pieces) > 1 else f"no file at the top of the folder fits {pattern!r}"
    return [f"{first}; nearest: {', '.join(nearest(pattern, rest))}"]


def split_path(pattern: str) -> list[str]:
    """The components of a pattern; a slash inside a {part:regex} does not separate."""
    pieces, start = [], 0
    inside = [(match.start(), match.end()) for match in _PART.finditer(pattern)]
    for place, letter in enumerate(pattern):
        if letter == "/" and not any(low < place < high for low, high in inside):
            pieces.append(pattern[start:place])
            start = place + 1
    return [*pieces, pattern[start:]]


def nearest(pattern: str, paths: list[str]) -> list[str]:
    """The paths whose text is most like the fixed text of the pattern; one for each folder and ending first."""
    fixed = _PART.sub("", pattern).replace("*", "")
    families: dict[str, str] = {}
    for path in paths:
        families.setdefault(_family(path), path)
    return sorted(families.values(), key=lambda path: (-difflib.SequenceMatcher(None, fixed, path).ratio(), path))[:_NEAREST]
