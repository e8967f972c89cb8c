"""Writers that ask a model: one question a target, several texts an answer, in waves that end on the budget."""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import TypeVar

from stages.core.claims import Scene
from stages.core.parallel import ordered_map
from stages.core.params import Params
from stages.core.records import ItemError, Query, Writer
from stages.core.stage import StageError, worker_count
from stages.generate.answers import Reading, Text, read_answer
from stages.generate.difficulty import difficulty
from stages.generate.draft import Draft, Usage
from stages.generate.grammar import normalised
from stages.generate.prompting import complaint, prompt_hash, request_for
from stages.generate.scenes import Shown, read_shown
from stages.generate.targets import Target, plan_scene
from stages.vlm import endpoint, local
from stages.vlm.chat import Asker, ChatAnswer, ChatBackend, ChatError, ChatRequest
from stages.vlm.sight import check_sight

T = TypeVar("T")
log = logging.getLogger("medground")
# Questions of a wave, for each request under way: few enough to heed a budget, enough to keep all busy.
_WAVE = 4
# So many failures are waited for before a run that is bound to exceed its error rate is stopped.
_LEAST_FAILURES = 5


@dataclass(frozen=True)
class Prices:
    """Budget and prices of ``vlm.endpoint``; a model in this process costs nothing and has no budget."""

    max_requests: int = 0
    max_cost: float = 0.0
    per_million_input: float = 0.0
    per_million_output: float = 0.0

    def cost(self, answer: ChatAnswer) -> float:
        """What an answer cost."""
        return (answer.prompt_tokens * self.per_million_input + answer.completion_tokens * self.per_million_output) / 1e6

    def affordable(self, wanted: int, spent: Usage, questions: int) -> int:
        """How many of ``wanted`` further questions the budget bears, going by the mean of the ``questions`` so far."""
        bounds = [wanted]
        if self.max_requests:
            each = max(1.0, spent.requests / questions) if questions else 1.0
            bounds.append(math.floor((self.max_requests - spent.requests) / each))
        if self.max_cost:
            mean = spent.cost / questions if questions else 0.0
            bounds.append(1 if not questions else wanted if mean == 0 else math.floor((self.max_cost - spent.cost) / mean))
        return max(0, min(bounds))


@dataclass(frozen=True)
class Outcome:
    """What became of one question."""

    texts: list[Text]
    faults: list[tuple[str, str]]
    usage: Usage


class EndpointWriter:
    """Asks an OpenAI-compatible server (``vlm.endpoint``), several requests at once."""

    def check(self, params: Params) -> None:
        """Ranges and the key, before anything is read."""
        endpoint.Endpoint(params.vlm.endpoint, params.seed)

    def write(self, scenes: Sequence[Scene], params: Params) -> list[Draft]:
        """Drafts of all scenes; see ``writers.QueryWriter``."""
        p = params.vlm.endpoint
        backend = endpoint.Endpoint(p, params.seed)
        prices = Prices(p.max_requests, p.max_cost, p.price_per_million_input, p.price_per_million_output)
        return _Run(backend, prices, p.concurrency, p.probe, params).write(scenes)


class LocalWriter:
    """Asks a ``transformers`` model in this process (``vlm.local``), one question after the other."""

    def check(self, params: Params) -> None:
        """Whether there is a model to load."""
        local.check(params.vlm.local)

    def write(self, scenes: Sequence[Scene], params: Params) -> list[Draft]:
        """Drafts of all scenes; see ``writers.QueryWriter``."""
        return _Run(local.LocalModel(params.vlm.local), Prices(), 1, False, params).write(scenes)


class _Run:
    """One run over all scenes: the model, the budget, what has been spent."""

    def __init__(self, backend: ChatBackend, prices: Prices, at_once: int, probe: bool, params: Params) -> None:
        self.asker, self.prices, self.at_once, self.probe, self.params = Asker(backend), prices, at_once, probe, params
        self.writer = Writer(backend.name, backend.model, backend.revision, prompt_hash(), params.seed)
        self.spent, self.asked, self.failed = Usage(), 0, 0

    def write(self, scenes: Sequence[Scene]) -> list[Draft]:
        """Plan all targets, ask about them in waves, put the texts together by scene."""
        generate = self.params.generate
        plan = partial(plan_scene, params=generate, seed=self.params.seed)
        plans = ordered_map(plan, scenes, worker_count(self.params), "generate: choose targets")
        planned = [targets for targets, _ in plans]
        total = sum(map(len, planned))
        if total and self.probe:
            self._fatal_as_stage_error(lambda: check_sight(self.asker))
        outcomes = self._ask_all(self._questions(scenes, planned), total)
        drafts = []
        for scene, (targets, errors) in zip(scenes, plans, strict=True):
            drafts.append(_draft(scene, targets, [next(outcomes) for _ in targets], errors, self.writer))
        return drafts

    def _questions(self, scenes: Sequence[Scene], planned: Sequence[list[Target]]) -> Iterator[tuple[Scene, Target, Shown]]:
        """Scenes, targets and pictures in one order; pictures are read as they are needed."""
        shown = _pictures(scenes)
        for scene, targets, picture in zip(scenes, planned, shown, strict=True):
            yield from ((scene, target, picture) for target in targets)

    def _ask_all(self, questions: Iterator[tuple[Scene, Target, Shown]], total: int) -> Iterator[Outcome | None]:
        """Outcomes in the order of the questions; None for those that the budget does not bear."""
        from tqdm import tqdm

        with ThreadPoolExecutor(self.at_once) as pool, tqdm(total=total, desc="generate: ask", unit="target") as bar:
            while True:
                wave = list(islice(questions, self.prices.affordable(_WAVE * self.at_once, self.spent, self.asked)))
                if not wave:
                    break
                for outcome in self._fatal_as_stage_error(lambda wave=wave: list(pool.map(self._ask, wave))):
                    self._count(outcome, total)
                    bar.update()
                    yield outcome
        left = sum(1 for _ in questions)
        if left:
            log.warning("generate: the budget is spent (%d requests, cost %.4f): %d targets were not asked about", self.spent.requests, self.spent.cost, left)
        yield from [None] * left

    def _count(self, outcome: Outcome, total: int) -> None:
        self.spent, self.asked, self.failed = self.spent + outcome.usage, self.asked + 1, self.failed + (not outcome.texts)
        limit = self.params.generate.max_error_rate
        if self.failed >= _LEAST_FAILURES and self.failed > limit * total:
            kind, cause = outcome.faults[0] if outcome.faults else ("", "")
            raise StageError(
                f"{self.failed} of {total} targets failed after {self.asked} questions, more than generate.max_error_rate = {limit} allows; "
                f"the last one: {kind}: {cause}. Answers so far are kept: mend the cause and run again"
            )

    def _ask(self, question: tuple[Scene, Target, Shown]) -> Outcome:
        """Ask, and send a faulty answer back with what is wrong with it, ``generate.repairs`` times at most."""
        scene, target, shown = question
        request = request_for(scene, target, shown, self.params.generate)
        usage, faults = Usage(), []
        for _ in range(self.params.generate.repairs + 1):
            try:
                answer = self.asker.ask(request)
            except ChatError as error:
                if error.fatal:
                    raise
                return Outcome([], [(error.kind, error.cause)], usage)
            usage += self._usage(answer)
            reading = _read(answer, target)
            faults = reading.faults
            if reading.texts:
                return Outcome(reading.texts[: self.params.generate.texts_per_target], faults, usage)
            if answer.finish == "refused":
                break
            request = _again(request, answer.text, complaint(faults))
        return Outcome([], faults, usage)

    def _usage(self, answer: ChatAnswer) -> Usage:
        return Usage(1, answer.prompt_tokens, answer.completion_tokens, self.prices.cost(answer), answer.retries, (answer.latency_s,))

    def _fatal_as_stage_error(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except ChatError as error:
            raise StageError(f"generate.writer {self.asker.backend.name}: {error.kind}: {error.cause}") from error


def _read(answer: ChatAnswer, target: Target) -> Reading:
    if answer.finish == "refused":
        return Reading([], [("refused", f"the model refused ({answer.text[:120]!r})")])
    reading = read_answer(answer.text, target.claims[0].value)
    if answer.finish == "length" and not reading.texts:
        return Reading([], [("truncated", f"it was cut off after {answer.completion_tokens} tokens: write shorter texts")])
    return reading


def _again(request: ChatRequest, answer: str, what_is_wrong: str) -> ChatRequest:
    return ChatRequest(request.system, request.parts, request.schema, request.schema_name, (*request.history, (answer, what_is_wrong)), request.draw)


def _pictures(scenes: Sequence[Scene]) -> Iterator[Shown]:
    """Pictures of the scenes, in their order; scenes of one dataset stand together."""
    datasets = list(dict.fromkeys(scene.sample_id.split("/")[0] for scene in scenes))
    for dataset in datasets:
        yield from read_shown(dataset)


def _draft(scene: Scene, targets: Sequence[Target], outcomes: Sequence[Outcome | None], errors: list[ItemError], writer: Writer) -> Draft:
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

    def add(self, scene: Scene, target: Target, outcome: Outcome) -> None:
        if not outcome.texts:
            kind, cause = outcome.faults[0]
            self.errors.append(ItemError(target.owner, "generate", kind, "", cause))
            return
        self.skipped.update(kind for kind, _ in outcome.faults)
        needed = difficulty(scene, target.anchor_ids, target.claims)
        for text in outcome.texts:
            if normalised(text.text) in self.said:
                self.skipped["duplicate_text"] += 1
                continue
            self.said.add(normalised(text.text))
            query_id = f"{target.owner}~{self.numbers[target.owner]}"
            self.numbers[target.owner] += 1
            claims = [claim.to_json() for claim in text.claims]
            label = target.claims[0].value
            self.queries.append(Query(query_id, target.sample_id, list(target.anchor_ids), text.text, label, target.kind, claims, text.style, self.writer, needed))
