"""A tiny base is tuned for a few steps: reproducible bytes, resumable, and it fails with a reason."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from stages.core.params import AugmentParams, FinetuneParams, LoraParams
from stages.core.stage import StageError
from stages.finetune.arms import training_rows
from stages.finetune.training import ArmJob, lora_config, train_arm
from stages.vlm.card import Base, load_base
from tests.finetune.corpus import write_corpus
from tests.vlm.tiny import save_tiny_base

LORA = LoraParams(2, 4, 0.0, True, False, ["vision", "connector", "text"], ["embed_tokens"])
PARAMS = FinetuneParams(
    arms=["tuned"], parallel_arms=1, max_steps=4, images_per_step=2, questions_per_image=3, learning_rate=0.01, warmup_share=0.1,
    weight_decay=0.01, precision="bf16", location_loss=True, sigma_bins=4.0, l1_weight=2.0, dense_weight=0.5, checkpoint_steps=2, lora=LORA,
    augment=AugmentParams(0.1, 0.1, 0.05, 0.2, 0.03, 0.03, 0.5),
)  # fmt: skip


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return load_base(save_tiny_base(tmp_path_factory.mktemp("tiny")))


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDGROUND_CACHE", str(tmp_path / "cache"))


def job_in(folder: Path, base: Base, params: FinetuneParams = PARAMS) -> ArmJob:
    rows = training_rows(write_corpus(folder / "corpus"), "tuned")
    return ArmJob("tuned", base, rows, folder / "corpus" / "images", folder / "adapter", folder / "curve.csv", params, 5)


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_the_same_run_twice_gives_the_same_adapter_bytes(tmp_path: Path, base: Base) -> None:
    first, second = job_in(tmp_path / "a", base), job_in(tmp_path / "b", base)
    outcome = train_arm(first)
    train_arm(second)
    assert bytes_of(first.out) == bytes_of(second.out)
    assert {"adapter_model.safetensors", "adapter_config.json", "adapter_card.json"} <= set(bytes_of(first.out))
    assert outcome.steps == 4 and outcome.loss > 0
    assert first.curve.read_text().splitlines()[0] == "step,loss,learning_rate"


def test_an_interrupted_run_goes_on_to_the_same_adapter(tmp_path: Path, base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = job_in(tmp_path / "whole", base)
    train_arm(whole)
    from transformers import Trainer

    plain = Trainer.training_step

    def killed_at_three(self: Trainer, *args: object, **kwargs: object) -> object:
        if self.state.global_step == 3:
            raise KeyboardInterrupt
        return plain(self, *args, **kwargs)

    monkeypatch.setattr(Trainer, "training_step", killed_at_three)
    cut = job_in(tmp_path / "cut", base)
    with pytest.raises(KeyboardInterrupt):
        train_arm(cut)
    monkeypatch.setattr(Trainer, "training_step", plain)
    train_arm(cut)
    assert bytes_of(whole.out) == bytes_of(cut.out)


def test_a_loss_that_is_not_finite_stops_with_the_parameter_to_change(tmp_path: Path, base: Base) -> None:
    params = dataclasses.replace(PARAMS, l1_weight=float("nan"))
    with pytest.raises(StageError, match="finetune.learning_rate"):
        train_arm(job_in(tmp_path, base, params))


def test_an_unknown_part_of_the_model_lists_the_known_ones() -> None:
    with pytest.raises(StageError, match="vision, connector, text"):
        lora_config(dataclasses.replace(LORA, targets=["visoin"]))


def test_every_part_is_adapted(base: Base, tmp_path: Path) -> None:
    from stages.finetune.training import adapted

    names = [name for name, weight in adapted(job_in(tmp_path, base)).named_parameters() if weight.requires_grad]
    for part in ("vision_model.encoder.layers.0.self_attn.q_proj", "vision_model.encoder.layers.0.mlp.fc2", "connector.modality_projection.proj",
                 "text_model.layers.0.self_attn.o_proj", "text_model.layers.0.mlp.down_proj", "embed_tokens.modules_to_save"):  # fmt: skip
        assert any(part in name for name in names), part
