"""Many questions to one model: in waves that end on the budget, with an early stop for a run that is bound to fail.

Whoever writes or judges with a model asks through ``Inquiry``; what a question is and what makes an answer usable is
the caller's.
"""

from __future__ import annotations

import logging
import math
import statistics
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import Any, Generic, TypeVar

from stages.core.params import Params
from stages.core.stage import StageError
from stages.vlm import endpoint, local
from stages.vlm.chat import Asker, ChatAnswer, ChatBackend, ChatError, ChatRequest
from stages.vlm.sight import check_sight

Q = TypeVar("Q")
R = TypeVar("R")
T = TypeVar("T")
log = logging.getLogger("medground")
# Questions of a wave, for each request under way: few enough to heed a budget, enough to keep all busy.
_WAVE = 4
# So many failures are waited for before a run that is bound to exceed its error rate is stopped.
_LEAST_FAILURES = 5


@dataclass(frozen=True)
class Usage:
    """What answers cost: requests and tokens, money in the currency of the prices, repeated requests, waiting in seconds."""

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0
    retries: int = 0
    latencies_s: tuple[float, ...] = ()

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.requests + other.requests,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.cost + other.cost,
            self.retries + other.retries,
            self.latencies_s + other.latencies_s,
        )


def spending(usage: Usage) -> dict[str, Any]:
    """Metrics of what was spent. Cost and waiting are those of the answers that were used, also where the store had them."""
    waits = sorted(usage.latencies_s)
    return {
        "requests": usage.requests,
        "tokens": usage.prompt_tokens + usage.completion_tokens,
        "tokens_written": usage.completion_tokens,
        "cost": usage.cost,
        "retries": usage.retries,
        "latency_s": {"median": statistics.median(waits), "p95": waits[int(0.95 * (len(waits) - 1))]} if waits else {"median": 0.0, "p95": 0.0},
    }


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
class AskedModel:
    """A model with its budget. ``probe``: whether it is shown test pictures before the first question."""

    backend: ChatBackend
    prices: Prices = field(default_factory=Prices)
    at_once: int = 1
    probe: bool = False


def endpoint_model(params: Params) -> AskedModel:
    """The server of ``vlm.endpoint``, several requests at once.

    Raises:
        ParamError: a parameter is out of range, or the environment lacks the key.
    """
    p = params.vlm.endpoint
    prices = Prices(p.max_requests, p.max_cost, p.price_per_million_input, p.price_per_million_output)
    return AskedModel(endpoint.Endpoint(p, params.seed), prices, p.concurrency, p.probe)


def local_model(params: Params) -> AskedModel:
    """The ``transformers`` model of ``vlm.local`` in this process, one question after the other.

    Raises:
        ParamError: there is no such model.
    """
    return AskedModel(local.LocalModel(params.vlm.local))


@dataclass(frozen=True)
class Outcome(Generic[R]):
    """What became of one question. ``value`` is None when no answer was usable; ``faults`` are (code, cause) pairs."""

    value: R | None
    faults: list[tuple[str, str]]
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True)
class Purpose:
    """Who asks, in the words of messages: the stage, the parameter that chose the model, what a question is about."""

    stage: str
    chosen_by: str
    unit: str


def _all_of(pool: ThreadPoolExecutor, ask: Callable[[Q], Outcome[R]], wave: list[Q]) -> list[Outcome[R]]:
    return list(pool.map(ask, wave))


class Inquiry:
    """All questions of a stage to one model: the store of answers, the budget, what has been spent, what has failed."""

    def __init__(self, model: AskedModel, purpose: Purpose, max_error_rate: float) -> None:
        self.asker, self.model, self.purpose, self.max_error_rate = Asker(model.backend), model, purpose, max_error_rate
        self.spent, self.asked, self.failed = Usage(), 0, 0

    def check_sight(self) -> None:
        """Show the test pictures, where the model is to be probed.

        Raises:
            StageError: the model does not see, or nobody answers.
        """
        if self.model.probe:
            self._fatal_as_stage_error(lambda: check_sight(self.asker))

    def ask_all(self, questions: Iterator[Q], total: int, ask: Callable[[Q], Outcome[R]]) -> Iterator[Outcome[R] | None]:
        """Outcomes in the order of the questions; None for those that the budget does not bear.

        Raises:
            StageError: every question would fail the same way, or more have failed than the error rate allows.
        """
        from tqdm import tqdm

        name, unit, at_once = self.purpose.stage, self.purpose.unit, self.model.at_once
        with ThreadPoolExecutor(at_once) as pool, tqdm(total=total, desc=f"{name}: ask", unit=unit) as bar:
            while True:
                wave = list(islice(questions, self.model.prices.affordable(_WAVE * at_once, self.spent, self.asked)))
                if not wave:
                    break
                for outcome in self._fatal_as_stage_error(partial(_all_of, pool, ask, wave)):
                    self._count(outcome, total)
                    bar.update()
                    yield outcome
        left = sum(1 for _ in questions)
        if left:
            log.warning("%s: the budget is spent (%d requests, cost %.4f): %d %ss were not asked about", name, self.spent.requests, self.spent.cost, left, unit)
        yield from [None] * left

    def ask(
        self,
        request: ChatRequest,
        read: Callable[[ChatAnswer], tuple[R | None, list[tuple[str, str]]]],
        complaint: Callable[[list[tuple[str, str]]], str],
        repairs: int,
    ) -> Outcome[R]:
        """Ask, and send an answer that ``read`` finds unusable back with a ``complaint``, ``repairs`` times at most.

        Raises:
            ChatError: only one that every other question would meet too.
        """
        usage = Usage()
        faults: list[tuple[str, str]] = []
        for _ in range(repairs + 1):
            try:
                answer = self.asker.ask(request)
            except ChatError as error:
                if error.fatal:
                    raise
                return Outcome(None, [(error.kind, error.cause)], usage)
            usage += self._usage(answer)
            if answer.finish == "refused":
                return Outcome(None, [("refused", f"the model refused ({answer.text[:120]!r})")], usage)
            value, faults = read(answer)
            if value is not None:
                return Outcome(value, faults, usage)
            request = replace(request, history=(*request.history, (answer.text, complaint(faults))))
        return Outcome(None, faults, usage)

    def _count(self, outcome: Outcome[Any], total: int) -> None:
        self.spent, self.asked, self.failed = self.spent + outcome.usage, self.asked + 1, self.failed + (outcome.value is None)
        if self.failed >= _LEAST_FAILURES and self.failed > self.max_error_rate * total:
            kind, cause = outcome.faults[0] if outcome.faults else ("", "")
            raise StageError(
                f"{self.failed} of {total} {self.purpose.unit}s failed after {self.asked} questions, more than {self.purpose.stage}.max_error_rate = "
                f"{self.max_error_rate} allows; the last one: {kind}: {cause}. Answers so far are kept: mend the cause and run again"
            )

    def _usage(self, answer: ChatAnswer) -> Usage:
        cost = self.model.prices.cost(answer)
        return Usage(1, answer.prompt_tokens, answer.completion_tokens, cost, answer.retries, (answer.latency_s,))

    def _fatal_as_stage_error(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except ChatError as error:
            raise StageError(f"{self.purpose.chosen_by} {self.asker.backend.name}: {error.kind}: {error.cause}") from error
