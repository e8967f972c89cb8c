"""Two revisions or experiments on the same questions: ``python -m stages.evaluate.compare EXP_A EXP_B``.

Paired differences, B minus A, with intervals by patient, and the answers that changed. Predictions come from the DVC cache, so
that neither needs to be checked out; "workspace" is what lies here. What is not asked in both is left out, with a count.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stages.core.params import ParamError, load_params
from stages.core.records import Example, Prediction, Score
from stages.core.stage import StageError, seed_for
from stages.evaluate.answers import examples_of_test_split, join
from stages.evaluate.bootstrap import Bootstrap, Estimate, Patients, differences, estimates, resolvable
from stages.evaluate.folders import PREDICTIONS, contender_names
from stages.evaluate.measures import MEASURES, ratio_of
from stages.evaluate.revisions import WORKSPACE, Revision
from stages.evaluate.suites import suites_of
from stages.evaluate.table import lay_out, signed

COMPARED = ("acc_at_50", "miou", "pointing", "f1", "multi_object_acc_at_50", "wrong_object_rate", "no_target_acc", "parse_failure_rate")
CHANGES = Path("data/compare")
WON, LOST = "won", "lost"


@dataclass(frozen=True)
class Comparison:
    """One contender in two revisions: per measure both values and B minus A, and the scores of the common examples."""

    contender: str
    values: dict[str, tuple[Estimate, Estimate, Estimate]]
    before: list[Score]
    after: list[Score]

    def changed(self) -> list[tuple[str, int]]:
        """(won or lost, place) of the examples that only one of the two gets right at an IoU of 0.5."""
        pairs = enumerate(zip(self.before, self.after, strict=True))
        return [(WON if b.hit_at_50 else LOST, index) for index, (a, b) in pairs if a.hit_at_50 != b.hit_at_50]


def common_examples(first: Sequence[Example], second: Sequence[Example]) -> list[Example]:
    """Examples of ``second`` that ``first`` asks too: same id, words, picture size and target boxes."""
    asked = {example.example_id: _question(example) for example in first}
    return [example for example in second if asked.get(example.example_id) == _question(example)]


def _question(example: Example) -> tuple[object, ...]:
    return example.text, example.width, example.height, tuple(tuple(box) for box in example.boxes_xyxy_px)


def compare(name: str, examples: Sequence[Example], rows: tuple[list[Prediction], list[Prediction]], bootstrap: Bootstrap) -> Comparison:
    """One contender on the common examples; all differences are paired and share their draws."""
    known = {example.example_id for example in examples}
    suites = [suites_of(example) for example in examples]
    before, after = (join(name, examples, [row for row in part if row.example_id in known], suites).scores for part in rows)
    owners = Patients([score.patient_id for score in after])
    domain = np.array([not example.unseen for example in examples])
    # A corpus of before there were distractors cannot say what lies on one.
    told = any(example.distractors_xyxy_px for example in examples)
    measures = [key for key in COMPARED if told or key != "wrong_object_rate"]
    pairs = [(ratio_of(MEASURES[key], before, domain, owners), ratio_of(MEASURES[key], after, domain, owners)) for key in measures]
    single = estimates([ratio for pair in pairs for ratio in pair], bootstrap)
    apart = differences([(second, first) for first, second in pairs], bootstrap)
    values = {key: (single[2 * at], single[2 * at + 1], apart[at]) for at, key in enumerate(measures)}
    return Comparison(name, values, before, after)


def printed(found: Comparison, names: tuple[str, str], confidence: float, markdown: bool) -> str:
    """The differences of one contender as a table."""
    head = [found.contender, *names, "difference", "resolvable", "n"]
    body = []
    for key, (before, after, apart) in found.values.items():
        if apart.n:
            numbers = [f"{before.value:.3f}", f"{after.value:.3f}", signed(apart.value, apart.low, apart.high)]
            body.append([MEASURES[key].title, *numbers, f"{resolvable(apart, confidence):.3f}", str(apart.n)])
        else:
            body.append([MEASURES[key].title, "-", "-", "no example", "-", "0"])
    return lay_out(head, body, markdown)


def printed_changes(found: Comparison, examples: Sequence[Example], limit: int) -> str:
    """Counts of won and lost answers, and the first of each."""
    changed = found.changed()
    lines = []
    for kind in (WON, LOST):
        places = [index for what, index in changed if what == kind]
        lines.append(f"{found.contender}: {kind} {len(places)}")
        for index in places[:limit]:
            before, after = found.before[index], found.after[index]
            lines.append(f"  {examples[index].example_id}  IoU {before.iou:.2f} -> {after.iou:.2f}  {before.outcome} -> {after.outcome}  {examples[index].text}")
        if len(places) > limit:
            lines.append(f"  ... and {len(places) - limit} more in the CSV file")
    return "\n".join(lines)


def write_changes(path: Path, comparisons: Sequence[Comparison], examples: Sequence[Example]) -> int:
    """All won and lost answers of all contenders; returns their number."""
    rows = []
    for found in comparisons:
        for kind, index in found.changed():
            example, before, after = examples[index], found.before[index], found.after[index]
            told = (example.example_id, example.modality, example.kind, example.label, example.n_same_label, example.text)
            rows.append((found.contender, kind, *told, f"{before.iou:.6f}", f"{after.iou:.6f}", before.outcome, after.outcome))
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        names = ("contender", "change", "example_id", "modality", "kind", "label", "n_same_label", "text", "iou_a", "iou_b", "outcome_a", "outcome_b")
        writer.writerow(names)
        writer.writerows(rows)
    return len(rows)


def contenders_of(first: Revision, second: Revision, wanted: str | None, arms: Sequence[str]) -> list[str]:
    """Contenders that both revisions have predictions of; ``arms`` are those of the workspace, where dropped ones may lie.

    Raises:
        StageError: there is none, or not the wanted one.
    """
    there = {revision.name: set(_contenders(revision, arms)) for revision in (first, second)}
    both = sorted(set.intersection(*there.values()))
    if wanted is not None:
        for name, found in there.items():
            if wanted not in found:
                raise StageError(f"{name} has no predictions of {wanted!r}; it has {', '.join(sorted(found)) or 'none'}")
        return [wanted]
    if not both:
        listing = "; ".join(f"{name}: {', '.join(sorted(found)) or 'none'}" for name, found in there.items())
        raise StageError(f"no contender has predictions in both: {listing}")
    return both


def _contenders(revision: Revision, arms: Sequence[str]) -> list[str]:
    return contender_names(arms) if revision.name == WORKSPACE else revision.folders(PREDICTIONS.as_posix())


def run(arguments: argparse.Namespace) -> None:
    """Compare and print; write the changed answers."""
    params = load_params()
    bootstrap = Bootstrap(params.evaluate.bootstrap_draws, params.evaluate.confidence, seed_for(params.seed, "bootstrap"))
    first, second = Revision(arguments.exp_a), Revision(arguments.exp_b)
    contenders = contenders_of(first, second, arguments.contender, params.finetune.arms)
    asked = [examples_of_test_split(revision.table("data/corpus/examples", Example)) for revision in (first, second)]
    examples = common_examples(*asked)
    if not examples:
        raise StageError(f"{first.name} and {second.name} have no test example in common ({len(asked[0])} and {len(asked[1])})")
    print(f"A = {first.name} ({first.sha[:9]}), B = {second.name} ({second.sha[:9]}); the difference is B - A")
    if len(examples) < max(map(len, asked)):
        print(f"The test sets differ: {len(asked[0])} examples in A, {len(asked[1])} in B; paired on the {len(examples)} that are the same.")
    comparisons = []
    for name in contenders:
        rows = tuple(revision.table((PREDICTIONS / name).as_posix(), Prediction) for revision in (first, second))
        comparisons.append(compare(name, examples, (rows[0], rows[1]), bootstrap))
        print("", printed(comparisons[-1], ("A", "B"), bootstrap.confidence, arguments.markdown), sep="\n")
    for found in comparisons:
        print("", printed_changes(found, examples, arguments.list), sep="\n")
    path = arguments.csv or CHANGES / f"{_plain(first.name)}..{_plain(second.name)}.csv"
    print(f"\n{write_changes(path, comparisons, examples)} changed answers: {path}")


def _plain(name: str) -> str:
    """A revision's name as part of a file name."""
    return "".join(letter if letter.isalnum() or letter in "._-" else "_" for letter in name)


def main() -> None:
    """Read the command line; known errors are one line and status 1."""
    parser = argparse.ArgumentParser(prog="python -m stages.evaluate.compare", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("exp_a", help="git revision, branch, tag or DVC experiment; or: workspace")
    parser.add_argument("exp_b", help="the other one; differences are this one minus the first")
    parser.add_argument("--contender", help="one contender instead of all that both have")
    parser.add_argument("--markdown", action="store_true", help="tables as Markdown")
    parser.add_argument("--list", type=int, default=5, metavar="N", help="won and lost examples to print of each contender (default: 5)")
    parser.add_argument("--csv", type=Path, help="file for all changed answers (default: data/compare/A..B.csv)")
    try:
        run(parser.parse_args())
    except (StageError, ParamError) as error:
        print(f"compare: {error}", file=sys.stderr)
        raise SystemExit(1) from error


if __name__ == "__main__":
    main()
