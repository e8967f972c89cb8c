"""Lines to answers: ingested samples, pictures with masks, and pictures with boxes alone, each through the cascade."""

from __future__ import annotations

import dataclasses
import difflib
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.core.geometry import iou
from stages.core.parallel import split_errors
from stages.core.params import Params
from stages.core.records import Query, Writer
from stages.core.shards import read_frame
from stages.core.stage import StageError
from stages.verify.boxes import BoxContext, box_anchors
from stages.verify.cascade import Judged, SampleJob, fate_of, judge, judge_sample
from stages.verify.context import Context
from stages.verify.foreign.answers import Answer, answer_of, summary, told, understood, written
from stages.verify.foreign.lines import Line, read_lines
from stages.verify.foreign.measured import measured
from stages.verify.foreign.pictures import NoLabelError, labels_of, sample_of, target_boxes, with_masks
from stages.verify.jobs import Pair, jobs_of_pairs, pairs_of
from stages.verify.judges.judge import Judge
from stages.verify.judges.panel import open_judges, sit
from stages.verify.reasons import undecided

SAME_BOX_IOU = 0.5
_WRITER = Writer("elsewhere", "", "", "", 0)


@dataclass(frozen=True)
class Asking:
    """What is asked of the lines: where their pictures are, the parameters, the judges that ask a model."""

    images: Path | None
    params: Params
    judges: dict[str, Judge]


def audit(lines: Sequence[Line], images: Path | None, params: Params) -> list[Answer]:
    """An answer for every line, in the order of the lines.

    Raises:
        StageError: a sample or a picture does not exist, a box, a mask or a label cannot be used; the line is named.
        ParamError: a judge of ``verify.judges`` cannot be opened.
    """
    asking = Asking(images, params, open_judges(params))
    answers = _of_samples([line for line in lines if "sample_id" in line.fields], asking)
    pictures: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        if "image" in line.fields:
            pictures[line.picture].append(line)
    with_mask = [group for group in pictures.values() if any("masks" in line.fields for line in group)]
    answers += _of_masks(with_mask, asking)
    for group in pictures.values():
        if group not in with_mask:
            answers += _of_boxes(group, asking)
    return sorted(answers, key=lambda answer: answer.line)


def _of_samples(lines: Sequence[Line], asking: Asking) -> list[Answer]:
    """Through the stage's own jobs, so that the image judge knows the classes of the dataset."""
    _require_samples(lines)
    answers = []
    by_dataset: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        by_dataset[line.picture.split("/")[0]].append(line)
    for name, own in sorted(by_dataset.items()):
        answers += _judged(pairs_of(name, {line.picture for line in own}), own, asking)
    return answers


def _require_samples(lines: Sequence[Line]) -> None:
    if not lines:
        return
    root = Path("data/samples")
    known = sorted(
        sample_id
        for folder in (sorted(root.iterdir()) if root.is_dir() else [])
        if (folder / "samples").is_dir()
        for sample_id in read_frame(folder / "samples", ["sample_id"])["sample_id"].tolist()
    )
    for line in lines:
        if line.picture not in set(known):
            near = difflib.get_close_matches(line.picture, known, n=3, cutoff=0.0)
            raise StageError(f"line {line.number}: no sample {line.picture!r} in {root}; nearest: {', '.join(near) or 'none, it is empty'}")


def _of_masks(groups: Sequence[Sequence[Line]], asking: Asking) -> list[Answer]:
    if not groups:
        return []
    samples, unnamed = [], []
    for lines in groups:
        group, without = _named(lines)
        unnamed += without
        boxed = next((line for line in group if "boxes" in line.fields), None)
        if boxed is not None:
            raise StageError(f"line {boxed.number}: other lines give masks for the picture {boxed.picture!r}; give this one a mask too")
        samples.append(with_masks(sample_of(lines, asking.images), group, asking.images))
    anchors = measured(samples, asking.params)
    pairs = [(sample, anchors[sample.sample_id]) for sample in samples]
    contexts = {sample.sample_id: Context(sample, own, asking.params.verify) for sample, own in pairs}
    numbers = {line.number for line, _ in unnamed}
    judged = _judged(pairs, [line for group in groups for line in group if line.number not in numbers], asking)
    return judged + [_without_label(line, cause, contexts[line.picture]) for line, cause in unnamed]


def _named(lines: Sequence[Line]) -> tuple[list[Line], list[tuple[Line, str]]]:
    """Lines whose boxes and masks have a label, and those of which nobody says what they show, with the cause."""
    named, unnamed = [], []
    for line in lines:
        try:
            labels_of(line, len(line.fields.get("boxes", line.fields.get("masks", []))))
        except NoLabelError as error:
            unnamed.append((line, str(error)))
        else:
            named.append(line)
    return named, unnamed


def _without_label(line: Line, cause: str, context: Context) -> Answer:
    """Its objects are left out of the picture's, so that nothing can be said of it."""
    query = Query(line.query_id, context.sample.sample_id, [], line.fields["text"], "", "none", None, "phrase", _WRITER)
    verdicts = [undecided(query, "format", "no_label", cause)]
    return answer_of(line, query, context, Judged(query, fate_of(verdicts), verdicts, context.sample.dataset, context.sample.modality))


def _judged(pairs: Sequence[Pair], lines: Sequence[Line], asking: Asking) -> list[Answer]:
    """Answers where there are masks: all checks, all judges."""
    params = asking.params
    contexts = {sample.sample_id: Context(sample, own, params.verify) for sample, own in pairs}
    of_line = {line.query_id: line for line in lines}
    queries: dict[str, list[Query]] = defaultdict(list)
    for line in lines:
        queries[line.picture].append(_query(line, contexts[line.picture], asking))
    by_id = {query.query_id: query for own in queries.values() for query in own}
    _, jobs = jobs_of_pairs(pairs, queries, params)
    judged, errors = split_errors(judge_sample(job, params.verify) for job in jobs)
    judged = sit(judged, jobs, asking.judges, params).judged
    found = {item.query.query_id: item for item in judged} | {error.item_id: error for error in errors}
    return [answer_of(of_line[query_id], query, contexts[query.sample_id], found[query_id]) for query_id, query in by_id.items()]


def _of_boxes(lines: Sequence[Line], asking: Asking) -> list[Answer]:
    """Answers where there are boxes alone: a box has no contour, so that only a judge that asks a model can look."""
    sample = sample_of(lines, asking.images)
    named, unnamed = _named(lines)
    objects = []
    for line in named:
        boxes = target_boxes(line, asking.images, sample.width, sample.height)
        objects += [(label, tuple(box)) for label, box in zip(labels_of(line, len(boxes)), boxes, strict=True)]
    anchors = box_anchors(sample, list(dict.fromkeys(objects)))
    looking = [name for name in asking.params.verify.judges if name in asking.judges]
    params = dataclasses.replace(asking.params, verify=dataclasses.replace(asking.params.verify, judges=looking))
    if looking and not sample.image:
        raise StageError(f"line {lines[0].number}: verify.judges names {', '.join(looking)}, which look at pictures; give --images FOLDER")
    context = BoxContext(sample, anchors, params.verify)
    queries = [_query(line, context, asking) for line in named]
    judged = [judge(query, context) for query in queries]
    if looking:
        judged = sit(judged, [SampleJob(sample, anchors, queries, {})], asking.judges, params).judged
    else:
        for place, item in enumerate(judged):
            if item.query.anchor_ids and all(verdict.passed is not False for verdict in item.verdicts):
                verdicts = [*item.verdicts, undecided(item.query, "evidence", "no_mask", "boxes alone: there is no contour to look at")]
                judged[place] = dataclasses.replace(item, verdicts=verdicts, fate=fate_of(verdicts))
    answers = [answer_of(line, query, context, item) for line, query, item in zip(named, queries, judged, strict=True)]
    return answers + [_without_label(line, cause, context) for line, cause in unnamed]


def _query(line: Line, context: Context, asking: Asking) -> Query:
    """The line as a query; a box without anchor becomes a target that does not exist, and is rejected as such."""
    text, sample = line.fields["text"], context.sample
    labels: list[str] = []
    if "anchor_ids" in line.fields:
        ids = list(line.fields["anchor_ids"])
    elif line.asks:
        ids = sorted(understood(text, context)[1].certain)
    else:
        boxes = target_boxes(line, asking.images, sample.width, sample.height)
        labels = labels_of(line, len(boxes)) if "image" in line.fields else []
        ids = [_nearest_anchor(box, context, labels[number] if labels else None) for number, box in enumerate(boxes)]
    kind = {0: "none", 1: "single"}.get(len(ids), "multi")
    return Query(line.query_id, sample.sample_id, ids, text, labels[0] if labels else "", kind, None, "phrase", _WRITER)


def _nearest_anchor(box: Sequence[float], context: Context, label: str | None) -> str:
    """The anchor that overlaps the box most, of its label where there is one."""
    overlaps = [(iou(box, anchor.box_xyxy_px), anchor.label == label, anchor.anchor_id) for anchor in context.anchors]
    best, _, anchor_id = max(overlaps, default=(0.0, False, ""))
    return anchor_id if best >= SAME_BOX_IOU else f"no anchor at {list(box)}"


def answer_file(path: Path, images: Path | None, out: Path | None, params: Params, called: Mapping[str, str] | None = None, given: Mapping[str, Any] | None = None) -> None:
    """Judge a file's queries, write the answers, and a summary to standard error."""
    answers = audit(read_lines(path, called, given), images, params)
    if out is None:
        sys.stdout.write(written(answers))
    else:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(written(answers), encoding="ascii")
    print(summary(answers), file=sys.stderr)


def answer_text(fields: Mapping[str, Any], images: Path | None, params: Params) -> None:
    """Judge one sentence, with the fields of a line, and tell what was understood and found."""
    sys.stdout.write(told(audit([Line(1, dict(fields))], images, params)[0]))
