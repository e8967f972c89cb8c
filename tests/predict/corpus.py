"""A corpus of three patients and two modalities, a params.yaml of the repository, and a tiny base: a folder to run the stage in."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image

from stages.core.records import CorpusImage, Example
from stages.core.shards import write_table
from tests.import_closure import ROOT
from tests.vlm.tiny import save_tiny_base

TEXTS = ("the leftmost circle", "the largest lesion", "the liver")
WIDTH, HEIGHT = 40, 30


def example(patient: int, number: int) -> Example:
    """Example ``d/p<patient>/0~<number>`` of 40 x 30 px."""
    return Example(
        f"d/p{patient}/0~{number}", f"d/p{patient}/0", "d", f"p{patient}", "CT" if patient else "X-ray", TEXTS[number], "lesion", [[4, 5, 20, 25]],
        WIDTH, HEIGHT, "test", "single", 1, "large", ["label"], "CC0-1.0",
    )  # fmt: skip


EXAMPLES = [example(patient, number) for patient in range(3) for number in range(3)]


def lay_out(folder: Path, **predict: Any) -> None:
    """data/corpus, models/tiny and params.yaml in ``folder``; ``predict`` changes that block."""
    write_table(folder / "data/corpus/examples", Example, EXAMPLES)
    write_table(folder / "data/corpus/images", CorpusImage, [CorpusImage(f"d/p{n}/0", png(n), WIDTH, HEIGHT) for n in range(3)])
    (folder / "models/tiny").mkdir(parents=True)
    save_tiny_base(folder / "models/tiny", seed=5)
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["vlm"]["base"] = "models/tiny"
    params["predict"] |= {"max_boxes": 2, "batch_size": 4, "probe_examples": 4, **predict}
    (folder / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")


def png(number: int) -> bytes:
    """A grey gradient."""
    buffer = io.BytesIO()
    grey = np.add.outer(np.arange(HEIGHT), np.arange(WIDTH)) + 20 * number
    Image.fromarray(np.repeat(grey[:, :, None], 3, axis=2).astype(np.uint8)).save(buffer, format="PNG")
    return buffer.getvalue()


def save_adapter(folder: Path, base: Path, seed: int = 0) -> Path:
    """An adapter of the tiny base with random weights, and its card."""
    import torch
    from peft import LoraConfig, get_peft_model

    from stages.vlm.adapters import AdapterCard, write_adapter_card
    from stages.vlm.bases import base_model
    from stages.vlm.card import load_base, weights_hash

    torch.manual_seed(seed)
    loaded = load_base(base)
    model = get_peft_model(base_model(loaded), LoraConfig(r=2, target_modules=["q_proj", "v_proj"], init_lora_weights=False))
    model.save_pretrained(folder)
    write_adapter_card(folder, AdapterCard("tuned", loaded.card.name, weights_hash(loaded), 1, 9, 3, 10))
    return folder
