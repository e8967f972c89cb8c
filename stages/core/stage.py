"""What every stage's entry shares: parameters, seeds, errors within bounds, the metrics file, tracking."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from stages.core.cache import CacheError, cache_root
from stages.core.params import ParamError, Params, load_params
from stages.core.records import ItemError
from stages.core.shards import write_table
from stages.core.storage import storage_fault

log = logging.getLogger("medground")


class StageError(RuntimeError):
    """The stage cannot go on; the message says what to do."""


class Table(list[dict[str, str | int | float]]):
    """Rows of names and numbers that a metrics file keeps beside its metrics. DVC and the tracker leave lists out, so that
    a table of any length widens no comparison of experiments."""


def run_stage(name: str, body: Callable[[Params], dict[str, Any] | None], metrics: str | None = None, artifacts: Sequence[Path] = ()) -> None:
    """Run a stage's body with checked parameters, write its metrics file and mirror it to the tracker.

    ``body`` returns nested metrics (finite numbers only) or None. ``metrics`` is the file's path, by default
    ``metrics/<name>.json``; ``artifacts`` are files that the tracker gets too. Known errors, a full
    disk among them, end the process with one readable message and status 1.
    """
    from stages.core import tracking

    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        params = load_params()
        figures = body(params)
        if figures is not None:
            write_metrics(Path(metrics or f"metrics/{name}.json"), figures)
    except (ParamError, StageError, CacheError, FileNotFoundError, NotADirectoryError, PermissionError) as error:
        print(f"\n{name}: {error}", file=sys.stderr)
        raise SystemExit(1) from error
    except OSError as error:
        fault = storage_fault(error, [cache_root()])
        if fault is None:
            raise
        print(f"\n{name}: {fault}", file=sys.stderr)
        raise SystemExit(1) from error
    tracking.log_stage(name, figures or {}, params, artifacts)


def seed_for(seed: int, *ids: object) -> int:
    """A 63-bit seed from the run's seed and an item's id, so that draws do not depend on the order of items."""
    digest = hashlib.sha256("\x1f".join([str(seed), *map(str, ids)]).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def check_error_rate(stage: str, errors: Sequence[ItemError], items: int, max_error_rate: float) -> None:
    """Stop the stage when too many items failed; the message lists them.

    Raises:
        StageError: the share of failed items exceeds ``max_error_rate``.
    """
    failed = len({(error.item_id, error.file) for error in errors})
    if items == 0 and failed == 0:
        raise StageError("there is nothing to do: the input holds no item. Check `datasets` in params.yaml and the cards' patterns")
    share = failed / max(items, failed)
    for error in errors[:20]:
        log.warning("%s: %s: %s: %s", stage, error.kind, error.file or error.item_id, error.cause)
    if share > max_error_rate:
        listing = "\n".join(f"  {e.kind}: {e.file or e.item_id}: {e.cause}" for e in errors[:50])
        raise StageError(
            f"{failed} of {max(items, failed)} items failed, more than {stage}.max_error_rate = {max_error_rate} allows:\n"
            f"{listing}\nMend the data or the card, or raise {stage}.max_error_rate in params.yaml"
        )


def write_errors(folder: Path | str, errors: Sequence[ItemError]) -> None:
    """The stage's errors table; equal errors are written once."""
    write_table(folder, ItemError, sorted(set(errors), key=repr))


def count_by(values: Sequence[str]) -> dict[str, int]:
    """Counts in the order of the names, so that files do not change with the order of items."""
    return dict(sorted(Counter(values).items()))


def write_metrics(path: Path, figures: dict[str, Any]) -> None:
    """Write nested metrics as sorted JSON; a ``Table`` says that it is no metric.

    Raises:
        ValueError: a leaf is not a finite number (DVC drops null and lists silently, and shows NaN).
    """
    _check_leaves(figures, path.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rounded(figures), indent=2, sort_keys=True) + "\n", encoding="utf-8")


def rounded(value: Any, digits: int = 6) -> Any:
    """Nested figures with floats rounded, so that metric files stay readable."""
    if isinstance(value, dict):
        return {str(key): rounded(item, digits) for key, item in value.items()}
    return round(value, digits) if isinstance(value, float) else value


def _check_leaves(value: Any, where: str) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            _check_leaves(item, f"{where}:{key}")
    elif isinstance(value, Table):
        for number, row in enumerate(value):
            _check_leaves({key: item for key, item in row.items() if not isinstance(item, str)}, f"{where}:{number}")
    elif isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{where}: a metric must be a finite number, got {value!r}")
