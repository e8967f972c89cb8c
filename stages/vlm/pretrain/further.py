"""``python -m stages.vlm.pretrain.further --out models/nano-seen``: the nano base goes on with pictures that a corpus trains on.

The shipped base has met synthetic pictures alone. This one sees those of the corpus' training patients as well, asked by
class names only, beside the generic scenes; no validation or test patient, no referring expression. So a comparison on
real pictures can start from a base to which they are not strange: ``-S vlm.base=models/nano-seen``.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from stages.core.cache import cache_dir, request_key
from stages.core.params import Params, PretrainParams
from stages.core.stage import StageError, run_stage, seed_for
from stages.vlm.card import ModelCard, load_base, weights_hash
from stages.vlm.pretrain.__main__ import card_of, save_base

# Peak step sizes, as a share of those from nothing: what is known is to be kept.
GENTLER = 0.4


def main() -> None:
    """Train, and write the folder that ``vlm.base`` can name."""
    parser = argparse.ArgumentParser(prog="python -m stages.vlm.pretrain.further", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--start", type=Path, default=Path("models/nano"), help="folder of the nano base to go on from (default: models/nano)")
    parser.add_argument("--corpus", type=Path, default=Path("data/corpus"), help="whose training patients may be seen (default: data/corpus)")
    parser.add_argument("--out", type=Path, required=True, help="folder to write, such as models/nano-seen")
    parser.add_argument("--steps", type=int, default=1000, help="optimiser steps (default: 1000)")
    given = parser.parse_args()

    def body(params: Params) -> dict[str, Any]:
        return go_on(params, given.start, given.corpus, given.out, given.steps)

    run_stage("pretrain_further", body, metrics=str(given.out / "scores.json"))


def go_on(params: Params, start: Path, corpus: Path, out: Path, steps: int) -> dict[str, Any]:
    """Train on from ``start`` and save to ``out``; returns the held-out accuracy by kind.

    Raises:
        StageError: ``out`` is the folder to start from, or there is no corpus.
        CardError: ``start`` has no card, or one of another family.
    """
    from stages.vlm.pretrain.training import pretrain

    if out.resolve() == start.resolve():
        raise StageError(f"--out {out}: that is the base to start from; name another folder")
    if not (corpus / "examples").exists():
        raise StageError(f"--corpus {corpus}: no examples there; run `dvc repro split` first")
    base = load_base(start)
    if base.card.family != "nano":
        raise StageError(f"--start {start}: a base of family {base.card.family!r}; only the nano base can be trained here")
    settings = further_params(params.pretrain, corpus, steps)
    seed = seed_for(params.seed, "pretrain", "further")
    key = request_key([dataclasses.asdict(settings), seed, weights_hash(base)])[:16]
    made = pretrain(settings, seed, cache_dir("pretrain") / key, out / "curve.csv", start)
    save_base(made, out, further_card(out.name, base.card, settings, made.scores, made.minutes))
    return {"heldout_acc_at_50": made.scores}


def further_params(params: PretrainParams, corpus: Path, steps: int) -> PretrainParams:
    """The pretraining's parameters for going on: pictures of the corpus, in a second round from the first step (so everything is asked).

    Raises:
        StageError: the parameters have no second round.
    """
    if params.second is None:
        raise StageError("params.yaml:pretrain:second is null, and going on is a second round: give it the values that params.yaml is shipped with")
    second = dataclasses.replace(params.second, after=0, rate=GENTLER, seeing_steps=0)
    return dataclasses.replace(
        params,
        pictures=".",
        patients_of=str(corpus),
        picture_share=max(params.picture_share, 0.5),
        steps=steps,
        decay_share=1.0,
        second=second,
        checkpoint_steps=min(params.checkpoint_steps, steps),
    )


def further_card(name: str, before: ModelCard, params: PretrainParams, scores: dict[str, float], minutes: float) -> ModelCard:
    """Card of the base that went on: what it saw first, and what then."""
    after = card_of(params, scores, minutes)
    return dataclasses.replace(after, name=name, data=f"{before.data}; then {after.data}", steps=(before.steps or 0) + params.steps)


if __name__ == "__main__":
    main()
