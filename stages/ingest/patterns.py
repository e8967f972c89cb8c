"""Names of files: what lies below a dataset's root, what a card's patterns make of it, and what leaves the root."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from stages.core.params import ParamError
from stages.core.stage import StageError

# Objects of a DVC cache (named by the MD5 sum of their content) and of git-annex.
_CONTENT_STORE = re.compile(r"/files/md5/[0-9a-f]{2}/[0-9a-f]{30}$|/\.git/annex/objects/")
_PART = re.compile(r"\{(?P<name>[a-z_]+)(?::(?P<regex>(?:[^{}]|\{[0-9,]*\})+))?\}")


def list_files(root: Path) -> list[str]:
    """All files below ``root`` as sorted relative POSIX paths; folders behind links are not entered.

    Raises:
        StageError: a folder cannot be read, so that its files would be lost silently.
    """
    found = []
    for folder, _, names in os.walk(root, onerror=_refuse_closed):
        found += [(Path(folder) / name).relative_to(root).as_posix() for name in names]
    return sorted(found)


def _refuse_closed(error: OSError) -> None:
    raise StageError(f"the folder {error.filename} cannot be read ({error.strerror}): mend its permissions, or take it out of the dataset's folder")


def inside_root(path: str) -> bool:
    """Whether a relative path stays below the root (no drive, no leading slash, no ``..``)."""
    pure = PurePosixPath(path.replace("\\", "/"))
    return bool(path.strip()) and not pure.is_absolute() and ".." not in pure.parts and ":" not in pure.parts[0]


def leaves_root(root: Path, path: str) -> bool:
    """Whether a file that a relative path names lies, links followed, outside the root.

    Links into the content-addressed stores of DVC and git-annex stay allowed: those tools check such data out as links
    to objects named by their own checksum.
    """
    if not inside_root(path):
        return True
    target = (root / path).resolve()
    return not target.is_relative_to(root.resolve()) and _CONTENT_STORE.search(target.as_posix()) is None


def compile_pattern(pattern: str, where: str) -> re.Pattern[str]:
    """A card's pattern as a regular expression over a whole relative path.

    ``{name}`` matches within one path component, as little as fits; a repeated name must repeat its text;
    ``{name:regex}`` matches that regex; ``*`` matches anything within a component.

    Raises:
        ParamError: the pattern leaves the root or is no valid expression.
    """
    if not inside_root(_PART.sub("x", pattern)):
        raise ParamError(f"{where}: the pattern {pattern!r} leaves the dataset's root")
    text, end, seen = "", 0, set()
    for match in _PART.finditer(pattern):
        text += _literal(pattern[end : match.start()])
        name = match["name"]
        text += f"(?P={name})" if name in seen else f"(?P<{name}>{match['regex'] or '[^/]+?'})"
        seen.add(name)
        end = match.end()
    try:
        return re.compile(text + _literal(pattern[end:]))
    except re.error as error:
        raise ParamError(f"{where}: the pattern {pattern!r} is not valid: {error}") from error


def _literal(text: str) -> str:
    return "[^/]*".join(re.escape(piece) for piece in text.split("*"))


def match_parts(path: str, patterns: Iterable[re.Pattern[str]]) -> dict[str, str] | None:
    """Named parts of the first pattern that fits the whole path; None when none fits."""
    for pattern in patterns:
        if match := pattern.fullmatch(path):
            return {name: value for name, value in match.groupdict().items() if value is not None}
    return None
