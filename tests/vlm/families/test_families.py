"""Every family, on a tiny model of its real classes: trained, adapted, asked, read back."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from stages.vlm.bases import base_model, base_processor
from stages.vlm.card import load_base
from stages.vlm.families import (
    FAMILIES,
    Family,
    Item,
    answer_text,
    end_id,
    generated_ids,
    linear_layers,
    pad_id,
    prediction_batch,
    prompt_text,
    read_answer,
    seen_px,
    target_modules,
    training_batch,
)
from stages.vlm.packing import IGNORE
from tests.vlm.families.tiny_models import BUILDERS, save_tiny

ITEMS = [
    ("the leftmost circle", (60, 40), [[1.0, 2.0, 30.0, 40.0]]),
    ("Where is the largest lesion in the upper left, beside the right kidney?", (48, 96), [[0.0, 10.0, 20.0, 31.0], [25.0, 5.0, 40.0, 90.0]]),
    ("the stone", (33, 33), []),
]


@dataclass(frozen=True)
class Tiny:
    """A tiny model as a stage gets it."""

    family: Family
    model: Any
    processor: Any
    folder: Path

    def fresh(self) -> Any:
        """A copy of the model, to be changed."""
        return copy.deepcopy(self.model)


@pytest.fixture(scope="module", params=list(BUILDERS))
def tiny(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tiny]:
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    folder = save_tiny(request.param, tmp_path_factory.mktemp(request.param), seed=2)
    base = load_base(folder)
    yield Tiny(base.family, base_model(base), base_processor(base), folder)
    torch.set_num_threads(threads)


def items(known: bool = True) -> list[Item]:
    rng = np.random.default_rng(0)
    made = []
    for expression, (width, height), boxes in ITEMS:
        picture = Image.fromarray(rng.integers(0, 255, (height, width, 3)).astype(np.uint8))
        made.append(Item(expression, picture, boxes if known else None, "focal_lesion"))
    return made


def unpadded(ids: Any, mask: Any) -> list[list[int]]:
    return [row[seen.bool()].tolist() for row, seen in zip(ids, mask, strict=True)]


def test_every_family_has_a_tiny_model() -> None:
    assert {family for _, family in BUILDERS.values()} == set(FAMILIES)


def test_only_the_answer_and_its_end_are_learned(tiny: Tiny) -> None:
    batch = training_batch(tiny.family, tiny.processor, items())
    for row, item in zip(batch["labels"], items(), strict=True):
        learned = row[row != IGNORE].tolist()
        assert learned[-1] == end_id(tiny.family, tiny.processor)
        text, length = read_answer(tiny.family, tiny.processor, learned)
        assert length == len(learned)
        assert text == answer_text(tiny.family, tiny.processor, item)
    if not tiny.family.encoder_decoder:
        for ids, row in zip(batch["input_ids"], batch["labels"], strict=True):
            assert (ids[row != IGNORE] == row[row != IGNORE]).all()


def test_labels_decode_back_to_the_boxes(tiny: Tiny) -> None:
    batch = training_batch(tiny.family, tiny.processor, items())
    for row, item in zip(batch["labels"], items(), strict=True):
        text, _ = read_answer(tiny.family, tiny.processor, row[row != IGNORE].tolist())
        width, height = item.picture.size
        decoded = tiny.family.box_codec.decode(text, width, height, seen_px=seen_px(tiny.family, tiny.processor, width, height))
        assert decoded.outcome == ("ok" if item.boxes_xyxy_px else "none")
        most = 1.01 * max(width, height) * tiny.family.box_codec.quantum
        assert np.allclose(np.reshape(decoded.boxes_xyxy_px, (-1, 4)), np.reshape(item.boxes_xyxy_px, (-1, 4)), atol=most)


def test_the_prompt_of_training_is_the_prompt_of_prediction(tiny: Tiny) -> None:
    asked = prediction_batch(tiny.family, tiny.processor, items(known=False))
    taught = training_batch(tiny.family, tiny.processor, items())
    prompts = unpadded(asked["input_ids"], asked["attention_mask"])
    for row, prompt in zip(unpadded(taught["input_ids"], taught["attention_mask"]), prompts, strict=True):
        assert row[: len(prompt)] == prompt
        assert not tiny.family.encoder_decoder or row == prompt
    assert set(asked) == set(taught) - {"labels"}
    assert all((asked[key] == taught[key]).all() for key in asked if asked[key].ndim > 2)


def test_the_prompt_holds_the_expression_once_and_starts_once(tiny: Tiny) -> None:
    prompt = prompt_text(tiny.family, tiny.processor, "the gallstone on the left")
    assert prompt.count("gallstone on the left") == 1
    ids = unpadded(*(prediction_batch(tiny.family, tiny.processor, items())[key] for key in ("input_ids", "attention_mask")))
    start = tiny.processor.tokenizer.bos_token_id
    assert start is None or all(row[:2] != [start, start] for row in ids)


def test_training_lowers_the_loss(tiny: Tiny) -> None:
    import torch

    model = tiny.fresh().train()
    batch = training_batch(tiny.family, tiny.processor, items())
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(8):
        loss = model(**batch).loss
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.8 * losses[0]


def test_every_part_learns(tiny: Tiny) -> None:
    model = tiny.fresh().train()
    model(**training_batch(tiny.family, tiny.processor, items())).loss.backward()
    modules = dict(model.named_modules())
    for part in ("vision", "connector", "text"):
        layers = linear_layers(tiny.family, model, [part])
        assert layers or (part == "connector" and tiny.family.name in ("gemma3", "medgemma"))
        learning = [name for name in layers if modules[name].weight.grad is not None and modules[name].weight.grad.abs().sum() > 0]
        assert len(learning) >= 0.7 * len(layers)


def test_an_adapter_gives_the_same_logits_saved_loaded_and_merged(tiny: Tiny, tmp_path: Path) -> None:
    import torch
    from peft import LoraConfig, PeftModel, get_peft_model

    targets = target_modules(tiny.family, tiny.model, ["vision", "connector", "text"])
    config = LoraConfig(r=2, lora_alpha=8, target_modules=targets, init_lora_weights=False)
    adapted = get_peft_model(tiny.fresh(), config).eval()
    wrapped = {name.removesuffix(".lora_A.default") for name, _ in adapted.base_model.model.named_modules() if name.endswith(".lora_A.default")}
    assert wrapped == set(linear_layers(tiny.family, tiny.model, ["vision", "connector", "text"]))
    adapted.save_pretrained(tmp_path)
    batch = training_batch(tiny.family, tiny.processor, items())
    with torch.inference_mode():
        expected = adapted(**batch).logits
        plain = tiny.model(**batch).logits
    loaded = PeftModel.from_pretrained(tiny.fresh(), str(tmp_path)).eval()
    with torch.inference_mode():
        assert torch.allclose(loaded(**batch).logits, expected, atol=1e-5)
        assert torch.allclose(loaded.merge_and_unload()(**batch).logits, expected, atol=1e-3)
    assert not torch.allclose(plain, expected, atol=1e-2)


def answers(tiny: Tiny, asked: list[Item]) -> list[tuple[str, int]]:
    import torch

    batch = prediction_batch(tiny.family, tiny.processor, asked)
    ends = {"eos_token_id": end_id(tiny.family, tiny.processor), "pad_token_id": pad_id(tiny.processor)}
    with torch.inference_mode():
        sequences = tiny.model.generate(**batch, max_new_tokens=10, min_new_tokens=4, do_sample=False, **ends)
    return [read_answer(tiny.family, tiny.processor, row) for row in generated_ids(tiny.family, batch, sequences).tolist()]


def test_a_padded_batch_answers_as_its_members_do_alone(tiny: Tiny) -> None:
    together = answers(tiny, items(known=False))
    alone = [answers(tiny, [item])[0] for item in items(known=False)]
    assert together == alone
    assert any(length > 1 for _, length in together)


def test_a_batch_gives_the_logits_that_its_members_give_alone(tiny: Tiny) -> None:
    import torch

    batch = training_batch(tiny.family, tiny.processor, items())
    with torch.inference_mode():
        together = tiny.model(**batch).logits
        for number, item in enumerate(items()):
            single = training_batch(tiny.family, tiny.processor, [item])
            due = single["labels"][0] != IGNORE
            alone = tiny.model(**single).logits[0]
            assert torch.allclose(together[number, : len(due)][due], alone[due], atol=1e-4)


def test_seen_px_is_what_the_processor_makes(tiny: Tiny) -> None:
    grids = prediction_batch(tiny.family, tiny.processor, items()).get("image_grid_thw")
    if grids is None:
        assert all(min(seen_px(tiny.family, tiny.processor, *item.picture.size)) > 0 for item in items())
        return
    patch = tiny.processor.image_processor.patch_size
    for grid, item in zip(grids.tolist(), items(), strict=True):
        assert seen_px(tiny.family, tiny.processor, *item.picture.size) == (grid[2] * patch, grid[1] * patch)


def test_an_item_without_boxes_cannot_be_taught(tiny: Tiny) -> None:
    with pytest.raises(ValueError, match="no boxes are known"):
        training_batch(tiny.family, tiny.processor, items(known=False))
