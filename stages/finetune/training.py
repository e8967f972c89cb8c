"""One lesson: a base, an adapter on it, a course from the corpus; resumable after a kill, the same bytes every time."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import functools
import hashlib
import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.core.cache import cache_dir, cache_root, request_key
from stages.core.params import FinetuneParams
from stages.core.records import CorpusImage, to_row
from stages.core.shards import iter_table
from stages.core.stage import StageError
from stages.core.storage import naming_a_full_disk
from stages.finetune.arms import Lesson
from stages.finetune.data import PackedRows, Questions, collate_packed, collate_questions
from stages.finetune.dense import make_head
from stages.finetune.grounding import Look, Looks, Validation
from stages.finetune.lora import adapted, save_adapter, trainable_weights
from stages.finetune.pictures import PixelTable, corpus_pictures, pixel_table
from stages.finetune.steps import answer_loss, packed_forward, question_forward
from stages.finetune.trainer import Course, kept_weights, last_checkpoint, make_trainer
from stages.vlm.adapters import AdapterCard
from stages.vlm.bases import base_processor
from stages.vlm.card import Base, weights_hash
from stages.vlm.cpu import use_one_core
from stages.vlm.families import PromptTokens

HEAD = "dense_head"
_CODE = ("finetune", "vlm")


@dataclass(frozen=True)
class Outcome:
    """What one lesson reports.

    ``loss``: mean of the last tenth; ``samples_per_s``: questions a second; ``kept_step``: the steps that the kept weights
    had; ``val_*``: the look at them, -1 where there was none; ``processes``: how many trained together.
    """

    steps: int
    minutes: float
    loss: float
    samples_per_s: float
    kept_step: int
    val_acc_at_50: float
    val_miou: float
    trainable_weights: int
    processes: int


@dataclass(frozen=True)
class Job:
    """Everything that a lesson needs, picklable, so that lessons can run as processes. ``pixels``: shared by all, see ``pictures``."""

    lesson: Lesson
    base: Base
    images: Path
    out: Path
    curve: Path
    params: FinetuneParams
    seed: int
    pixels: PixelTable | None = None


def shared_pixels(base: Base, lessons: Sequence[Lesson], images: Path) -> PixelTable | None:
    """The training pictures of all lessons, preprocessed once, for a base whose rows are packed; else None.

    Raises:
        StageError: a picture is missing or cannot be decoded.
    """
    if not base.family.packed:
        return None
    wanted = {row.examples[0].sample_id for lesson in lessons for row in lesson.rows}
    return pixel_table(corpus_pictures(iter_table(images, CorpusImage), sorted(wanted)), base_processor(base))


def train(job: Job) -> Outcome:
    """Train one lesson and write its adapter and curve; goes on from a checkpoint of an interrupted equal run.

    Raises:
        StageError: the loss is not finite, the GPU's memory does not suffice, or the corpus lacks pictures.
        OSError: the disk of the checkpoints or of the adapter is full.
    """
    from safetensors import SafetensorError

    # PyTorch and safetensors say "unexpected pos" and the like of a full disk.
    with naming_a_full_disk([job.out, cache_root()], SafetensorError, RuntimeError):
        return _train(job)


def _train(job: Job) -> Outcome:
    import torch
    from transformers import set_seed

    use_one_core()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    set_seed(job.seed % 2**31)
    params, lesson, checkpoints = job.params, job.lesson, cache_dir("finetune") / run_key(job)
    processor = base_processor(job.base)
    model = adapted(job.base, job.base.family, params, job.seed)
    course = make_course(job, model, processor)
    trainer = make_trainer(lesson.name, model, course, params, lesson.steps, job.seed, checkpoints, _validation(job, processor))
    resumed = last_checkpoint(checkpoints)
    first = int(resumed.name.rsplit("-", 1)[1]) if resumed else 0
    started = time.monotonic()
    try:
        trainer.train(resume_from_checkpoint=str(resumed) if resumed else None)
    except torch.OutOfMemoryError as error:
        raise StageError(_memory_remedy(job, str(error))) from error
    seconds = time.monotonic() - started
    weights, kept_step = kept_weights(trainer, params, checkpoints)
    losses = [entry for entry in trainer.state.log_history if "loss" in entry]
    looks = Looks(checkpoints, params.validation).until(trainer.state.global_step)
    trained = trainable_weights(trainer.accelerator.unwrap_model(trainer.model), course.beside)
    trainer.accelerator.wait_for_everyone()
    if trainer.is_world_process_zero():
        save_adapter(trainer.model, weights, job.out, _card(job, kept_step, trained))
        write_curve(losses, looks, job.curve)
        shutil.rmtree(checkpoints)
    seen = next((look for look in looks if look.step == kept_step), Look(kept_step, -1.0, -1.0))
    last = [entry["loss"] for entry in losses[-max(1, len(losses) // 10) :]]
    asked = sum(min(len(row.examples), params.questions_per_image) for row in lesson.rows) / len(lesson.rows)
    per_second = (trainer.state.global_step - first) * params.images_per_step * asked / seconds
    return Outcome(
        steps=trainer.state.global_step, minutes=round(seconds / 60, 1), loss=round(sum(last) / len(last), 4),
        samples_per_s=round(per_second), kept_step=kept_step, val_acc_at_50=seen.acc_at_50, val_miou=seen.miou,
        trainable_weights=trained, processes=trainer.accelerator.num_processes,
    )  # fmt: skip


def make_course(job: Job, model: Any, processor: Any) -> Course:
    """Packed rows with the dense auxiliary for the nano base; questions one by one for every other family."""
    params, lesson, family = job.params, job.lesson, job.base.family
    length = lesson.steps * params.images_per_step
    loss_of = answer_loss(params, family, processor)
    if not family.packed:
        wanted = [row.examples[0].sample_id for row in lesson.rows]
        questions = Questions(lesson.rows, corpus_pictures(iter_table(job.images, CorpusImage), wanted), params, job.seed, length)
        return Course(questions, functools.partial(collate_questions, family, processor), question_forward(loss_of, family))
    pixels = job.pixels or shared_pixels(job.base, [lesson], job.images)
    tokens, vision = PromptTokens(family, processor), model.config.vision_config
    rows = PackedRows(lesson.rows, pixels, tokens, params, job.seed, length, vision.image_size // vision.patch_size)
    # On the adapted model, so that the optimiser sees it; an adapter's files leave it out.
    if params.dense_weight > 0:
        setattr(model, HEAD, make_head(model, len(rows.labels)))
    beside = (HEAD,) if params.dense_weight > 0 else ()
    return Course(rows, functools.partial(collate_packed, tokens), packed_forward(loss_of, params), beside)


def _validation(job: Job, processor: Any) -> Validation | None:
    examples = job.lesson.validation
    if not examples:
        return None
    pictures = corpus_pictures(iter_table(job.images, CorpusImage), [example.sample_id for example in examples])
    return Validation(job.base.family, processor, examples, pictures)


@contextlib.contextmanager
def alone(job: Job) -> Iterator[None]:
    """While it lasts, no other run of this machine trains the same: two experiments side by side share the folder of checkpoints.

    The later one waits, and then trains for itself. A killed run's lock is gone with it.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(cache_dir("locks") / f"finetune-{run_key(job)}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print(f"finetune, arm {job.lesson.name!r}: another run trains exactly this at the moment; this one waits until that is done", file=sys.stderr)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def train_alone(job: Job) -> Outcome:
    """``train``, once nobody else trains the same."""
    with alone(job):
        return train(job)


def run_key(job: Job) -> str:
    """Names an interrupted run that may be continued: same lesson, weights, examples, parameters and code."""
    lesson = job.lesson
    examples = [[to_row(example) for example in row.examples] for row in lesson.rows]
    looked_at = [to_row(example) for example in lesson.validation]
    settings = {key: value for key, value in dataclasses.asdict(job.params).items() if key not in ("arms", "parallel_arms")}
    return request_key([lesson.name, lesson.steps, weights_hash(job.base), examples, looked_at, settings, job.seed, code_hash()])[:20]


def code_hash() -> str:
    """SHA-256 over the code that a training runs through: a checkpoint of other code is of another run."""
    root = Path(__file__).resolve().parents[1]
    digest = hashlib.sha256()
    for path in sorted(path for package in _CODE for path in (root / package).rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _card(job: Job, steps: int, trained: int) -> AdapterCard:
    rows = job.lesson.rows
    count = sum(len(row.examples) for row in rows)
    return AdapterCard(job.lesson.name, job.base.card.name, weights_hash(job.base), steps, count, len(rows), trained)


def _memory_remedy(job: Job, cause: str) -> str:
    return (
        f"finetune, arm {job.lesson.name!r}: the GPU's memory does not suffice ({cause.splitlines()[0]}). In params.yaml raise "
        "finetune.accumulation (the same step in smaller parts), set finetune.gradient_checkpointing to true or finetune.precision to "
        "bf16_base, lower finetune.questions_per_image, finetune.images_per_step or finetune.parallel_arms; or lower max_pixels in the "
        "base's card"
    )


def write_curve(losses: Sequence[dict[str, float]], looks: Sequence[Look], path: Path) -> None:
    """The training curve as CSV: step, loss, learning rate, and the validation's figures where there was a look."""
    entries: dict[int, dict[str, str]] = {}
    for entry in losses:
        entries[int(entry["step"])] = {"loss": f"{float(entry['loss']):.4f}", "learning_rate": f"{entry['learning_rate']:.6f}"}
    for look in looks:
        entries.setdefault(look.step, {}).update(val_acc_at_50=f"{look.acc_at_50:.4f}", val_miou=f"{look.miou:.4f}")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, ("step", "loss", "learning_rate", "val_acc_at_50", "val_miou"), lineterminator="\n")
        writer.writeheader()
        writer.writerows({"step": step, **entries[step]} for step in sorted(entries))
