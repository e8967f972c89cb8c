"""``python -m stages.vlm.pretrain``: makes models/nano (weights and processor); a frozen stage of dvc.yaml."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

from stages.core.cache import cache_dir, request_key
from stages.core.params import Params
from stages.core.stage import run_stage, seed_for

OUT = Path("models/nano")


def make_base(params: Params) -> dict[str, Any]:
    """Train (or go on training), save model and processor, return the held-out accuracy by kind."""
    from stages.vlm.pretrain.training import pretrain

    seed = seed_for(params.seed, "pretrain")
    key = request_key([dataclasses.asdict(params.pretrain), seed])[:16]
    model, processor, scores = pretrain(params.pretrain, seed, cache_dir("pretrain") / key, Path("metrics/plots/pretrain.csv"))
    OUT.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(OUT)
    processor.save_pretrained(OUT)
    for path in OUT.iterdir():
        os.chmod(path, 0o644)
    return {"heldout_acc_at_50": scores, "weights": sum(weight.numel() for weight in model.parameters())}


if __name__ == "__main__":
    run_stage("pretrain", make_base)
