"""The stage: a dataset's folder -> samples, errors, figures."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from stages.core.parallel import Workers, ordered_map
from stages.core.params import IngestParams, ParamError, Params, require
from stages.core.records import ItemError, Sample
from stages.core.shards import write_table
from stages.core.stage import StageError, check_error_rate, count_by, write_errors
from stages.ingest.card import Card, load_card
from stages.ingest.cases import Case, Found, refuse_outside
from stages.ingest.faults import STAGE, Fault
from stages.ingest.privacy import key_kind
from stages.ingest.quality import ALWAYS_SHOWN, ODD_COLOUR, UNMATCHED, duplicate_flags, odd_ones
from stages.ingest.readers import READERS
from stages.ingest.readers.base import Source
from stages.ingest.samples import CaseResult, ingest_case
from stages.knowledge.labels import labels


def ingest(dataset: str, params: Params) -> dict[str, Any]:
    """Write ``data/samples/<dataset>/{samples,errors}`` and return the figures.

    Raises:
        StageError: unknown dataset, missing folder, nothing found, or too many faults.
        ParamError: the card or the parameters are wrong.
    """
    if dataset not in params.datasets:
        raise StageError(f"dataset {dataset!r} is not in params.yaml under `datasets`; known: {', '.join(sorted(params.datasets))}")
    spec = params.datasets[dataset]
    card = load_card(spec.card)
    if card.name != dataset:
        raise ParamError(f"{spec.card}:name is {card.name!r}, but params.yaml calls the dataset {dataset!r}: ids are made of it, so use one name")
    check_limits(params.ingest)
    source = open_source(card, Path(spec.root), params.ingest, f"datasets.{dataset}.root")
    found, results = read_source(source, params.engine)
    lost = found.errors + [error for result in results for error in result.lost]
    partial = [error for result in results for error in result.partial]
    out = Path("data/samples") / dataset
    out.mkdir(parents=True, exist_ok=True)
    write_errors(out / "errors", lost + partial)
    check_error_rate(STAGE, lost, len(found.cases) + len(found.errors), params.ingest.max_error_rate)
    if partial:
        check_error_rate(STAGE, partial, found.n_masks, params.ingest.max_error_rate)
    samples = [sample for result in results for sample in result.samples]
    write_table(out / "samples", Sample, samples)
    figures_of_run = figures(samples, sorted(set(lost + partial), key=repr), found, results, params.ingest.near_duplicate_bits)
    return figures_of_run | {"privacy": privacy_figures(card, results)} if card.hash_patients else figures_of_run


def check_limits(limits: IngestParams) -> None:
    """Ranges of the ``ingest`` block."""
    require(0 <= limits.max_error_rate <= 1, "ingest.max_error_rate", "a share in [0, 1]", limits.max_error_rate)
    for name in ("max_slices_per_volume", "max_slices_per_label", "min_slice_gap", "min_object_px", "max_pixels", "max_side_px"):
        require(getattr(limits, name) >= 1, f"ingest.{name}", "at least 1", getattr(limits, name))
    require(0 <= limits.near_duplicate_bits <= 64, "ingest.near_duplicate_bits", "a number of bits from 0 to 64", limits.near_duplicate_bits)
    kinds = sorted({entry.kind for entry in labels().values()})
    for kind, share in limits.min_coverage.items():
        require(kind in kinds, f"ingest.min_coverage.{kind}", f"a kind of labels.yaml ({', '.join(kinds)})", kind)
        require(0 <= share < 1, f"ingest.min_coverage.{kind}", "a share in [0, 1)", share)


def open_source(card: Card, root: Path, limits: IngestParams, where: str) -> Source:
    """Card and folder together.

    Raises:
        ParamError: no such reader.
        StageError: the folder is missing.
    """
    if card.reader not in READERS:
        raise ParamError(f"card {card.name}: no reader {card.reader!r}; there are {', '.join(sorted(READERS))}")
    if not root.is_dir():
        raise StageError(f"the folder {root} of {card.name} is not there: mend {where}, fetch the data from {card.url}, or drop the dataset from params.yaml")
    return Source(card, root, limits)


def read_source(source: Source, workers: Workers) -> tuple[Found, list[CaseResult]]:
    """All cases of a folder, in the order of their ids."""
    found = find_cases(source)
    return found, read_cases(source, found, workers)


def find_cases(source: Source) -> Found:
    """The cases of a folder, each id once, none with a file outside the root."""
    found = _without_duplicates(READERS[source.card.reader].find(source.card, source.root), source.card)
    return refuse_outside(found, source.card, source.root)


def read_cases(source: Source, found: Found, workers: Workers) -> list[CaseResult]:
    """What became of each case, in their order; with a progress bar that shows rate and remaining time."""
    return ordered_map(ingest_case, [(case, source) for case in found.cases], workers, f"{STAGE} {source.card.name}")


def _without_duplicates(found: Found, card: Card) -> Found:
    """Cases with one id each; a later case of the same id is an error, not an overwrite."""
    first: dict[tuple[str, str], Case] = {}
    errors = list(found.errors)
    for case in sorted(found.cases, key=lambda case: (case.case_id, case.view, case.image)):
        earlier = first.setdefault((case.case_id, case.view), case)
        if earlier is not case:
            cause = f"it has the same case and view as {earlier.image}: let the card's pattern tell them apart ({{case:[^/]+/[^/]+}} takes the folder into the id)"
            errors.append(Fault("duplicate_id", case.image, cause).as_error(f"{card.name}/{case.case_id}"))
    return Found(list(first.values()), errors, found.unmatched, found.n_masks)


def figures(samples: list[Sample], errors: list[ItemError], found: Found, results: list[CaseResult], near_bits: int) -> dict[str, Any]:
    """The keys of metrics/ingest/<dataset>.json; ``quality.FLAGS`` says what each flag counts."""
    flags: Counter[str] = Counter()
    for result in results:
        flags.update(result.flags)
    flags.update(duplicate_flags(samples, [value for result in results for value in result.hashes], near_bits))
    flags.update({ODD_COLOUR: len(odd_ones(samples)), UNMATCHED: len(found.unmatched)})
    splits = [sample.source_split for sample in samples if sample.source_split is not None]
    return {
        "images": len(samples),
        "cases": len({sample.case_id for sample in samples}),
        "patients": len({sample.patient_id for sample in samples}),
        "objects": sum(len(sample.objects) for sample in samples),
        "labels": count_by([item.label for sample in samples for item in sample.objects]),
        "errors": count_by([error.kind for error in errors]),
        "flags": {name: flags[name] for name in sorted(flags) if flags[name] or name in ALWAYS_SHOWN},
        **({"source_split": count_by(splits)} if splits else {}),
    }


def privacy_figures(card: Card, results: list[CaseResult]) -> dict[str, Any]:
    """Whose key patients were hashed with, never the key; and files with identifying attributes that were left behind."""
    dropped = sum((result.dropped for result in results), Counter())
    return {"private_key": int(key_kind() == "private"), "public_key": int(key_kind() == "public"), "dropped": dict(sorted(dropped.items()))}
