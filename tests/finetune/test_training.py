"""A tiny base is tuned for a few steps: reproducible bytes, resumable, and it fails with a reason."""

from __future__ import annotations

import dataclasses
import os
import signal
import time
from multiprocessing import get_context
from pathlib import Path

import pytest

from stages.core.params import FinetuneParams, ParamError, ValidationParams
from stages.core.stage import StageError
from stages.finetune import training
from stages.finetune.arms import plan_lessons
from stages.finetune.jobs import check
from stages.finetune.lora import adapted, lora_config
from stages.finetune.training import Job, alone, train, train_alone
from stages.vlm.adapters import load_contender
from stages.vlm.card import Base, load_base
from tests.finetune.corpus import LORA, PARAMS, write_corpus
from tests.vlm.tiny import save_tiny_base


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return load_base(save_tiny_base(tmp_path_factory.mktemp("tiny")))


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDGROUND_CACHE", str(tmp_path / "cache"))


def job_in(folder: Path, base: Base, params: FinetuneParams = PARAMS) -> Job:
    (lesson,) = plan_lessons(write_corpus(folder / "corpus"), params, 5)
    return Job(lesson, base, folder / "corpus" / "images", folder / "adapter", folder / "curve.csv", params, 5)


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def changed(**values: object) -> FinetuneParams:
    return dataclasses.replace(PARAMS, **values)


def test_the_same_run_twice_gives_the_same_adapter_bytes(tmp_path: Path, base: Base) -> None:
    first, second = job_in(tmp_path / "a", base), job_in(tmp_path / "b", base)
    outcome = train(first)
    train(second)
    assert bytes_of(first.out) == bytes_of(second.out)
    assert set(bytes_of(first.out)) == {"adapter_model.safetensors", "adapter_config.json", "adapter_card.json"}
    assert outcome.steps == outcome.kept_step == 4 and outcome.loss > 0 and outcome.processes == 1
    assert first.curve.read_text().splitlines()[0] == "step,loss,learning_rate,val_acc_at_50,val_miou"


def test_a_run_waits_for_another_that_trains_the_same_and_ends_with_the_same_bytes(tmp_path: Path, base: Base, capfd: pytest.CaptureFixture) -> None:
    """They share the folder of checkpoints, which the first to end removes."""
    first, second = job_in(tmp_path / "a", base), job_in(tmp_path / "b", base)
    with alone(first):
        waiting, said = get_context("spawn").Process(target=train_alone, args=(second,)), ""
        waiting.start()
        while "another run trains exactly this at the moment" not in said:
            assert waiting.is_alive(), said
            time.sleep(0.1)
            said += capfd.readouterr().err
        train(first)
        assert waiting.is_alive() and not second.out.exists()
    waiting.join(300)
    assert waiting.exitcode == 0
    assert bytes_of(first.out) == bytes_of(second.out)


def test_a_lock_that_a_killed_run_held_hinders_nobody(tmp_path: Path, base: Base) -> None:
    job = job_in(tmp_path / "a", base)
    holder = get_context("spawn").Process(target=_hold_and_die, args=(job,))
    holder.start()
    holder.join(120)
    assert holder.exitcode == -signal.SIGKILL
    assert train_alone(job).steps == 4


def _hold_and_die(job: Job) -> None:
    with alone(job):
        os.kill(os.getpid(), signal.SIGKILL)


def test_an_adapter_loads_with_peft_and_changes_the_answers(tmp_path: Path, base: Base) -> None:
    import torch
    from peft import PeftModel

    from stages.vlm.bases import base_model

    job = job_in(tmp_path, base)
    train(job)
    plain, tuned = base_model(base), PeftModel.from_pretrained(base_model(base), str(job.out)).merge_and_unload()
    differs = [not torch.equal(a, b) for (_, a), (_, b) in zip(plain.named_parameters(), tuned.named_parameters(), strict=True)]
    assert sum(differs) > 5


def test_a_step_in_parts_is_the_same_step(tmp_path: Path, base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    """Losses are weighed by their answers, which the parts have unequally many of: accumulation changes rounding and nothing else."""
    import torch
    from safetensors.torch import load_file

    losses: list[list[float]] = []
    monkeypatch.setattr(training, "write_curve", lambda entries, *_: losses.append([entry["loss"] for entry in entries]))
    weights = []
    for accumulation in (1, 2, 4):
        params = changed(accumulation=accumulation, images_per_step=4, precision="fp32", dense_weight=0.0, max_steps=4, checkpoint_steps=1, questions_per_image=2)
        job = job_in(tmp_path / str(accumulation), base, params)
        train(job)
        weights.append(load_file(str(job.out / "adapter_model.safetensors")))
    assert len(losses[0]) == 4 and len(set(losses[0])) == 4
    for parts, tensors in zip(losses[1:], weights[1:], strict=True):
        assert parts == pytest.approx(losses[0], rel=1e-6)
        assert tensors.keys() == weights[0].keys()
        for name, tensor in tensors.items():
            assert torch.allclose(tensor, weights[0][name], rtol=1e-4, atol=1e-6), name


def test_an_interrupted_run_goes_on_to_the_same_adapter_and_curve(tmp_path: Path, base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import Trainer

    params = changed(validation=ValidationParams(1, 4, 0, "best"), max_steps=5)
    whole, cut = job_in(tmp_path / "whole", base, params), job_in(tmp_path / "cut", base, params)
    train(whole)
    plain = Trainer.training_step

    def killed_at_three(self: Trainer, *args: object, **kwargs: object) -> object:
        if self.state.global_step == 3:
            raise KeyboardInterrupt
        return plain(self, *args, **kwargs)

    monkeypatch.setattr(Trainer, "training_step", killed_at_three)
    with pytest.raises(KeyboardInterrupt):
        train(cut)
    monkeypatch.setattr(Trainer, "training_step", plain)
    train(cut)
    assert bytes_of(whole.out) == bytes_of(cut.out)
    assert whole.curve.read_bytes() == cut.curve.read_bytes()


def test_looks_at_validation_stand_in_the_curve_and_the_best_weights_are_kept(tmp_path: Path, base: Base) -> None:
    params = changed(validation=ValidationParams(1, 4, 0, "best"))
    job = job_in(tmp_path, base, params)
    outcome = train(job)
    rows = [line.split(",") for line in job.curve.read_text().splitlines()[1:]]
    assert [row[0] for row in rows] == ["1", "2", "3", "4"]
    values = [float(row[4]) for row in rows]
    assert outcome.kept_step == values.index(max(values)) + 1
    assert outcome.val_miou == pytest.approx(max(values), abs=1e-4)


def test_a_training_that_no_longer_gets_better_stops_early(tmp_path: Path, base: Base) -> None:
    params = changed(validation=ValidationParams(1, 4, 1, "last"), learning_rate=1e-9)
    outcome = train(job_in(tmp_path, base, params))
    assert outcome.steps == 2


def test_a_loss_that_is_not_finite_stops_with_what_to_lower_and_keeps_the_last_good_checkpoint(tmp_path: Path, base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    from stages.finetune import steps

    plain, calls = steps.dense_loss, []

    def nan_at_four(*arguments: object) -> object:
        calls.append(1)
        return plain(*arguments) * (float("nan") if len(calls) == 4 else 1.0)

    monkeypatch.setattr(steps, "dense_loss", nan_at_four)
    with pytest.raises(StageError, match=r"finetune\.learning_rate.*last good checkpoint stays in .*checkpoint-2"):
        train(job_in(tmp_path, base))
    (kept,) = (tmp_path / "cache" / "finetune").glob("*/checkpoint-*")
    assert (kept / "adapter_model.safetensors").exists()


def test_too_little_memory_on_the_gpu_names_what_to_lower(tmp_path: Path, base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from stages.finetune import data

    def no_memory(*_: object) -> object:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")

    monkeypatch.setattr(data, "pack_rows", no_memory)
    with pytest.raises(StageError) as caught:
        train(job_in(tmp_path, base))
    for remedy in ("finetune.images_per_step", "finetune.gradient_checkpointing", "max_pixels", "finetune.accumulation", "20.00 GiB"):
        assert remedy in str(caught.value)


@pytest.mark.parametrize(
    "values",
    [{"schedule": "linear"}, {"schedule": "constant", "lora": dataclasses.replace(LORA, dora=True, rslora=False)},
     {"gradient_checkpointing": True, "attention": "eager"}, {"precision": "bf16_base", "attention": "sdpa"},
     {"location_loss": False, "dense_weight": 0.0}, {"lora": dataclasses.replace(LORA, targets=["text"], modules_to_save=[], dropout=0.1)},
     {"loader_workers": 1}],
)  # fmt: skip
def test_every_setting_trains_and_its_adapter_loads(tmp_path: Path, base: Base, values: dict[str, object]) -> None:
    job = job_in(tmp_path, base, changed(max_steps=2, **values))
    assert train(job).steps == 2
    assert load_contender(base, job.out) is not None


def test_an_unknown_part_of_the_model_lists_the_known_ones(base: Base) -> None:
    with pytest.raises(StageError, match="vision, connector, text"):
        lora_config(dataclasses.replace(LORA, targets=["visoin"]), base.family, None)


def test_a_module_to_save_that_the_base_lacks_is_named(base: Base) -> None:
    with pytest.raises(StageError, match="no module 'embed_tokenz'"):
        adapted(base, base.family, changed(lora=dataclasses.replace(LORA, modules_to_save=["embed_tokenz"])), 5)


def test_every_part_is_adapted_and_without_vision_its_tower_is_frozen(base: Base) -> None:
    names = trainable(base, LORA.targets)
    for part in ("vision_model.encoder.layers.0.self_attn.q_proj", "vision_model.encoder.layers.0.mlp.fc2", "connector.modality_projection.proj",
                 "text_model.layers.0.self_attn.o_proj", "text_model.layers.0.mlp.down_proj", "embed_tokens.modules_to_save"):  # fmt: skip
        assert any(part in name for name in names), part
    assert not any("vision_model" in name for name in trainable(base, ["connector", "text"]))


def trainable(base: Base, targets: list[str]) -> list[str]:
    model = adapted(base, base.family, changed(lora=dataclasses.replace(LORA, targets=targets)), 5)
    return [name for name, weight in model.named_parameters() if weight.requires_grad]


@pytest.mark.parametrize(
    ("values", "named"),
    [({"precision": "fp16"}, "finetune:precision"), ({"schedule": "cosin"}, "finetune:schedule"), ({"arms": []}, "finetune:arms"),
     ({"accumulation": 0}, "finetune:accumulation"), ({"validation": ValidationParams(0, 4, 2, "last")}, "finetune:validation"),
     ({"validation": ValidationParams(2, 4, 0, "first")}, "finetune:validation:keep")],
)  # fmt: skip
def test_a_parameter_out_of_range_is_named(values: dict[str, object], named: str) -> None:
    with pytest.raises(ParamError, match=named):
        check(changed(**values))


def test_images_that_cannot_be_shared_out_are_refused(tmp_path: Path, base: Base) -> None:
    with pytest.raises(ParamError, match="a multiple of 1 processes x finetune.accumulation = 3"):
        train(job_in(tmp_path, base, changed(accumulation=3)))
