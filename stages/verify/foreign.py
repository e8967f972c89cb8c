"""Queries written elsewhere through the same cascade: ``python -m stages.verify --queries FILE.jsonl``, or ``--text``.

Each line of FILE is one JSON object:

    text            the referring expression
    sample_id       an ingested sample (masks): its targets as ``anchor_ids``, or as ``boxes`` that are matched to anchors
    image           or a picture in the folder ``--images`` (or ``width`` and ``height``), with ``modality`` and ``label``:
                    boxes alone. All boxes that the file lists for the picture are its objects.
    boxes           [[x0, y0, x1, y1], ...] in pixels of the picture, half open
    anchor_ids, image_left_is ("patient_left" | "patient_right"), annotated_labels, id      may be left out

Without ``boxes`` and ``anchor_ids`` whatever satisfies the text is taken for its target. Nothing that a text says is executed.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.core.claims import select
from stages.core.geometry import iou
from stages.core.params import Params
from stages.core.records import Anchor, ItemError, Query, Sample, Writer
from stages.core.shards import read_frame
from stages.core.stage import StageError
from stages.knowledge.labels import UnknownLabelError
from stages.knowledge.words import modalities
from stages.verify.boxes import BoxContext, box_anchors
from stages.verify.cascade import UNDECIDED, Judged, SampleJob, fate_of, judge, judge_sample
from stages.verify.checks.claims import narrowed
from stages.verify.context import Context
from stages.verify.jobs import jobs_of, pairs_of
from stages.verify.parser import Parsed, parse
from stages.verify.reasons import undecided

FIELDS = {
    "text": str, "id": str, "sample_id": str, "image": str, "boxes": list, "anchor_ids": list, "label": str, "modality": str,
    "image_left_is": str, "annotated_labels": list, "width": int, "height": int,
}  # fmt: skip
SAME_BOX_IOU = 0.5
MOST_FAULTS_SHOWN = 20
_WRITER = Writer("elsewhere", "", "", "", 0)


@dataclass(frozen=True)
class Line:
    """One query of a file, with the number of its line."""

    number: int
    fields: dict[str, Any]

    @property
    def picture(self) -> str:
        """What its boxes belong to: the sample's id or the picture's name."""
        return self.fields.get("sample_id") or self.fields["image"]


@dataclass(frozen=True)
class Answer:
    """What the machine understood and found; ``satisfied`` holds anchors that certainly satisfy the text, ``possible`` those that may."""

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
    verdict: str
    reason: str
    evidence: str
    checks: dict[str, str]


def read_lines(path: Path) -> list[Line]:
    """The queries of a file, every line checked.

    Raises:
        StageError: names each bad line with its number, the field, and what is expected.
    """
    lines, faults = [], []
    for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not text.strip():
            continue
        try:
            fields = json.loads(text)
        except ValueError as error:
            faults.append(f"line {number}: no JSON ({error})")
            continue
        fault = line_fault(fields)
        if fault:
            faults.append(f"line {number}: {fault}")
        lines.append(Line(number, fields))
    if faults:
        more = f"\n... and {len(faults) - MOST_FAULTS_SHOWN} more" if len(faults) > MOST_FAULTS_SHOWN else ""
        raise StageError(f"{path}:\n" + "\n".join(faults[:MOST_FAULTS_SHOWN]) + more)
    return lines


def line_fault(fields: Any) -> str:
    """What is wrong with a line's object; empty when nothing is."""
    if not isinstance(fields, dict):
        return f"expected an object with the fields {', '.join(FIELDS)}, got {type(fields).__name__}"
    for name, value in fields.items():
        if name not in FIELDS:
            near = difflib.get_close_matches(name, FIELDS, n=1, cutoff=0.0)
            return f"unknown field {name!r}; nearest: {near[0]!r}"
        if not isinstance(value, FIELDS[name]) or isinstance(value, bool):
            return f"field {name!r}: expected {FIELDS[name].__name__}, got {json.dumps(value)[:60]}"
    if "text" not in fields:
        return "field 'text' is missing"
    if ("sample_id" in fields) == ("image" in fields):
        return "expected either field 'sample_id' or field 'image'"
    return _list_fault(fields) or ("" if "sample_id" in fields else _picture_fault(fields))


def _list_fault(fields: dict[str, Any]) -> str:
    for box in fields.get("boxes", []):
        if not (isinstance(box, list) and len(box) == 4 and all(isinstance(v, int | float) and not isinstance(v, bool) for v in box)):
            return f"field 'boxes': expected lists of four numbers [x0, y0, x1, y1], got {json.dumps(box)[:60]}"
    for name in ("anchor_ids", "annotated_labels"):
        if not all(isinstance(entry, str) for entry in fields.get(name, [])):
            return f"field {name!r}: expected a list of strings"
    return "expected either field 'boxes' or field 'anchor_ids'" if {"boxes", "anchor_ids"} <= set(fields) else ""


def _picture_fault(fields: dict[str, Any]) -> str:
    if fields.get("modality") not in modalities():
        return f"field 'modality': expected one of {', '.join(modalities())}, got {fields.get('modality')!r}"
    if fields.get("image_left_is", "patient_left") not in ("patient_left", "patient_right"):
        return f"field 'image_left_is': expected 'patient_left' or 'patient_right', got {fields['image_left_is']!r}"
    if "anchor_ids" in fields:
        return "field 'anchor_ids' belongs to a 'sample_id'; a picture has 'boxes'"
    if fields.get("boxes") and "label" not in fields:
        return "field 'label' is missing: what the boxes show, as in stages/knowledge/labels.yaml"
    return ""


def audit(lines: Sequence[Line], images: Path | None, params: Params) -> list[Answer]:
    """An answer for every line, in the order of the lines.

    Raises:
        StageError: a sample or a picture does not exist, a box or a label cannot be used; the line is named.
    """
    answers = _of_samples([line for line in lines if "sample_id" in line.fields], params)
    pictures: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        if "image" in line.fields:
            pictures[line.picture].append(line)
    for group in pictures.values():
        answers += _of_boxes(group, images, params)
    return sorted(answers, key=lambda answer: answer.line)


def _of_samples(lines: Sequence[Line], params: Params) -> list[Answer]:
    """Through the stage's own jobs, so that the image judge knows the classes; models are not asked."""
    if not lines:
        return []
    wanted = {line.picture for line in lines}
    _require_samples(lines, wanted)
    datasets = sorted({sample_id.split("/")[0] for sample_id in wanted})
    contexts = {sample.sample_id: Context(sample, own, params.verify) for name in datasets for sample, own in pairs_of(name, wanted)}
    queries: dict[str, list[Query]] = defaultdict(list)
    for line in lines:
        queries[line.picture].append(_query(line, contexts[line.picture]))
    of_query = {f"line {line.number:09d}": line for line in lines}
    restricted = dataclasses.replace(params, datasets={name: params.datasets.get(name) for name in datasets})  # type: ignore[arg-type]
    answers = []
    for _, jobs in jobs_of(restricted, queries):
        for job in jobs:
            for item in judge_sample(job, params.verify):
                query_id = item.item_id if isinstance(item, ItemError) else item.query.query_id
                answers.append(_answer(of_query[query_id], contexts[job.sample.sample_id], item, job))
    return answers


def _require_samples(lines: Sequence[Line], wanted: set[str]) -> None:
    root = Path("data/samples")
    known = sorted(
        sample_id
        for folder in (sorted(root.iterdir()) if root.is_dir() else [])
        if (folder / "samples").is_dir()
        for sample_id in read_frame(folder / "samples", ["sample_id"])["sample_id"].tolist()
    )
    for line in lines:
        if line.picture in wanted - set(known):
            near = difflib.get_close_matches(line.picture, known, n=3, cutoff=0.0)
            raise StageError(f"line {line.number}: no sample {line.picture!r} in {root}; nearest: {', '.join(near) or 'none, it is empty'}")


def _of_boxes(lines: Sequence[Line], images: Path | None, params: Params) -> list[Answer]:
    first = lines[0]
    sample = _sample_of(lines, images)
    objects = list(dict.fromkeys((line.fields["label"], tuple(box)) for line in lines for box in line.fields.get("boxes", [])))
    try:
        anchors = box_anchors(sample, objects)
    except (UnknownLabelError, ValueError) as error:
        raise StageError(f"line {first.number} and those of the same picture: {error}") from error
    # No judge looks: a box has no contour.
    context = BoxContext(sample, anchors, dataclasses.replace(params.verify, judges=[]))
    answers = []
    for line in lines:
        query = _query(line, context)
        judged = judge(query, context)
        if all(verdict.passed is not False for verdict in judged.verdicts) and query.anchor_ids:
            open_verdict = undecided(query, "evidence", "no_mask", "boxes alone: there is no contour to look at")
            judged = dataclasses.replace(judged, verdicts=[*judged.verdicts, open_verdict], fate=fate_of([*judged.verdicts, open_verdict]))
        answers.append(_answer(line, context, judged, None))
    return answers


def _sample_of(lines: Sequence[Line], images: Path | None) -> Sample:
    """A sample of the picture's size; what lines of one picture say of it must agree."""
    first = lines[0]
    said = {name: {line.fields.get(name) for line in lines} for name in ("modality", "image_left_is", "width", "height")}
    unlike = next((name for name, values in said.items() if len(values) > 1), None)
    if unlike:
        raise StageError(f"line {first.number}: lines of the picture {first.picture!r} differ in field {unlike!r}")
    content, width, height = _picture(first, images)
    marked = sorted({label for line in lines for label in line.fields.get("annotated_labels", [])})
    return Sample(
        sample_id=first.picture, dataset="elsewhere", case_id="", patient_id="", modality=first.fields["modality"], body_part="",
        plane=None, slice_index=None, image=content, width=width, height=height, spacing_mm=None,
        image_left_is=first.fields.get("image_left_is"), transform="{}", objects=[], annotated_labels=marked, source_files=[],
        licence="", flags=[],
    )  # fmt: skip


def _picture(line: Line, images: Path | None) -> tuple[bytes, int, int]:
    """(bytes, width, height) of a line's picture."""
    if images is None:
        if not {"width", "height"} <= set(line.fields):
            raise StageError(f"line {line.number}: the size of {line.picture!r} is unknown; give --images FOLDER, or fields 'width' and 'height'")
        return b"", line.fields["width"], line.fields["height"]
    import cv2

    path = images / line.picture
    if not path.resolve().is_relative_to(images.resolve()) or not path.is_file():
        raise StageError(f"line {line.number}: no picture {line.picture!r} in the folder {images}")
    decoded = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if decoded is None:
        raise StageError(f"line {line.number}: {line.picture!r} cannot be read as a picture; expected PNG, JPEG, BMP or TIFF")
    return path.read_bytes(), decoded.shape[1], decoded.shape[0]


def _query(line: Line, context: Context) -> Query:
    """The line as a query; a box without anchor becomes a target that does not exist, and is rejected as such."""
    text, label = line.fields["text"], line.fields.get("label", "")
    if "anchor_ids" in line.fields:
        ids = list(line.fields["anchor_ids"])
    elif "boxes" in line.fields:
        ids = [_nearest_anchor(box, context.anchors) for box in line.fields["boxes"]]
    else:
        parsed = parse(text, context.sample.modality, context.sample.image_left_is)
        claims = [narrowed(claim, context.known_labels) for claim in parsed.claims]
        ids = sorted(select(claims, context.scene, context.thresholds).certain) if claims else []
    kind = {0: "none", 1: "single"}.get(len(ids), "multi")
    return Query(f"line {line.number:09d}", context.sample.sample_id, ids, text, label, kind, None, "phrase", _WRITER)


def _nearest_anchor(box: Sequence[float], anchors: Sequence[Anchor]) -> str:
    overlaps = [(iou(box, anchor.box_xyxy_px), anchor.anchor_id) for anchor in anchors]
    best, anchor_id = max(overlaps, default=(0.0, ""))
    return anchor_id if best >= SAME_BOX_IOU else f"no anchor at {list(box)}"


def _answer(line: Line, context: Context, judged: Judged | ItemError, job: SampleJob | None) -> Answer:
    parsed: Parsed = parse(line.fields["text"], context.sample.modality, context.sample.image_left_is)
    claims = [narrowed(claim, context.known_labels) for claim in parsed.claims]
    chosen = select(claims, context.scene, context.thresholds) if claims else None
    query = next(query for query in job.queries if query.query_id == judged.item_id) if job and isinstance(judged, ItemError) else None
    if isinstance(judged, ItemError):
        verdict, reason, evidence, checks = UNDECIDED, judged.kind, judged.cause, {}
        targets = query.anchor_ids if query else []
    else:
        deciding = judged.deciding
        verdict, reason, evidence = judged.fate, deciding.reason, deciding.evidence
        checks = {item.check: item.reason for item in judged.verdicts}
        targets = judged.query.anchor_ids
    return Answer(
        line.number, line.fields.get("id", ""), line.picture, line.fields["text"], [json.loads(claim.to_json()) for claim in claims],
        list(parsed.unread), list(parsed.ambiguous), sorted(chosen.certain) if chosen else [], sorted(chosen.possible) if chosen else [],
        targets, verdict, reason, evidence, checks,
    )  # fmt: skip


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


def answer_file(path: Path, images: Path | None, out: Path | None, params: Params) -> None:
    """Judge a file's queries, write the answers, and a summary to standard error."""
    answers = audit(read_lines(path), images, params)
    if out is None:
        sys.stdout.write(written(answers))
    else:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(written(answers), encoding="ascii")
    print(summary(answers), file=sys.stderr)


def answer_text(text: str, sample_id: str, params: Params) -> None:
    """Judge one sentence about an ingested sample and tell what was understood and found."""
    sys.stdout.write(told(audit([Line(1, {"text": text, "sample_id": sample_id})], None, params)[0]))
