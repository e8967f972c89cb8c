"""What is said of each query: the claims read, the objects that satisfy them, the verdict and its reason."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from stages.core.claims import Claim, Selection, select
from stages.core.records import ItemError, Query
from stages.verify.cascade import UNDECIDED, Judged, fate_of
from stages.verify.checks.claims import CHECK, narrowed
from stages.verify.context import Context
from stages.verify.foreign.lines import Line
from stages.verify.reasons import rejected, undecided


@dataclass(frozen=True)
class Answer:
    """What the machine understood and found; ``satisfied`` holds anchors that certainly satisfy the text, ``possible`` those
    that may; ``assumed`` names what the line did not give and was taken from its text."""

    line: int
    id: str
    picture: str
    text: str
    claims: list[dict[str, Any]]
    unread: list[str]
    ambiguous: list[str]
    satisfied: list[str]
    possible: list[str]
    targets: list[str]
    assumed: list[str]
    verdict: str
    reason: str
    evidence: str
    checks: dict[str, str]


def understood(text: str, context: Context) -> tuple[list[Claim], Selection]:
    """The claims of a text, narrowed to what the picture can have, and the anchors that satisfy them (nothing without a claim)."""
    parsed = context.parsed_text(text)
    claims = [narrowed(claim, context.known_labels) for claim in parsed.claims]
    return claims, select(claims, context.scene, context.thresholds) if claims else Selection(frozenset(), frozenset())


def answer_of(line: Line, query: Query, context: Context, judged: Judged | ItemError) -> Answer:
    """The answer to one line, from the cascade's judgement of its query."""
    parsed = context.parsed_text(query.text)
    claims, chosen = understood(query.text, context)
    if isinstance(judged, ItemError):
        verdict, reason, evidence, checks = UNDECIDED, judged.kind, judged.cause, {}
    else:
        judged = _unmet(line, judged, chosen, context)
        deciding = judged.deciding
        verdict, reason, evidence = judged.fate, deciding.reason, deciding.evidence
        checks = {item.check: item.reason for item in judged.verdicts}
    assumed = ["label"] if ("boxes" in line.fields or "masks" in line.fields) and "image" in line.fields and "label" not in line.fields else []
    return Answer(
        line.number, str(line.fields.get("id", "")), line.picture, query.text, [json.loads(claim.to_json()) for claim in claims],
        list(parsed.unread), list(parsed.ambiguous), sorted(chosen.certain), sorted(chosen.possible), list(query.anchor_ids),
        assumed, verdict, reason, evidence, checks,
    )  # fmt: skip


def _unmet(line: Line, judged: Judged, chosen: Selection, context: Context) -> Judged:
    """A sentence that was to find its own target and finds none is not accepted as one about what is not there."""
    last = judged.verdicts[-1]
    by_claims = next((verdict for verdict in judged.verdicts if verdict.check == CHECK), None)
    settled = by_claims is None or by_claims.reason not in ("ok", "absence_unproven", "too_close")
    if not line.asks or judged.query.anchor_ids or settled or (last.check != CHECK and last.passed is False):
        return judged
    if chosen.possible:
        verdict = undecided(judged.query, CHECK, "too_close", f"{', '.join(sorted(chosen.possible))} may satisfy it, nothing does for certain")
    elif context.anchors:
        verdict = rejected(judged.query, CHECK, "no_target", f"none of the picture's {len(context.anchors)} objects satisfies it")
    else:
        verdict = undecided(judged.query, CHECK, "no_mask", "the picture has neither boxes nor masks: the claims are read, and there is nothing to check them on")
    verdicts = [verdict if item is by_claims else item for item in judged.verdicts]
    return dataclasses.replace(judged, verdicts=verdicts, fate=fate_of(verdicts))


def written(answers: Iterable[Answer]) -> str:
    """Answers as JSON lines with sorted keys, in ASCII: control characters of a text reach no terminal."""
    return "".join(json.dumps(dataclasses.asdict(answer), sort_keys=True) + "\n" for answer in answers)


def told(answer: Answer) -> str:
    """One answer for a person to read."""
    said = [" ".join(str(value) for value in claim.values()) for claim in answer.claims]
    rows = {
        "text": json.dumps(answer.text), "understood": "; ".join(said) or "nothing", "not understood": "; ".join(answer.unread),
        "whose side?": ", ".join(answer.ambiguous), "satisfied by": ", ".join(answer.satisfied) or "nothing for certain",
        "perhaps by": ", ".join(sorted(set(answer.possible) - set(answer.satisfied))),
        "meant are": ", ".join(answer.targets), "assumed": ", ".join(answer.assumed),
        "verdict": f"{answer.verdict} ({answer.reason}) {answer.evidence}".strip(),
    }  # fmt: skip
    return "".join(f"{name + ':':16}{value.encode('unicode_escape').decode()}\n" for name, value in rows.items() if value)


def summary(answers: Sequence[Answer]) -> str:
    """How many queries got which verdict, and for which reasons."""
    verdicts = Counter(answer.verdict for answer in answers)
    reasons = Counter(answer.reason for answer in answers if answer.reason != "ok")
    return f"{len(answers)} queries: {_counted(verdicts)}" + (f"; {_counted(reasons)}" if reasons else "")


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{n} {name}" for name, n in sorted(counts.items(), key=lambda item: (-item[1], item[0])))
