"""Bases of other families: the same stage tunes them, from nothing but their card's folder."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from stages.core.params import Params, ValidationParams, load_params
from stages.finetune.__main__ import finetune
from stages.finetune.steps import due_logits
from stages.vlm.bases import base_model, base_processor
from stages.vlm.card import load_base
from stages.vlm.families import Item, training_batch
from stages.vlm.packing import IGNORE
from tests.finetune.corpus import LORA, PARAMS, write_corpus
from tests.import_closure import ROOT
from tests.vlm.families.tiny_models import BUILDERS, save_tiny


@pytest.fixture()
def params(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    """Parameters of the stage in an empty folder with a tiny corpus."""
    shipped = load_params(ROOT / "params.yaml")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEDGROUND_CACHE", str(tmp_path / "cache"))
    write_corpus(tmp_path / "data" / "corpus")
    settings = dataclasses.replace(PARAMS, max_steps=2, validation=ValidationParams(2, 2, 0, "last"), lora=dataclasses.replace(LORA, modules_to_save=[]))
    return dataclasses.replace(shipped, finetune=settings)


def with_base(params: Params, base: Path) -> Params:
    return dataclasses.replace(params, vlm=dataclasses.replace(params.vlm, base=str(base)))


@pytest.mark.parametrize("name", ["qwen2_5_vl", "paligemma", "florence2", "smolvlm"])
def test_another_family_is_tuned_from_its_card(name: str, tmp_path: Path, params: Params) -> None:
    from stages.vlm.adapters import check_adapter, load_contender

    base = save_tiny(name, tmp_path / "base")
    figures = finetune(with_base(params, base))["tuned"]
    assert figures["steps"] == 2 and figures["loss"] > 0 and 0 <= figures["val_miou"] <= 1
    adapter = Path("models/adapter/tuned")
    assert check_adapter(adapter, load_base(base)).arm == "tuned"
    assert load_contender(load_base(base), adapter) is not None
    names = "\n".join(json.loads((adapter / "adapter_config.json").read_text())["target_modules"].split("|"))
    assert "proj" in names or "fc" in names


@pytest.mark.parametrize("name", list(BUILDERS))
def test_logits_of_the_answers_are_those_of_the_whole_sequence(name: str, tmp_path: Path) -> None:
    import torch
    from PIL import Image

    base = load_base(save_tiny(name, tmp_path / "base"))
    model, processor = base_model(base), base_processor(base)
    picture = Image.new("RGB", (48, 40), (90, 20, 30))
    items = [Item("the left lesion", picture, [[4, 4, 20, 20]], "lesion"), Item("both", picture, [[4, 4, 20, 20], [24, 4, 30, 20]], "lesion")]
    batch = training_batch(base.family, processor, items)
    with torch.no_grad():
        whole = model(**batch).logits
        logits, due = due_logits(model, base.family, batch)
    labels = batch["labels"]
    if not base.family.encoder_decoder:
        whole, labels = whole[:, :-1], labels[:, 1:]
    assert torch.equal(due, labels[labels != IGNORE])
    assert torch.allclose(logits, whole[labels != IGNORE], atol=1e-5)
