"""The human audit: ``python -m stages.verify.review`` makes the page, ``--fold FILE.json...`` takes the answers back."""

from __future__ import annotations

import argparse
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

from stages.core.params import Params
from stages.core.stage import StageError, run_stage
from stages.verify.review.fold import check_answers, fold, read_answers, write_reasons
from stages.verify.review.page import items_of, render
from stages.verify.review.sampling import draw
from stages.verify.review.tables import read_judged, read_verdicts

PAGE = Path("data/review/page.html")
REASONS_TABLE = Path("metrics/plots/review_reasons.csv")


def main() -> None:
    """Parse the command line; make the page or fold answers."""
    parser = argparse.ArgumentParser(prog="python -m stages.verify.review", description=__doc__)
    parser.add_argument("--samples", type=int, default=100, help="samples on the page (default: 100)")
    parser.add_argument("--against", type=float, default=0.3, help="share of them that the cascade did not accept (default: 0.3)")
    parser.add_argument("--picture-px", type=int, default=768, help="longer side of the pictures at most (default: 768)")
    parser.add_argument("--seed", type=int, help="another draw than that of params.yaml's seed")
    parser.add_argument("--out", type=Path, default=PAGE, help=f"the page (default: {PAGE})")
    parser.add_argument("--fold", type=Path, nargs="+", metavar="FILE.json", help="downloaded answers, of one or several reviewers")
    given = parser.parse_args()
    if given.samples < 1 or not 0 <= given.against <= 1 or given.picture_px < 64:
        parser.error("--samples must be at least 1, --against between 0 and 1, --picture-px at least 64")
    if given.fold:
        run_stage("review", partial(fold_answers, paths=given.fold))
    else:
        run_stage("review", partial(make_page, given=given))


def make_page(params: Params, given: argparse.Namespace) -> None:
    """Write the page and say where it lies."""
    seed = params.seed if given.seed is None else given.seed
    judged = read_judged(params)
    if not judged:
        raise StageError("data/verified holds no query: run `dvc repro verify`")
    drawn = draw(judged, given.samples, given.against, seed)
    page = render(items_of(drawn, params, given.picture_px), seed)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(page, encoding="utf-8")
    fates = Counter(item.fate for item in drawn)
    print(f"{given.out}: {len(drawn)} samples ({', '.join(f'{n} {fate}' for fate, n in sorted(fates.items()))}). Open it in a browser")


def fold_answers(params: Params, paths: list[Path]) -> dict[str, Any]:
    """Metrics of the answers, and the table of reasons."""
    answers = read_answers(paths)
    everything = read_judged(params)
    judged = {item.query.query_id: item for item in everything}
    check_answers(answers, judged)
    write_reasons(REASONS_TABLE, answers, judged, read_verdicts({query_id for own in answers.values() for query_id in own}))
    return fold(answers, judged, Counter(item.stratum for item in everything))


if __name__ == "__main__":
    main()
