"""One arm of the fine-tuning: LoRA on vision, connector and text by the HF Trainer, resumable, deterministic."""

from __future__ import annotations

import csv
import dataclasses
import functools
import json
import math
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.core.cache import cache_dir, request_key
from stages.core.params import FinetuneParams, LoraParams
from stages.core.records import CorpusImage, Example, to_row
from stages.core.shards import iter_table
from stages.core.stage import StageError
from stages.finetune.data import PackedRows, collate, load_pixels
from stages.finetune.dense import dense_loss, make_head
from stages.vlm.adapters import AdapterCard, write_adapter_card
from stages.vlm.card import Base, weights_hash
from stages.vlm.codecs import LOCATION_TOKENS
from stages.vlm.cpu import use_lean_attention
from stages.vlm.families import PromptTokens, find_family
from stages.vlm.loading import load_model, load_processor
from stages.vlm.losses import LocationLoss
from stages.vlm.packing import answer_logits

HEAD_FILE = "dense_head.pt"
PARTS = {"vision": "vision_model", "connector": "connector", "text": "text_model"}


@dataclass(frozen=True)
class Outcome:
    """What one arm reports: optimiser steps, wall minutes, mean loss of the last tenth, examples a second."""

    steps: int
    minutes: float
    loss: float
    samples_per_s: float


@dataclass(frozen=True)
class ArmJob:
    """Everything that an arm needs, picklable, so that arms can run as processes."""

    arm: str
    base: Base
    rows: list[list[Example]]
    images: Path
    out: Path
    curve: Path
    params: FinetuneParams
    seed: int


def lora_config(params: LoraParams) -> Any:
    """PEFT configuration; ``targets`` are parts of the model, all of whose linear layers get low-rank updates.

    Raises:
        StageError: unknown part.
    """
    from peft import LoraConfig

    unknown = [part for part in params.targets if part not in PARTS]
    if unknown or not params.targets:
        raise StageError(f"params.yaml:finetune:lora:targets must name some of {', '.join(PARTS)}, got {params.targets}")
    inside = "|".join(PARTS[part] for part in params.targets)
    layers = "q_proj|k_proj|v_proj|out_proj|o_proj|gate_proj|up_proj|down_proj|fc1|fc2|proj"
    return LoraConfig(
        r=params.rank,
        lora_alpha=params.alpha,
        lora_dropout=params.dropout,
        use_rslora=params.rslora,
        use_dora=params.dora,
        target_modules=rf".*\.({inside})\.(.*\.)?({layers})",
        modules_to_save=list(params.modules_to_save) or None,
    )


def adapted(job: ArmJob) -> Any:
    """The base with fresh adapter weights, drawn from the job's seed (equal for all arms)."""
    import torch
    from peft import get_peft_model

    torch.manual_seed(job.seed % 2**31)
    model = load_model(job.base.location, job.base.card.revision)
    use_lean_attention(model)
    return get_peft_model(model, lora_config(job.params.lora))


def train_arm(job: ArmJob) -> Outcome:
    """Train one arm and write its adapter; goes on from a checkpoint of an interrupted equal run.

    Raises:
        StageError: the loss is not finite, or the corpus lacks pictures.
    """
    import time

    from transformers import set_seed

    from stages.vlm.cpu import use_one_core

    use_one_core()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    set_seed(job.seed % 2**31)
    processor = load_processor(job.base.location, job.base.card.revision)
    tokens = PromptTokens(find_family(job.base.card.family), processor)
    wanted = {row[0].sample_id for row in job.rows}
    pixels = load_pixels(iter_table(job.images, CorpusImage), wanted, processor)
    model = adapted(job)
    vision = model.config.vision_config
    dataset = PackedRows(job.rows, pixels, tokens, job.params, job.seed, vision.image_size // vision.patch_size)
    checkpoints = cache_dir("finetune") / _run_key(job)
    trainer = make_trainer(model, dataset, tokens, job, checkpoints)
    started = time.monotonic()
    trainer.train(resume_from_checkpoint=any(checkpoints.glob("checkpoint-*")))
    seconds = time.monotonic() - started
    curve = [entry for entry in trainer.state.log_history if "loss" in entry]
    save_adapter(trainer.model, job)
    write_curve(curve, job.curve)
    shutil.rmtree(checkpoints)
    last = [entry["loss"] for entry in curve[-max(1, len(curve) // 10) :]]
    asked = sum(min(len(row), job.params.questions_per_image) for row in job.rows) / len(job.rows)
    per_second = job.params.max_steps * job.params.images_per_step * asked / seconds
    return Outcome(job.params.max_steps, round(seconds / 60, 1), round(sum(last) / len(last), 4), round(per_second))


def _run_key(job: ArmJob) -> str:
    """Names an interrupted run that may be continued: same arm, weights, examples and parameters."""
    examples = request_key([[to_row(example) for example in row] for row in job.rows])
    return request_key([job.arm, weights_hash(job.base), examples, dataclasses.asdict(job.params), job.seed])[:20]


def make_trainer(model: Any, dataset: PackedRows, tokens: PromptTokens, job: ArmJob, checkpoints: Path) -> Any:
    """HF Trainer on packed rows, in the order of the rows (they are shuffled already); the dense head learns along."""
    import torch
    from transformers import Trainer, TrainerCallback

    params = job.params
    loss_of = answer_loss(params, tokens)
    # Registered on the adapted model, so that the optimiser sees it; an adapter's files leave it out.
    model.dense_head = make_head(model, len(dataset.labels))

    class HeadKeeper(TrainerCallback):
        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            torch.save(model.dense_head.state_dict(), Path(args.output_dir) / f"checkpoint-{state.global_step}" / HEAD_FILE)

    class PackedTrainer(Trainer):
        def compute_loss(self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None) -> Any:
            adapted_model = self.accelerator.unwrap_model(model)
            with torch.autocast(inputs["input_ids"].device.type, torch.bfloat16, enabled=params.precision == "bf16"):
                seen = adapted_model.get_base_model().model.get_image_features(inputs["pixel_values"], return_dict=True)
                logits, due = answer_logits(adapted_model, inputs, seen)
                patches = adapted_model.dense_head(seen.last_hidden_state)
            loss = loss_of(logits.float(), due)
            if params.dense_weight > 0:
                loss = loss + params.dense_weight * dense_loss(patches, inputs["patch_labels"], inputs["patch_boxes"])
            if not math.isfinite(float(loss.detach())):
                raise StageError(
                    f"finetune, arm {job.arm!r}: the loss is {float(loss.detach())} at step {self.state.global_step}: "
                    "lower finetune.learning_rate in params.yaml, or set finetune.precision to fp32"
                )
            return (loss, {}) if return_outputs else loss

        def _get_train_sampler(self, *_: Any) -> Any:
            return torch.utils.data.SequentialSampler(dataset)

        def _load_from_checkpoint(self, folder: str, *rest: Any, **named: Any) -> None:
            super()._load_from_checkpoint(folder, *rest, **named)
            model.dense_head.load_state_dict(torch.load(Path(folder) / HEAD_FILE, weights_only=True))

    return PackedTrainer(
        model=model,
        args=training_arguments(job, checkpoints),
        train_dataset=dataset,
        data_collator=functools.partial(collate, tokens),
        callbacks=[HeadKeeper()],
    )


def answer_loss(params: FinetuneParams, tokens: PromptTokens) -> Any:
    """Loss of answer logits: with soft bins and coordinate distance, or plain cross-entropy."""
    from torch.nn import functional

    if not params.location_loss:
        return functional.cross_entropy
    return LocationLoss(tokens.token_id(LOCATION_TOKENS[0]), params.sigma_bins, params.l1_weight)


def training_arguments(job: ArmJob, checkpoints: Path) -> Any:
    """Arguments of the HF Trainer; nothing is reported from inside it (core.stage mirrors the metrics)."""
    import torch
    from transformers import TrainingArguments

    params = job.params
    return TrainingArguments(
        output_dir=str(checkpoints),
        max_steps=params.max_steps,
        per_device_train_batch_size=params.images_per_step,
        learning_rate=params.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=max(1, round(params.warmup_share * params.max_steps)),
        weight_decay=params.weight_decay,
        adam_beta2=0.98,
        max_grad_norm=1.0,
        logging_steps=min(20, params.max_steps),
        save_steps=params.checkpoint_steps,
        save_total_limit=1,
        seed=job.seed % 2**31,
        report_to="none",
        remove_unused_columns=False,
        label_names=["labels"],
        use_cpu=not torch.cuda.is_available(),
    )


def save_adapter(model: Any, job: ArmJob) -> None:
    """Adapter weights, configuration and card into an emptied folder, the same bytes for the same run."""
    if job.out.exists():
        shutil.rmtree(job.out)
    job.out.mkdir(parents=True)
    model.peft_config["default"].base_model_name_or_path = job.base.card.name
    model.save_pretrained(str(job.out))
    (job.out / "README.md").unlink(missing_ok=True)
    config = job.out / "adapter_config.json"
    content = json.loads(config.read_text(encoding="utf-8"))
    config.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    trainable = sum(w.numel() for name, w in model.named_parameters() if w.requires_grad and not name.startswith("dense_head"))
    count = sum(len(row) for row in job.rows)
    card = AdapterCard(job.arm, job.base.card.name, weights_hash(job.base), job.params.max_steps, count, len(job.rows), trainable)
    write_adapter_card(job.out, card)
    for path in job.out.iterdir():
        os.chmod(path, 0o644)


def write_curve(entries: Sequence[dict[str, float]], path: Path) -> None:
    """The training curve as CSV: step, loss, learning rate."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(("step", "loss", "learning_rate"))
        writer.writerows((entry["step"], f"{float(entry['loss']):.4f}", f"{entry['learning_rate']:.6f}") for entry in entries)
