"""``--check``: what a card makes of a folder, in words and one picture, before the pipeline sees it. No data is written."""

from __future__ import annotations

import dataclasses
import re
import statistics
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from stages.core.geometry import decode_mask
from stages.core.params import IngestParams, ParamError, load_params
from stages.core.records import ItemError, Sample
from stages.core.stage import StageError
from stages.ingest.card import Card, load_card
from stages.ingest.cases import Found
from stages.ingest.explain import explain_patterns
from stages.ingest.faults import KINDS
from stages.ingest.holes import filled_holes
from stages.ingest.objects import ObjectMask, is_code
from stages.ingest.quality import FLAGS, HOLE_FILLED, LOW_COVERAGE, ODD_COLOUR, odd_ones
from stages.ingest.run import check_limits, figures, find_cases, open_source, read_cases
from stages.ingest.samples import CaseResult
from stages.ingest.sheet import choose_samples, draw_sheet
from stages.knowledge.labels import UnknownLabelError, canonical

FAULTS_OF_A_KIND = 3
_UNKNOWN = re.compile(r"label '(?P<source>.*?)' is not in the card")


def main(card_path: str, root: str, overlay: str, limit: int | None = None) -> None:
    """Print the findings and draw the overlay; a card that the stage would stop at ends with one message and status 1.

    ``limit`` reads only so many cases, spread evenly over the set.
    """
    try:
        params = load_params()
        check_limits(params.ingest)
        card = load_card(card_path)
        source = open_source(card, Path(root), params.ingest, "--root")
        print("\n".join([head(card), *explain_patterns(card, source.root)]), flush=True)
        found = find_cases(source)
        part = spread(found, limit)
        results = read_cases(source, part, params.engine)
        print("\n".join(describe(card, found, part, results, params.ingest)))
        samples = [sample for result in results for sample in result.samples]
        if samples:
            chosen = choose_samples(samples)
            draw_sheet(chosen).save(overlay)
            print(f"overlay: {overlay} {shown(chosen, samples)}: look at it; outlines must lie on what they are called, R and L at the patient's sides")
        lost = verdict(part, results, params.ingest)
    except (ParamError, StageError, PermissionError) as error:
        print(f"\ningest --check: {error}", file=sys.stderr)
        raise SystemExit(1) from error
    print("this card is usable" if not lost else f"this card is usable, but {lost}: see faults")


def shown(chosen: Sequence[Sample], samples: Sequence[Sample]) -> str:
    """How much of the set the overlay shows."""
    cases, all_cases = (len({sample.case_id for sample in some}) for some in (chosen, samples))
    return f"shows {len(chosen)} of {len(samples)} pictures, of {cases} of {all_cases} cases"


def spread(found: Found, limit: int | None) -> Found:
    """The same findings with at most ``limit`` cases, evenly spread over them."""
    if limit is None or limit >= len(found.cases):
        return found
    places = [number * len(found.cases) // limit for number in range(limit)]
    return dataclasses.replace(found, cases=[found.cases[place] for place in places])


def verdict(found: Found, results: Sequence[CaseResult], limits: IngestParams) -> str:
    """What is lost, in words ("2 of 10 pictures are lost"), empty where nothing is; raises what the stage would stop at.

    Raises:
        StageError: no sample, or more faults than ``max_error_rate`` allows.
    """
    lost = found.errors + [error for result in results for error in result.lost]
    partial = [error for result in results for error in result.partial]
    for errors, items, what in ((lost, len(found.cases) + len(found.errors), "items"), (partial, found.n_masks, "masks")):
        failed = len({(error.item_id, error.file) for error in errors})
        if failed and failed / max(items, failed) > limits.max_error_rate:
            share = f"{failed} of {max(items, failed)} {what} failed, more than ingest.max_error_rate = {limits.max_error_rate} allows"
            raise StageError(f"not usable yet: {share}. Mend what stands under `faults` above: the card, or the files")
    if not any(result.samples for result in results):
        raise StageError("not usable yet: no picture became a sample. Mend the patterns of the card until they take images and masks")
    pictures, masks = len(set(lost)), len({(error.item_id, error.file, error.cause) for error in partial})
    read = pictures + sum(len(result.samples) for result in results)
    told = [f"{pictures} of {read} pictures {'is' if pictures == 1 else 'are'} lost"] if pictures else []
    return " and ".join([*told, *([f"{masks} mask{' is' if masks == 1 else 's are'} lost"] if masks else [])])


def head(card: Card) -> str:
    """The card in a line."""
    return f"{card.name}: {card.modality} of {card.body_part}, reader {card.reader}, licence {card.licence or 'not known'}"


def describe(card: Card, found: Found, part: Found, results: Sequence[CaseResult], limits: IngestParams) -> list[str]:
    """Lines of plain words: counts, sizes, sides, labels, flags, faults. ``part`` are the cases that were read."""
    samples = [sample for result in results for sample in result.samples]
    errors = part.errors + [error for result in results for error in (*result.lost, *result.partial)]
    patients = len({sample.patient_id for sample in samples})
    lines = [f"{len(found.cases)} cases with {found.n_masks} masks"]
    if len(part.cases) < len(found.cases):
        lines.append(f"read only {len(part.cases)} cases, evenly spread (--limit): all counts below are of those")
    lines.append(f"-> {len(samples)} pictures of {patients} patients")
    if samples:
        lines += _facts(samples)
        lines += _labels(card, samples)
    counted = figures(samples, sorted(set(errors), key=repr), part, list(results), limits.near_duplicate_bits)
    lines += _flags(counted["flags"], samples) + _hints(card, samples)
    return [*lines, *_faults(errors)]


def _facts(samples: Sequence[Sample]) -> list[str]:
    sizes = Counter(f"{sample.width} x {sample.height}" for sample in samples)
    return [
        f"picture sizes (stored, width x height): {_most(sizes)}",
        f"spacing in mm [row, column]: {_most(Counter(_spacing(sample) for sample in samples))}",
        f"picture's left side is: {_most(Counter(sample.image_left_is or 'not known' for sample in samples))}",
        f"planes: {_most(Counter(sample.plane or 'none' for sample in samples))}",
        f"licences: {_most(Counter(sample.licence for sample in samples))}",
        f"official split: {_most(Counter(sample.source_split or 'none' for sample in samples))}",
    ]


def _spacing(sample: Sample) -> str:
    return "not known" if sample.spacing_mm is None else str([round(value, 3) for value in sample.spacing_mm])


def _most(counts: Counter[str]) -> str:
    named = ", ".join(f"{value} ({count})" for value, count in counts.most_common(4))
    return named + (f", and {len(counts) - 4} others" if len(counts) > 4 else "")


def _labels(card: Card, samples: Sequence[Sample]) -> list[str]:
    """Each label of the card with its objects, pictures and sizes; those that were never seen say so."""
    shares: dict[str, list[float]] = defaultdict(list)
    pictures: dict[str, set[str]] = defaultdict(set)
    sources: dict[str, Counter[str]] = defaultdict(Counter)
    for sample in samples:
        for item in sample.objects:
            shares[item.label].append(100 * _area(item.mask_rle) / (sample.width * sample.height))
            pictures[item.label].add(sample.sample_id)
            sources[item.label][item.label_source] += 1
    lines = ["labels (objects, pictures, share of the picture: median and range, what the source calls them):"]
    for name, entry in card.labels.items():
        if not shares[name]:
            lines.append(f"  {name}: never seen (sources {', '.join(map(str, entry.sources))})")
            continue
        size = f"{statistics.median(shares[name]):.2g}% ({min(shares[name]):.2g} to {max(shares[name]):.2g})"
        lines.append(f"  {name}: {len(shares[name])}, {len(pictures[name])}, {size}, {_most(sources[name])}")
    empty = sum(not sample.objects for sample in samples)
    return [*lines, *([f"  pictures without any object: {empty}"] if empty else [])]


def _area(rle: object) -> int:
    from pycocotools import mask as coco

    return int(coco.area({"size": rle.size, "counts": rle.counts.encode()}))  # type: ignore[attr-defined]


def _flags(flags: dict[str, int], samples: Sequence[Sample]) -> list[str]:
    lines = []
    for name, count in flags.items():
        meaning = FLAGS.get(LOW_COVERAGE if name.startswith(LOW_COVERAGE) else name, "")
        examples = odd_ones(samples)[:3] if name == ODD_COLOUR else [sample.sample_id for sample in samples if name in sample.flags][:1]
        lines += [f"  {name}: {count} ({meaning})" + _such_as(examples)] if count else []
    return ["flags (counts of pictures unless said otherwise):", *lines] if lines else ["flags: none"]


def _hints(card: Card, samples: Sequence[Sample]) -> list[str]:
    """For holes of one label that another fills: which sources to list twice."""
    pairs: Counter[tuple[str, str]] = Counter()
    for sample in samples:
        if HOLE_FILLED in sample.flags:
            pairs.update(filled_holes([ObjectMask(item.label, item.label_source, item.semantic, decode_mask(item.mask_rle)) for item in sample.objects]))
    lines = []
    for (whole, part), count in sorted(pairs.items()):
        sources = ", ".join(map(str, card.labels[part].sources))
        lines.append(f"  {part} fills holes of {whole} in {count} pictures: if {part} lies in {whole}, list its source ({sources}) under both")
    return lines


def _such_as(names: Iterable[str]) -> str:
    listed = ", ".join(names)
    return f", such as {listed}" if listed else ""


def _faults(errors: Sequence[ItemError]) -> list[str]:
    """Faults by kind with the first of each; labels that the card does not know with what they may be."""
    if not errors:
        return ["faults: none"]
    by_kind: dict[str, list[ItemError]] = defaultdict(list)
    for error in sorted(set(errors), key=repr):
        by_kind[error.kind].append(error)
    lines = [f"faults: {sum(map(len, by_kind.values()))}"]
    for kind, group in sorted(by_kind.items(), key=lambda entry: -len(entry[1])):
        lines.append(f"  {kind}: {len(group)} ({KINDS.get(kind, '')})")
        distinct = list(dict.fromkeys(f"    {error.file or error.item_id}: {error.cause}" for error in group))
        lines += distinct[:FAULTS_OF_A_KIND]
    unknown = Counter(match["source"] for error in errors if (match := _UNKNOWN.search(error.cause)))
    return lines + [f"  label {source!r} of the source ({count} faults): {_meaning(source)}" for source, count in sorted(unknown.items())]


def _meaning(source: str) -> str:
    if is_code(source):
        return "add it to the `sources` of what it marks under `labels`, or to `ignored_sources`"
    try:
        return f"may be the canonical label {canonical(source).name!r}: add it under `labels`, or to `ignored_sources`"
    except UnknownLabelError as error:
        return f"add it to the `sources` of what it means under `labels`, or to `ignored_sources` ({error})"
