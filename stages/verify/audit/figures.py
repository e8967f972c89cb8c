"""The audit's figures: shares with Wilson intervals, by fault, group, check, dataset and modality."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from stages.verify.agreement import wilson
from stages.verify.audit.plant import GROUPS
from stages.verify.audit.run import PLANTERS
from stages.verify.audit.trial import CLEAN, HELDOUT, TUNING, Trial

MISSED = "missed"


def share(hits: int, n: int) -> dict[str, float]:
    """n, rate and the 95% Wilson interval of a share."""
    low, high = wilson(hits, n)
    return {"n": n, "rate": hits / max(1, n), "low": low, "high": high}


def figures(trials: Sequence[Trial]) -> dict[str, Any]:
    """Kept share of the clean queries; caught share (not accepted) of the planted ones, by fault and by group.

    Both also for either half of the patients and for every dataset. A trial about which a model gave no answer says nothing
    about the judgement: it is counted under ``unanswered`` and stands in no share.
    """
    told = [trial for trial in trials if trial.answered]
    planted = [trial for trial in told if trial.fault != CLEAN]
    overall = _kept_and_caught(told)
    return {
        "kept": overall.pop("kept"),
        "catch": {fault: _caught(trial for trial in planted if trial.fault == fault) for fault in sorted({trial.fault for trial in planted})},
        "group": overall,
        "half": {half: _kept_and_caught([trial for trial in told if trial.half == half]) for half in (TUNING, HELDOUT)},
        "dataset": {name: _kept_and_caught([trial for trial in told if trial.dataset == name]) for name in sorted({trial.dataset for trial in told})},
        "unanswered": len(trials) - len(told),
    }


def _kept_and_caught(trials: Sequence[Trial]) -> dict[str, Any]:
    clean = [trial for trial in trials if trial.fault == CLEAN]
    kept = share(sum(trial.accepted for trial in clean), len(clean))
    return {"kept": kept, **{group: _caught(trial for trial in trials if trial.group == group) for group in GROUPS}}


def _caught(trials: Iterable[Trial]) -> dict[str, float]:
    listed = list(trials)
    return share(sum(not trial.accepted for trial in listed), len(listed))


def write_faults(path: Path, trials: Sequence[Trial]) -> None:
    """CSV: for every fault, dataset and modality how many plants each check caught (or "missed"), of how many, with an interval.

    For clean queries, what each check turned down; "kept" is what none did.
    """
    counts: dict[tuple[str, str, str, str], Counter[str]] = defaultdict(Counter)
    for trial in trials:
        let_through = "kept" if trial.fault == CLEAN else MISSED
        counts[trial.group, trial.fault, trial.dataset, trial.modality][let_through if trial.accepted else trial.check] += 1
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(["group", "fault", "dataset", "modality", "check", "n", "of", "rate", "low", "high"])
        for key, by_check in sorted(counts.items()):
            of = sum(by_check.values())
            for check, n in sorted(by_check.items()):
                low, high = wilson(n, of)
                writer.writerow([*key, check, n, of, f"{n / of:.4f}", f"{low:.4f}", f"{high:.4f}"])


def faults_without_plants(trials: Sequence[Trial]) -> list[str]:
    """Faults that could be planted nowhere."""
    return sorted(set(PLANTERS) - {trial.fault for trial in trials})
