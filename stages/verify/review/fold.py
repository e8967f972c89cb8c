"""Answers of reviewers, folded back: precision of what was accepted, agreement with the cascade and among the reviewers."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from stages.core.records import Verdict
from stages.core.stage import StageError, count_by
from stages.verify.agreement import cohen_kappa, wilson
from stages.verify.cascade import ACCEPTED, REJECTED, UNDECIDED
from stages.verify.judges.combination import counted
from stages.verify.review.page import REASONS, digest_of
from stages.verify.review.sampling import Judged

if TYPE_CHECKING:
    from pydantic import BaseModel

Said = Literal["accept", "reject", "unsure"]
_AS_FATE = {ACCEPTED: "accept", REJECTED: "reject"}


@dataclass(frozen=True)
class Answer:
    """What one reviewer said of one query before seeing the verdict; ``later`` what after it, where that differs."""

    query_id: str
    digest: str
    verdict: Said
    reason: str | None
    later: Said | None


def _model() -> type[BaseModel]:
    from pydantic import BaseModel, ConfigDict, Field

    class AnswerRow(BaseModel):
        model_config = ConfigDict(extra="forbid")
        query_id: str
        digest: str
        verdict: Said
        reason: str | None
        later: Said | None

    class ReviewFile(BaseModel):
        model_config = ConfigDict(extra="forbid")
        page: str
        reviewer: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")
        answers: list[AnswerRow]

    return ReviewFile


def read_answers(paths: Sequence[Path]) -> dict[str, dict[str, Answer]]:
    """Answers by reviewer and query id. A reviewer may hand in several files, but answers a query once.

    Raises:
        StageError: a file is no download of the page, or a reviewer answers a query differently in two files.
    """
    from pydantic import ValidationError

    found: dict[str, dict[str, Answer]] = defaultdict(dict)
    for path in paths:
        try:
            content = _model().model_validate_json(path.read_text(encoding="utf-8")).model_dump()
        except UnicodeDecodeError as error:
            raise StageError(f"{path} is not UTF-8: hand in what the page downloaded") from error
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the whole"
            raise StageError(f"{path} is no download of the review page ({where}: {first['msg']})") from error
        for row in content["answers"]:
            answer = Answer(**row)
            if answer.reason is not None and answer.reason not in REASONS:
                raise StageError(f"{path}: {answer.query_id}: reason {answer.reason!r} is none of {', '.join(REASONS)}")
            if found[content["reviewer"]].setdefault(answer.query_id, answer) != answer:
                raise StageError(f"{path}: {content['reviewer']!r} has answered {answer.query_id} differently in another file: hand in one of them")
    return dict(found)


def check_answers(answers: Mapping[str, Mapping[str, Answer]], judged: Mapping[str, Judged]) -> None:
    """Every answer is about a query of the present tables, as it stands there.

    Raises:
        StageError: there is no answer, or one is about a query that is gone or reads otherwise now.
    """
    if not any(answers.values()):
        raise StageError("no answer in any file: judge some samples on the page, then download")
    for reviewer, own in answers.items():
        for query_id, answer in own.items():
            if query_id not in judged or digest_of(judged[query_id].query) != answer.digest:
                raise StageError(
                    f"{reviewer!r} has judged {query_id}, which {'reads otherwise' if query_id in judged else 'is not'} in data/verified now: "
                    "fold the answers beside the tables that the page was made from, or make a new page"
                )


def fold(answers: Mapping[str, Mapping[str, Answer]], judged: Mapping[str, Judged], population: Mapping[tuple[str, str, str], int]) -> dict[str, Any]:
    """Metrics of the audit, on what was said before the verdict was seen.

    A query counts once: as what most of its reviewers say (no majority: unsure). ``precision`` is the share of the accepted
    queries that are said to be right, with Wilson's interval; unsure ones are left out and counted. ``precision.weighted``
    weighs each stratum (modality and kind) by its ``population``. ``agreement.cascade`` compares with accepted and rejected.
    """
    opinions = {query_id: consensus([own[query_id].verdict for own in answers.values() if query_id in own]) for query_id in _ids(answers)}
    figures: dict[str, Any] = {
        "reviewers": len(answers),
        "answers": sum(map(len, answers.values())),
        "queries": len(opinions),
        "unsure": sum(said == "unsure" for said in opinions.values()),
        "changed_later": sum(answer.later is not None for own in answers.values() for answer in own.values()),
        "precision": {**_share(opinions, judged, ACCEPTED), **_weighted(opinions, judged, population)},
        "rejected_yet_right": _share(opinions, judged, REJECTED),
        "undecided_yet_right": _share(opinions, judged, UNDECIDED),
        "agreement": _agreement(answers, opinions, judged),
        "reasons": count_by([answer.reason or "none_given" for own in answers.values() for answer in own.values() if answer.verdict == "reject"]),
    }
    return figures


def consensus(said: Sequence[str]) -> str:
    """What more reviewers say than say anything else; unsure where two words are level."""
    (word, count), *others = Counter(said).most_common()
    return "unsure" if others and others[0][1] == count else word


def _ids(answers: Mapping[str, Mapping[str, Answer]]) -> list[str]:
    return sorted({query_id for own in answers.values() for query_id in own})


def _share(opinions: Mapping[str, str], judged: Mapping[str, Judged], fate: str) -> dict[str, Any]:
    """How many queries of a fate are said to be right."""
    said = [word for query_id, word in opinions.items() if judged[query_id].fate == fate and word != "unsure"]
    low, high = wilson(said.count("accept"), len(said))
    return {"n": len(said), "rate": said.count("accept") / len(said), "low": low, "high": high} if said else {"n": 0}


def _weighted(opinions: Mapping[str, str], judged: Mapping[str, Judged], population: Mapping[tuple[str, str, str], int]) -> dict[str, float]:
    """Mean of the strata's rates, weighted by how many accepted queries each has; strata that nobody judged are left out."""
    strata: dict[tuple[str, str, str], list[bool]] = defaultdict(list)
    for query_id, word in opinions.items():
        if judged[query_id].fate == ACCEPTED and word != "unsure":
            strata[judged[query_id].stratum].append(word == "accept")
    total = sum(population[key] for key in strata)
    return {"weighted": sum(population[key] * sum(right) / len(right) for key, right in strata.items()) / total} if strata else {}


def _agreement(answers: Mapping[str, Mapping[str, Answer]], opinions: Mapping[str, str], judged: Mapping[str, Judged]) -> dict[str, Any]:
    """Cohen's kappa with the cascade, of all together and of each reviewer, and between each pair; undefined ones are left out."""
    found = {"cascade": _with_cascade(opinions, judged)}
    for reviewer, own in sorted(answers.items()):
        found[f"cascade_{reviewer}"] = _with_cascade({query_id: answer.verdict for query_id, answer in own.items()}, judged)
    for first, second in combinations(sorted(answers), 2):
        both = sorted(answers[first].keys() & answers[second].keys())
        found[f"{first}_{second}"] = _kappa([(answers[first][one].verdict, answers[second][one].verdict) for one in both])
    return {name: value for name, value in found.items() if value}


def _with_cascade(opinions: Mapping[str, str], judged: Mapping[str, Judged]) -> dict[str, Any]:
    return _kappa([(said, _AS_FATE[judged[one].fate]) for one, said in opinions.items() if said != "unsure" and judged[one].fate in _AS_FATE])


def _kappa(pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
    kappa = cohen_kappa([a for a, _ in pairs], [b for _, b in pairs])
    return {} if kappa is None else {"kappa": kappa, "n": len(pairs)}


def write_reasons(path: Path, answers: Mapping[str, Mapping[str, Answer]], judged: Mapping[str, Judged], verdicts: Mapping[str, Sequence[Verdict]]) -> None:
    """CSV: what the cascade made of the queries and why, what the reviewers said and why, and how often."""
    counts: Counter[tuple[str, str, str, str]] = Counter()
    for own in answers.values():
        for query_id, answer in own.items():
            fate = judged[query_id].fate
            counts[fate, _reason(fate, verdicts.get(query_id, [])), answer.verdict, answer.reason or ""] += 1
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as handle:
        rows = csv.writer(handle, lineterminator="\n")
        rows.writerow(["fate", "cascade_reason", "said", "reason", "n"])
        rows.writerows([*key, n] for key, n in sorted(counts.items()))


def _reason(fate: str, verdicts: Sequence[Verdict]) -> str:
    """The reason that decided: of the check that rejected, else of the first that could not tell."""
    wanted = {REJECTED: False, UNDECIDED: None}
    return next((verdict.reason for verdict in counted(verdicts) if fate in wanted and verdict.passed is wanted[fate]), "ok")
