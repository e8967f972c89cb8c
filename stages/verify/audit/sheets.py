"""Contact sheets of the audit's trials, to look at what was caught and what was not: ``python -m stages.verify.audit.sheets``.

Each cell shows the picture, its part about the target, and below them the text, what was planted, and the verdict. Green:
what is annotated; red: what was planted. Where nothing was drawn anew (the fault is in the text), red boxes mark the
targets that the query claims.
"""

from __future__ import annotations

import argparse
import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from stages.core.params import ParamError, Params, load_params
from stages.core.records import Anchor, Sample
from stages.core.shards import iter_table, read_table
from stages.core.stage import StageError, seed_for
from stages.verify.audit.cells import sheet_of
from stages.verify.audit.run import PLANTERS
from stages.verify.audit.trial import CLEAN, Trial

FOLDER = Path("data/audit")
OUT = Path("data/audit_sheets")
PER_SHEET = 10
TABLES = ("catches", "misses", "lost")
log = logging.getLogger("medground")


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line, write the sheets and say where they lie."""
    parser = argparse.ArgumentParser(prog="python -m stages.verify.audit.sheets", description=__doc__)
    parser.add_argument("--fault", choices=sorted(PLANTERS), help="one kind of fault (default: all)")
    parser.add_argument("--dataset", help="one dataset (default: all)")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--misses", action="store_true", help="every planted fault that was accepted, instead of some catches")
    which.add_argument("--lost", action="store_true", help="every untouched query that was not accepted")
    parser.add_argument("--catches", type=int, default=PER_SHEET, help=f"catches of each kind (default: {PER_SHEET})")
    parser.add_argument("--out", type=Path, default=OUT, help=f"where the sheets go (default: {OUT})")
    given = parser.parse_args(arguments)
    if given.catches < 1 or (given.lost and given.fault):
        parser.error("--catches must be at least 1, and --lost goes without --fault")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    table = "misses" if given.misses else "lost" if given.lost else "catches"
    try:
        params = load_params()
        chosen = choose(read_table(FOLDER / table, Trial), params.seed, given.fault, given.dataset, given.catches if table == "catches" else None)
        written = write_sheets(chosen, table, params, given.out)
    except (StageError, ParamError, FileNotFoundError, NotADirectoryError) as error:
        raise SystemExit(f"audit: {error}") from error
    print(f"{given.out}: {sum(map(len, chosen.values()))} trials on {len(written)} sheets")


def choose(trials: Iterable[Trial], seed: int, fault: str | None, dataset: str | None, most: int | None) -> dict[str, list[Trial]]:
    """Trials by fault, a seeded choice of at most ``most`` of each (None: all), those of one dataset side by side.

    Raises:
        StageError: nothing of this kind is in the table.
    """
    found: dict[str, list[Trial]] = defaultdict(list)
    for trial in sorted(trials, key=lambda trial: seed_for(seed, "audit", "shown", trial.trial_id)):
        fits = fault in (None, trial.fault) and dataset in (None, trial.dataset)
        if fits and (most is None or len(found[trial.fault]) < most):
            found[trial.fault].append(trial)
    if not found:
        raise StageError(f"data/audit holds no such trial (fault {fault or 'any'}, dataset {dataset or 'any'})")
    return {name: sorted(own, key=lambda trial: (trial.dataset, trial.trial_id)) for name, own in sorted(found.items())}


def write_sheets(chosen: dict[str, list[Trial]], table: str, params: Params, out: Path) -> list[Path]:
    """One or several PNG files for each fault, ``PER_SHEET`` trials each; their paths.

    Raises:
        StageError: a trial's image is not among the samples.
    """
    wanted = {trial.sample_id for own in chosen.values() for trial in own}
    images = dict(_images(params, wanted))
    missing = sorted(wanted - set(images))
    if missing:
        raise StageError(f"data/samples has no {missing[0]!r}, of which data/audit has a trial: run `dvc repro audit`")
    out.mkdir(parents=True, exist_ok=True)
    paths = []
    for fault, own in chosen.items():
        for number, start in enumerate(range(0, len(own), PER_SHEET)):
            path = out / f"{table}_{CLEAN if table == 'lost' else fault}_{number:02d}.png"
            path.write_bytes(sheet_of([(trial, *images[trial.sample_id]) for trial in own[start : start + PER_SHEET]]))
            paths.append(path)
    return paths


def _images(params: Params, wanted: set[str]) -> Iterator[tuple[str, tuple[Sample, list[Anchor]]]]:
    for dataset in sorted(params.datasets):
        anchors: dict[str, list[Anchor]] = defaultdict(list)
        for anchor in iter_table(Path("data/anchors") / dataset / "anchors", Anchor):
            if anchor.sample_id in wanted:
                anchors[anchor.sample_id].append(anchor)
        for sample in iter_table(Path("data/samples") / dataset / "samples", Sample):
            if sample.sample_id in wanted:
                yield sample.sample_id, (sample, anchors[sample.sample_id])


if __name__ == "__main__":
    main()
