"""Writers that ask a model: one question a target, several texts an answer, in waves that end on the budget."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from stages.core.claims import Scene
from stages.core.parallel import ordered_map
from stages.core.params import Params
from stages.core.records import ItemError, Query, Writer
from stages.generate.answers import Text, read_answer
from stages.generate.difficulty import difficulty
from stages.generate.draft import Draft
from stages.generate.grammar import normalised
from stages.generate.prompting import complaint, prompt_hash, request_for
from stages.generate.scenes import Shown, read_shown
from stages.generate.targets import Target, plan_scene
from stages.vlm import local
from stages.vlm.asking import AskedModel, Inquiry, Outcome, Purpose, Usage, endpoint_model, local_model
from stages.vlm.chat import ChatAnswer

_PURPOSE = Purpose("generate", "generate.writer", "target")


class EndpointWriter:
    """Asks an OpenAI-compatible server (``vlm.endpoint``), several requests at once."""

    def check(self, params: Params) -> None:
        """Ranges and the key, before anything is read."""
        endpoint_model(params)

    def write(self, scenes: Sequence[Scene], params: Params) -> list[Draft]:
        """Drafts of all scenes; see ``writers.QueryWriter``."""
        return _Run(endpoint_model(params), params).write(scenes)


class LocalWriter:
    """Asks a ``transformers`` model in this process (``vlm.local``), one question after the other."""

    def check(self, params: Params) -> None:
        """Whether there is a model to load."""
        local.check(params.vlm.local)

    def write(self, scenes: Sequence[Scene], params: Params) -> list[Draft]:
        """Drafts of all scenes; see ``writers.QueryWriter``."""
        return _Run(local_model(params), params).write(scenes)


class _Run:
    """One run over all scenes."""

    def __init__(self, model: AskedModel, params: Params) -> None:
        self.inquiry, self.params = Inquiry(model, _PURPOSE, params.generate.max_error_rate), params
        backend = model.backend
        self.writer = Writer(backend.name, backend.model, backend.revision, prompt_hash(), params.seed)

    def write(self, scenes: Sequence[Scene]) -> list[Draft]:
        """Plan all targets, ask about them in waves, put the texts together by scene."""
        generate = self.params.generate
        plan = partial(plan_scene, params=generate, seed=self.params.seed)
        plans = ordered_map(plan, scenes, self.params.engine, "generate: choose targets")
        planned = [targets for targets, _ in plans]
        total = sum(map(len, planned))
        if total:
            self.inquiry.check_sight()
        outcomes = self.inquiry.ask_all(self._questions(scenes, planned), total, self._ask)
        drafts = []
        for scene, (targets, errors) in zip(scenes, plans, strict=True):
            drafts.append(_draft(scene, targets, [next(outcomes) for _ in targets], errors, self.writer))
        return drafts

    def _questions(self, scenes: Sequence[Scene], planned: Sequence[list[Target]]) -> Iterator[tuple[Scene, Target, Shown]]:
        """Scenes, targets and pictures in one order; pictures are read as they are needed."""
        shown = _pictures(scenes)
        for scene, targets, picture in zip(scenes, planned, shown, strict=True):
            yield from ((scene, target, picture) for target in targets)

    def _ask(self, question: tuple[Scene, Target, Shown]) -> Outcome[list[Text]]:
        """Usable texts about one target, ``generate.texts_per_target`` at most."""
        scene, target, shown = question
        generate = self.params.generate
        outcome = self.inquiry.ask(request_for(scene, target, shown, generate), partial(_read, target=target), complaint, generate.repairs)
        return replace(outcome, value=outcome.value[: generate.texts_per_target]) if outcome.value else outcome


def _read(answer: ChatAnswer, target: Target) -> tuple[list[Text] | None, list[tuple[str, str]]]:
    reading = read_answer(answer.text, target.claims[0].value)
    if answer.finish == "length" and not reading.texts:
        return None, [("truncated", f"it was cut off after {answer.completion_tokens} tokens: write shorter texts")]
    return reading.texts or None, reading.faults


def _pictures(scenes: Sequence[Scene]) -> Iterator[Shown]:
    """Pictures of the scenes, in their order; scenes of one dataset stand together."""
    datasets = list(dict.fromkeys(scene.sample_id.split("/")[0] for scene in scenes))
    for dataset in datasets:
        yield from read_shown(dataset)


def _draft(scene: Scene, targets: Sequence[Target], outcomes: Sequence[Outcome[list[Text]] | None], errors: list[ItemError], writer: Writer) -> Draft:
    """Queries of one scene, numbered under their owners; texts that the scene already has are given up."""
    state = _SceneTexts(writer, errors=list(errors))
    for target, outcome in zip(targets, outcomes, strict=True):
        if outcome is None:
            state.skipped["over_budget"] += 1
        else:
            state.add(scene, target, outcome)
    usage = sum((outcome.usage for outcome in outcomes if outcome), Usage())
    return Draft(state.queries, state.skipped, state.errors, max(1, len(targets)), usage)


@dataclass
class _SceneTexts:
    writer: Writer
    queries: list[Query] = field(default_factory=list)
    errors: list[ItemError] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    said: set[str] = field(default_factory=set)
    numbers: Counter[str] = field(default_factory=Counter)

    def add(self, scene: Scene, target: Target, outcome: Outcome[list[Text]]) -> None:
        if outcome.value is None:
            kind, cause = outcome.faults[0]
            self.errors.append(ItemError(target.owner, "generate", kind, "", cause))
            return
        self.skipped.update(kind for kind, _ in outcome.faults)
        needed = difficulty(scene, target.anchor_ids, target.claims)
        for text in outcome.value:
            if normalised(text.text) in self.said:
                self.skipped["duplicate_text"] += 1
                continue
            self.said.add(normalised(text.text))
            query_id = f"{target.owner}~{self.numbers[target.owner]}"
            self.numbers[target.owner] += 1
            claims = [claim.to_json() for claim in text.claims]
            label = target.claims[0].value
            self.queries.append(Query(query_id, target.sample_id, list(target.anchor_ids), text.text, label, target.kind, claims, text.style, self.writer, needed))
