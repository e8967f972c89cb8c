"""What has been read of a text so far, and how the patterns of the grammar say it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from stages.core.claims import Claim
from stages.verify.lexicon import Word


@dataclass
class Reading:
    """What has been read so far. ``bare_sides``: "left" or "right" of nobody said whom; ``bare_centres``: "central" of
    nobody said what; ``bare_quadrants``: (vertical, side, text) of nobody said whom. ``names``: target nouns."""

    claims: list[Claim] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    bare_sides: list[str] = field(default_factory=list)
    names: list[Word] = field(default_factory=list)
    bare_centres: list[str] = field(default_factory=list)
    bare_quadrants: list[tuple[str, str, str]] = field(default_factory=list)

    def say(self, kind: str, value: str, other: str | None = None, number: float | None = None) -> None:
        """Add a claim once."""
        claim = Claim(kind, value, other, number)
        if claim not in self.claims:
            self.claims.append(claim)


Builder = Callable[[Reading, list[Word]], None]


def of(matched: list[Word], tag: str) -> str:
    return next(word.value for word in matched if word.tag == tag)


def unread(out: Reading, m: list[Word]) -> None:
    out.unread.append(" ".join(word.text for word in m))


def silent(out: Reading, m: list[Word]) -> None:
    """Flagged words: the checks of words speak of them."""
