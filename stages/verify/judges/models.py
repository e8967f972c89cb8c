"""Judges that ask a vision-language model: the picture with and without the marked box, the text, several votes."""

from __future__ import annotations

import functools
import json
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from pathlib import Path

from stages.core.params import Params, require
from stages.core.records import ItemError, Query, Verdict
from stages.knowledge import words
from stages.verify.context import Context
from stages.verify.judges.answers import Vote, answer_schema, read_vote
from stages.verify.judges.judge import Case, Opinions
from stages.verify.reasons import passed, rejected, undecided
from stages.vlm.asking import AskedModel, Inquiry, Outcome, Purpose, Usage, endpoint_model, local_model
from stages.vlm.chat import ChatRequest
from stages.vlm.marking import plain_and_marked
from stages.vlm.prompts import prompts_hash, render

log = logging.getLogger("medground")
PROMPTS = Path(__file__).parent / "prompts"
# How often an answer that is not of the asked form is sent back.
_REPAIRS = 1
_SIDES = {"patient_right": "right", "patient_left": "left"}


def endpoint_judge(params: Params) -> ModelJudge:
    """The server of ``vlm.endpoint`` with ``verify.votes`` draws.

    Raises:
        ParamError: a parameter is out of range, or the environment lacks the key.
    """
    alike = params.vlm.endpoint.temperature == 0
    require(params.verify.votes == 1 or not alike, "verify.votes", "1 while vlm.endpoint.temperature is 0: all votes would be the same", params.verify.votes)
    return ModelJudge("endpoint", endpoint_model, params, params.verify.votes)


def local_judge(params: Params) -> ModelJudge:
    """The model of ``vlm.local``. It decodes greedily, so that a second vote would repeat the first: one vote, whatever ``verify.votes`` says.

    Raises:
        ParamError: there is no such model.
    """
    if params.verify.votes > 1:
        log.warning("verify: vlm.local decodes greedily: its judge gives 1 vote, not verify.votes = %d", params.verify.votes)
    return ModelJudge("local", local_model, params, 1)


@functools.cache
def prompt_hash() -> str:
    """Hash of the prompt files and of the answers' schemas."""
    return prompts_hash(PROMPTS, answer_schema(False), answer_schema(True))


class ModelJudge:
    """Asks a model ``votes`` times about each case; more than half of the votes decide."""

    def __init__(self, name: str, open_model: Callable[[Params], AskedModel], params: Params, votes: int) -> None:
        self.check, self.votes, self.params = f"judge:{name}", votes, params
        self._model = open_model(params)

    def judge(self, cases: Sequence[Case]) -> Opinions:
        """See ``judge.Judge``. Every vote is a question of its own, so that the budget ends exactly where it says."""
        inquiry = Inquiry(self._model, Purpose("verify", "verify.judges", "vote"), self.params.verify.max_error_rate)
        if cases:
            inquiry.check_sight()
        questions = ((case, draw) for case in cases for draw in range(self.votes))
        outcomes = inquiry.ask_all(questions, len(cases) * self.votes, partial(self._ask, inquiry))
        verdicts, errors, usage = [], [], Usage()
        for case in cases:
            own = list(islice(outcomes, self.votes))
            verdicts.append(self._verdict(case.query, own))
            error = _error(case.query, own)
            errors += [error] if error else []
            usage = sum((outcome.usage for outcome in own if outcome), usage)
        return Opinions(verdicts, errors, usage)

    def _ask(self, inquiry: Inquiry, question: tuple[Case, int]) -> Outcome[Vote]:
        case, draw = question
        request = request_for(case.query, case.context, self.params.verify.picture_px, draw)
        return inquiry.ask(request, partial(read_vote, absent=not case.query.anchor_ids), _complaint, _REPAIRS)

    def _verdict(self, query: Query, outcomes: Sequence[Outcome[Vote] | None]) -> Verdict:
        """More than half of all asked votes decide, so that a vote that is missing counts for neither side.

        The margin is the share of the most frequent word among all asked votes: the agreement.
        """
        votes = [outcome.value for outcome in outcomes if outcome and outcome.value]
        said = Counter(vote.says for vote in votes)
        margin = max(said.values()) / self.votes if votes else None
        evidence = f"{self._signature}: {_told(votes, self.votes)}"
        if said["yes"] * 2 > self.votes:
            return passed(query, self.check, margin, evidence)
        if said["no"] * 2 > self.votes:
            reasons = Counter(vote.against for vote in votes if vote.against)
            return rejected(query, self.check, min(reasons, key=lambda reason: (-reasons[reason], reason)), evidence, margin)
        return undecided(query, self.check, "judge_unsure" if len(votes) == self.votes else "no_answer", evidence, margin)

    @functools.cached_property
    def _signature(self) -> str:
        backend = self._model.backend
        return f"{backend.model}@{backend.revision}, prompt {prompt_hash()}"


def request_for(query: Query, context: Context, longest_px: int, draw: int) -> ChatRequest:
    """The question about one query: rules, plain picture, marked picture (where there is a target), the text as a JSON string."""
    sample, targets = context.sample, context.targets(query)
    plain, marked = plain_and_marked(sample.image, [anchor.mask_rle for anchor in targets], "box", longest_px)
    shared = {"image": words.modality(sample.modality).image, "absent": not targets, "n_targets": len(targets)}
    asked = render(PROMPTS, "query", body_part=sample.body_part, left=_SIDES.get(sample.image_left_is or ""), text=json.dumps(query.text, ensure_ascii=False), **shared)
    parts: tuple[str | bytes, ...] = (plain, marked, asked) if marked else (plain, asked)
    return ChatRequest(render(PROMPTS, "system", **shared), parts, answer_schema(not targets), "judgement", draw=draw)


def _complaint(faults: list[tuple[str, str]]) -> str:
    return render(PROMPTS, "repair", complaint="; ".join(cause for _, cause in faults[:3]))


def _told(votes: Sequence[Vote], asked: int) -> str:
    """The answers' fields with how often each word was said."""
    counts: dict[str, Counter[str]] = {}
    for vote in votes:
        for name, word in vote.words:
            counts.setdefault(name, Counter())[word] += 1
    fields = [f"{name} {', '.join(f'{word} {n}' for word, n in sorted(said.items()))}" for name, said in counts.items()]
    return f"{len(votes)} of {asked} votes usable" + "".join(f"; {text}" for text in fields)


def _error(query: Query, outcomes: Sequence[Outcome[Vote] | None]) -> ItemError | None:
    """An error value where a case was asked about and no answer was usable."""
    failed = [outcome for outcome in outcomes if outcome and outcome.value is None]
    if not failed or any(outcome and outcome.value for outcome in outcomes):
        return None
    kind, cause = failed[0].faults[0]
    return ItemError(query.query_id, "verify", kind, "", cause)
