"""The embedded writer: content selection and realisation without any model. Deterministic in (seed, sample)."""

from __future__ import annotations

import functools
import hashlib
import math
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random

import numpy as np

from stages.core.claims import KINDS, Claim, Scene, Thresholds, margins
from stages.core.parallel import ordered_map
from stages.core.params import GenerateParams, Params
from stages.core.records import ItemError, Query, Writer
from stages.core.stage import seed_for
from stages.generate import several
from stages.generate.candidates import group_of
from stages.generate.difficulty import difficulty
from stages.generate.draft import Draft
from stages.generate.realise import realise
from stages.generate.single import describe, single_out
from stages.knowledge import words
from stages.knowledge.labels import UnknownLabelError, label
from stages.knowledge.words import UnknownModalityError

# An image with few objects gets few queries: what can be said of one object is soon said.
_PER_ANCHOR, _PER_IMAGE = 2, 2
_WORDING_ATTEMPTS = 6
# Of a crowd, so many anchors are tried.
_MOST_TRIED = 80


def write_scene(scene: Scene, params: GenerateParams, seed: int) -> Draft:
    """Queries of all kinds for one scene.

    Raises:
        UnknownLabelError, UnknownModalityError: the vocabulary lacks a label or the modality of the scene.
    """
    return _SceneWriter(scene, params, seed).write()


class GrammarWriter:
    """The embedded writer: scenes over processes, no pictures, no cost."""

    def check(self, params: Params) -> None:
        """Nothing can be wrong that the stage has not checked."""

    def write(self, scenes: Sequence[Scene], params: Params) -> list[Draft]:
        """Drafts of all scenes; see ``writers.QueryWriter``."""
        work = functools.partial(draft_or_error, params=params.generate, seed=params.seed)
        return ordered_map(work, scenes, params.engine, "generate")


def draft_or_error(scene: Scene, params: GenerateParams, seed: int) -> Draft:
    """The draft of a scene; words that the knowledge lacks are its error."""
    try:
        return write_scene(scene, params, seed)
    except UnknownLabelError as error:
        return Draft([], Counter(), [ItemError(scene.sample_id, "generate", "unknown_label", "", str(error))])
    except UnknownModalityError as error:
        return Draft([], Counter(), [ItemError(scene.sample_id, "generate", "unknown_modality", "", str(error))])


@functools.cache
def revision() -> str:
    """Hash of this package's code and of the vocabulary: equal revisions write equal texts."""
    folders = (Path(__file__).parent, Path(words.__file__).parent)
    digest = hashlib.sha256()
    for path in sorted(file for folder in folders for file in folder.iterdir() if file.suffix in (".py", ".yaml")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def normalised(text: str) -> str:
    """Letters and digits only, lower case: texts that are equal so are the same text."""
    return " ".join(re.findall(r"[a-z0-9]+", text.lower()))


class _SceneWriter:
    """The state of one scene's writing: what has been said, and the counters of the ids."""

    def __init__(self, scene: Scene, params: GenerateParams, seed: int):
        words.modality(scene.modality)
        self.scene, self.params = scene, params
        self.rng = Random(seed_for(seed, scene.sample_id))
        self.thresholds: Thresholds = words.thresholds()
        names = sorted({anchor.label for anchor in scene.anchors})
        self.groups = [group_of(scene, label(name), self.thresholds) for name in names]
        self.by_label = {group.label.name: group for group in self.groups}
        self.writer = Writer("grammar", "medground-grammar", revision(), "", seed)
        self.queries: list[Query] = []
        self.texts: set[str] = set()
        self.used: dict[int, set[frozenset[Claim]]] = {}
        self.numbers: Counter[str] = Counter()
        self.skipped: Counter[str] = Counter()

    def write(self) -> Draft:
        params, budget = self.params, min(self.params.queries_per_image, _PER_ANCHOR * len(self.scene.anchors) + _PER_IMAGE)
        wanted = {kind: self._round(budget * share) for kind, share in self._shares().items()}
        for _ in range(wanted["none"]):
            self._write_none()
        if self.groups:
            for _ in range(wanted["name"]):
                self._write_name()
            for _ in range(wanted["multi"]):
                self._write_multi()
            self._write_singles(min(budget, params.queries_per_image) - len(self.queries))
        return Draft(self.queries, self.skipped)

    def _shares(self) -> dict[str, float]:
        return {"none": self.params.share_none, "name": self.params.share_name, "multi": self.params.share_multi}

    def _round(self, value: float) -> int:
        """Rounded up as often as the fraction says, so that shares hold on average."""
        return math.floor(value) + (self.rng.random() < value - math.floor(value))

    def _write_none(self) -> None:
        claims = several.nothing(self.scene, self.groups, self.rng, self.thresholds)
        if claims is None:
            self.skipped["nothing_to_miss"] += 1
        else:
            self._add("none", claims, [])

    def _write_name(self) -> None:
        named = several.bare(self.rng.choice(self.groups), self.rng)
        if named is None:
            self.skipped["too_many_to_name"] += 1
        else:
            self._add("name", *named)

    def _write_multi(self) -> None:
        found = several.multi(self.groups, self.rng, self.thresholds)
        if found is None:
            self.skipped["no_group"] += 1
        else:
            self._add("multi", *found)

    def _write_singles(self, wanted: int) -> None:
        """Go round the anchors in random order until enough is written or nobody has anything left to be said."""
        # A crowd is not "the" anything.
        order = [index for index, anchor in enumerate(self.scene.anchors) if not anchor.crowd]
        self.rng.shuffle(order)
        order = order[:_MOST_TRIED]
        goal = len(self.queries) + wanted
        for _ in range(_PER_ANCHOR + 2):
            for index in list(order):
                if len(self.queries) >= goal:
                    return
                if not self._write_single(index):
                    order.remove(index)

    def _write_single(self, index: int) -> bool:
        anchor = self.scene.anchors[index]
        group, used = self.by_label[anchor.label], self.used.setdefault(index, set())
        alone = group.members.sum() == 1
        if alone:
            claims = describe(group, index, self.params.max_claims, self.rng, self.thresholds, used)
        else:
            claims = single_out(group, index, self.params.max_claims, self.rng, self.thresholds, used)
        if claims is None:
            self.skipped["nothing_more_to_say" if used else "not_distinguishable"] += 1
            return False
        used.add(frozenset(claims))
        self._add("single", claims, [anchor.anchor_id])
        return True

    def _add(self, kind: str, claims: list[Claim], anchor_ids: list[str]) -> None:
        """Word the claims and record the query; given up where every wording tried is already there."""
        claims = [claims[0], *sorted(claims[1:], key=lambda claim: KINDS.index(claim.kind))]
        of_two = self._of_two(claims)
        for _ in range(_WORDING_ATTEMPTS):
            text, style = realise(claims, self.scene.modality, len(anchor_ids), of_two, self.params.styles, self.rng)
            if normalised(text) not in self.texts:
                break
        else:
            self.skipped["duplicate_text"] += 1
            return
        self.texts.add(normalised(text))
        owner = anchor_ids[0] if len(anchor_ids) == 1 else self.scene.sample_id
        query_id = f"{owner}~{self.numbers[owner]}"
        self.numbers[owner] += 1
        json_claims = [claim.to_json() for claim in claims]
        needed = difficulty(self.scene, tuple(anchor_ids), tuple(claims))
        self.queries.append(Query(query_id, self.scene.sample_id, anchor_ids, text, claims[0].value, kind, json_claims, style, self.writer, needed))

    def _of_two(self, claims: list[Claim]) -> bool:
        """Whether exactly two anchors satisfy the claims apart from ranks: then one is the larger, not the largest."""
        score = np.min([margins(claim, self.scene, self.thresholds) for claim in claims], axis=0)
        return int((score >= 1).sum()) == 2 == int((score > -1).sum())
