"""The HF Trainer for every family: order of the rows, weights of the losses, checkpoints that are whole or not there."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.core.params import FinetuneParams, require
from stages.core.stage import StageError
from stages.finetune.grounding import Looks, Validation
from stages.finetune.lora import adapter_weights
from stages.finetune.steps import teach
from stages.vlm.packing import IGNORE

BESIDE_FILE, WHOLE, BEST = "beside.pt", "whole", "best.safetensors"
SCHEDULES = {"cosine": "cosine", "linear": "linear", "constant": "constant_with_warmup"}
_LOGGED_STEPS = 20


@dataclass(frozen=True)
class Course:
    """What a model is taught with: a dataset whose places are in training order, its collation, the losses of a batch.

    ``beside`` names modules on the model that learn along and are no part of the adapter.
    """

    dataset: Any
    collate: Callable[[Any], dict[str, Any]]
    forward: Callable[..., dict[str, Any]]
    beside: tuple[str, ...] = ()


def last_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint that was written to its end; what a killed process left half-written is removed."""
    found = sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.rsplit("-", 1)[1]))
    for path in found:
        if not (path / WHOLE).exists():
            shutil.rmtree(path)
    whole = [path for path in found if path.exists()]
    return whole[-1] if whole else None


def make_trainer(name: str, model: Any, course: Course, params: FinetuneParams, steps: int, seed: int, checkpoints: Path, validation: Validation | None) -> Any:
    """HF Trainer of one lesson; ``train()`` it, then take ``kept_weights``.

    Raises:
        ParamError: images_per_step cannot be shared out over processes and accumulation.
    """
    import torch
    from transformers import Trainer

    teach(model, course.forward, params)

    class LessonTrainer(Trainer):
        def compute_loss(self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None) -> Any:
            """This part's share of the mean over all answers of the step; gradients of several processes are averaged."""
            losses = model(**inputs)
            parts, processes = self.args.gradient_accumulation_steps, self.accelerator.num_processes
            share = 1.0 if parts * processes == 1 else losses["answers"] / num_items_in_batch * processes
            loss = losses["loss"] * share
            if losses["auxiliary"] is not None:
                loss = loss + losses["auxiliary"] / parts
            _check_finite(loss, name, self.state.global_step, checkpoints)
            return (loss, {}) if return_outputs else loss

        def get_batch_samples(self, epoch_iterator: Any, num_batches: int, device: Any) -> Any:
            batches, _ = super().get_batch_samples(epoch_iterator, num_batches, device)
            answers = sum(int((batch["labels"] != IGNORE).sum()) for batch in batches)
            counted = torch.tensor(answers, device=device)
            return batches, self.accelerator.gather(counted).sum() if self.accelerator.num_processes > 1 else counted

        def _get_train_sampler(self, *_: Any) -> Any:
            return torch.utils.data.SequentialSampler(course.dataset)

        def _save_checkpoint(self, *arguments: Any, **named: Any) -> None:
            super()._save_checkpoint(*arguments, **named)
            self.accelerator.wait_for_everyone()
            if self.is_world_process_zero():
                folder = checkpoints / f"checkpoint-{self.state.global_step}"
                _check_weights(self.model, name, self.state.global_step, checkpoints)
                _finish_checkpoint(folder, self.model, course.beside)

        def _load_from_checkpoint(self, folder: str, *rest: Any, **named: Any) -> None:
            super()._load_from_checkpoint(folder, *rest, **named)
            states = torch.load(Path(folder) / BESIDE_FILE, weights_only=True)
            for module, state in states.items():
                getattr(self.model, module).load_state_dict(state)

    trainer = LessonTrainer(
        model=model,
        args=training_arguments(params, steps, seed, checkpoints),
        train_dataset=course.dataset,
        data_collator=course.collate,
    )
    # The loss is scaled above: the Trainer must not divide it once more.
    trainer.model_accepts_loss_kwargs = True
    if validation is not None and len(validation):
        # A sharded model has no whole weights to generate with outside its own forward.
        require(not trainer.is_fsdp_enabled, "finetune:validation:every_steps", "0 where the launcher shards the model (FSDP)", params.validation)
        trainer.add_callback(_looking(trainer, validation, Looks(checkpoints, params.validation), params, checkpoints))
    return trainer


def _looking(trainer: Any, validation: Validation, looks: Looks, params: FinetuneParams, checkpoints: Path) -> Any:
    """Callback that looks, keeps the best weights on disk, and stops when the looks no longer get better.

    Every process looks at everything, so that all of them decide alike and nobody waits.
    """
    from safetensors.torch import save_file
    from transformers import TrainerCallback

    class Looking(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            step = state.global_step
            if step % params.validation.every_steps and step != state.max_steps:
                return
            model = trainer.model
            better = looks.add(validation.look(model, step))
            if better and params.validation.keep == "best":
                weights = adapter_weights(model, gathered(trainer))
                if trainer.is_world_process_zero():
                    save_file(weights, str(checkpoints / BEST))
            control.should_training_stop |= looks.exhausted(step)
            # The curve's table then has a loss beside the look.
            control.should_log = True

    return Looking()


def gathered(trainer: Any) -> dict[str, Any] | None:
    """The whole state of a sharded model, None where every process has all of it. All processes must call it."""
    return trainer.accelerator.get_state_dict(trainer.model_wrapped) if trainer.is_fsdp_enabled else None


def training_arguments(params: FinetuneParams, steps: int, seed: int, checkpoints: Path) -> Any:
    """Arguments of the HF Trainer; nothing is reported from inside it (core.stage mirrors the metrics).

    Raises:
        ParamError: see ``make_trainer``.
    """
    import torch
    from transformers import TrainingArguments

    # A logged loss is the mean since the last one, also across a resume: so checkpoints stand where losses are logged.
    logged = math.gcd(_LOGGED_STEPS, params.checkpoint_steps)
    arguments = TrainingArguments(
        output_dir=str(checkpoints),
        max_steps=steps,
        gradient_accumulation_steps=params.accumulation,
        learning_rate=params.learning_rate,
        lr_scheduler_type=SCHEDULES[params.schedule],
        warmup_steps=max(1, round(params.warmup_share * steps)),
        weight_decay=params.weight_decay,
        adam_beta2=0.98,
        max_grad_norm=params.max_grad_norm,
        logging_steps=min(logged, steps),
        save_steps=params.checkpoint_steps,
        seed=seed % 2**31,
        report_to="none",
        remove_unused_columns=False,
        label_names=["labels"],
        dataloader_num_workers=params.loader_workers,
        dataloader_persistent_workers=params.loader_workers > 0,
        # Not every base uses all of its modules in every step.
        ddp_find_unused_parameters=True,
        use_cpu=not torch.cuda.is_available(),
    )
    parts = arguments.world_size * params.accumulation
    require(
        params.images_per_step % parts == 0,
        "finetune:images_per_step",
        f"a multiple of {arguments.world_size} processes x finetune.accumulation = {parts}",
        params.images_per_step,
    )
    arguments.per_device_train_batch_size = params.images_per_step // parts
    # Several GPUs under one process would be DataParallel, which splits the batch behind our back: they need a launcher.
    arguments._n_gpu = min(arguments.n_gpu, 1)
    return arguments


def kept_weights(trainer: Any, params: FinetuneParams, checkpoints: Path) -> tuple[dict[str, Any], int]:
    """The adapter's tensors that ``validation.keep`` asks for, and after how many steps they stood so. All processes call it."""
    from safetensors.torch import load_file

    last = trainer.state.global_step
    looks = Looks(checkpoints, params.validation)
    if params.validation.keep == "best" and looks.until(last):
        return load_file(str(checkpoints / BEST)), looks.best(last).step
    return adapter_weights(trainer.model, gathered(trainer)), last


def _finish_checkpoint(folder: Path, model: Any, beside: tuple[str, ...]) -> None:
    """Add the modules beside the adapter, mark the checkpoint as whole, and only then remove the older ones."""
    import torch

    torch.save({name: getattr(model, name).state_dict() for name in beside}, folder / BESIDE_FILE)
    (folder / WHOLE).write_text(json.dumps({"whole": True}), encoding="utf-8")
    for other in folder.parent.glob("checkpoint-*"):
        if other != folder:
            shutil.rmtree(other)


def _check_finite(loss: Any, name: str, step: int, checkpoints: Path) -> None:
    """Stop before a loss that is not finite reaches the weights.

    Raises:
        StageError: says what to lower, and where the last good checkpoint is.
    """
    value = float(loss.detach())
    if not math.isfinite(value):
        raise StageError(_divergence(f"the loss is {value}", name, step, checkpoints))


def _check_weights(model: Any, name: str, step: int, checkpoints: Path) -> None:
    """Never take a checkpoint of weights that are not finite for a good one: a gradient can overflow where the loss does not.

    Raises:
        StageError: see ``_check_finite``.
    """
    import torch

    if not all(bool(torch.isfinite(weight).all()) for weight in model.parameters() if weight.requires_grad):
        raise StageError(_divergence("the weights are no longer finite", name, step, checkpoints))


def _divergence(what: str, name: str, step: int, checkpoints: Path) -> str:
    kept = last_checkpoint(checkpoints)
    return f"finetune, arm {name!r}: {what} at step {step}: lower finetune.learning_rate or finetune.max_grad_norm in params.yaml, or set finetune.precision to fp32; " + (
        f"the last good checkpoint stays in {kept}" if kept else "there was no checkpoint yet"
    )
