"""What a planted fault is, and the proof that it is one."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

from stages.core.claims import Claim, Scene, Thresholds, select
from stages.core.records import Anchor, Query, Sample
from stages.verify.checks.claims import narrowed
from stages.verify.context import Context

FORMAT, GEOMETRY, PRIORS, EVIDENCE = "format", "geometry", "priors", "evidence"
GROUPS = (FORMAT, GEOMETRY, PRIORS, EVIDENCE)


@dataclass(frozen=True)
class Plant:
    """An accepted query with one thing made wrong.

    ``changed`` says what was done. ``sample`` and ``anchors`` are the altered image and the altered anchors by id, where
    the fault lies there; ``before`` holds queries that the cascade saw before it.
    """

    query: Query
    changed: str
    sample: Sample | None = None
    anchors: tuple[Anchor, ...] = ()
    before: tuple[Query, ...] = ()


@dataclass(frozen=True)
class Ground:
    """What planters work on: an accepted query, its claims, the image's context, a seeded source of chance."""

    query: Query
    claims: tuple[Claim, ...]
    context: Context
    rng: Random

    @property
    def scene(self) -> Scene:
        """All anchors of the image."""
        return self.context.scene

    @property
    def thresholds(self) -> Thresholds:
        """Where words begin."""
        return self.context.thresholds

    @property
    def targets(self) -> list[Anchor]:
        """The query's targets."""
        return self.context.targets(self.query)

    def said(self, text: str, claims: Sequence[Claim], changed: str) -> Iterator[Plant]:
        """The query with another text, if what the text now claims is provably false; the writer states no claims."""
        if text != self.query.text and is_false(claims, self.query.anchor_ids, self.scene, self.thresholds):
            yield Plant(dataclasses.replace(self.query, text=text, claims=None), changed)

    def with_claim(self, old: Claim, new: Claim) -> list[Claim]:
        """The query's claims with one in another's place."""
        return [new if claim == old else claim for claim in self.claims]


Planter = Callable[[Ground], Iterator[Plant]]


def ground_of(query: Query, context: Context, rng: Random) -> Ground:
    """The ground of an accepted query: its writer's claims, or what was read from its text."""
    claims = context.parsed(query).claims if query.claims is None else [Claim.from_json(text) for text in query.claims]
    return Ground(query, tuple(narrowed(claim, context.known_labels) for claim in claims), context, rng)


def is_false(claims: Sequence[Claim], targets: Sequence[str], scene: Scene, t: Thresholds) -> bool:
    """Whether a text with these claims is wrong for these targets beyond doubt.

    One of them certainly does not satisfy the claims, or something that is no target certainly does; without targets,
    something certainly does. Anything too close to call proves nothing.
    """
    selection = select(claims, scene, t)
    return not set(targets) <= selection.possible or bool(selection.certain - set(targets))


def swapped(text: str, old: str, new: str) -> str | None:
    """The text with a word or phrase in another's place, its capital kept; None unless it stands there exactly once."""
    found = list(re.finditer(rf"(?<![\w-]){re.escape(old)}(?![\w-])", text, re.IGNORECASE))
    if len(found) != 1:
        return None
    (place,) = found
    new = new[:1].upper() + new[1:] if place.group()[:1].isupper() and new else new
    return " ".join((text[: place.start()] + new + text[place.end() :]).split())
