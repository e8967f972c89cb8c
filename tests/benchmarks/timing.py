"""The contenders of ``throughput``, each timed alone: one training of either trainer, one pass of either way to predict."""

from __future__ import annotations

import dataclasses
import functools
import gc
import importlib.util
import io
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.core.params import AugmentParams, FinetuneParams, LoraParams, ValidationParams, load_params
from stages.core.records import Example
from stages.finetune.arms import Row
from stages.finetune.data import Questions, collate_questions
from stages.finetune.lora import lora_config, with_adapter
from stages.finetune.steps import answer_loss, question_forward
from stages.finetune.trainer import Course, make_trainer
from stages.predict.asks import plain_ask
from stages.vlm.families import FAMILIES, Family, Item, answer_text, end_id, pad_id, prediction_batch, prompt_text, training_batch
from tests.benchmarks.shapes import Corpus, random_model

ROOT = Path(__file__).resolve().parents[2]
LEARNING_RATE, BETA2, WEIGHT_DECAY = 1e-4, 0.98, 0.01
OWN, SHARED, NONE = "trl's own", "ours (trl's own fails)", "none"


@dataclass(frozen=True)
class Setting:
    """What both trainers are given. A step has ``pictures`` x ``questions`` rows; the first of ``steps`` is not timed."""

    family: str
    config: Any
    processor: Any
    corpus: Corpus
    device: str
    dtype: str
    checkpointing: bool
    pictures: int
    questions: int
    steps: int
    workers: int

    @property
    def params(self) -> FinetuneParams:
        """The shipped parameters with the settings of the comparison; no augmentation, which TRL has not."""
        return dataclasses.replace(
            load_params(ROOT / "params.yaml").finetune,
            images_per_step=self.pictures, questions_per_image=self.questions, accumulation=1, max_steps=self.steps,
            learning_rate=LEARNING_RATE, schedule="constant", weight_decay=WEIGHT_DECAY, max_grad_norm=1.0,
            precision="fp32" if self.dtype == "float32" else "bf16_base", attention="sdpa", gradient_checkpointing=self.checkpointing,
            loader_workers=self.workers, location_loss=False, checkpoint_steps=10**6, validation=ValidationParams(0, 1, 0, "last"),
            lora=LoraParams(16, 16, 0.0, True, False, ["vision", "connector", "text"], []), augment=AugmentParams(*[0.0] * 7),
        )  # fmt: skip


class Clock:
    """Trainer callback: seconds from the end of the first step to the end of the last, and the peak of the GPU's memory.

    On a CPU processor time of this process counts, so that load on the machine favours nobody; there are no workers there.
    """

    def __init__(self, device: str) -> None:
        self.device, self.marks = device, [0.0, 0.0]

    def callback(self) -> Any:
        """A fresh callback that writes to this clock."""
        from transformers import TrainerCallback

        clock = self

        class Marks(TrainerCallback):
            def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
                if state.global_step in (1, args.max_steps):
                    clock.marks[state.global_step != 1] = now(clock.device)

        return Marks()

    @property
    def seconds(self) -> float:
        """Between the marks."""
        return self.marks[1] - self.marks[0]


def now(device: str) -> float:
    """Seconds: of the wall once the GPU has done what it was given, or of the processor."""
    import torch

    if device == "cuda":
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()


def release() -> None:
    """Give the GPU's memory back and forget its peak."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def _timed(setting: Setting, trainer: Any) -> tuple[float, float | None]:
    """(rows a second, peak memory in GiB or None on a CPU) of a whole training."""
    import torch

    clock = Clock(setting.device)
    trainer.add_callback(clock.callback())
    trainer.train()
    rows = (setting.steps - 1) * setting.pictures * setting.questions
    return rows / clock.seconds, torch.cuda.max_memory_allocated() / 2**30 if setting.device == "cuda" else None


def train_ours(setting: Setting) -> tuple[float, float | None]:
    """The path of ``stages.finetune`` for every family but the nano base."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    release()
    params, family = setting.params, FAMILIES[setting.family]
    rows = [Row(group, False) for group in setting.corpus.groups]
    questions = Questions(rows, setting.corpus.pictures, params, 0, setting.steps * setting.pictures)
    model = with_adapter(random_model(setting.config, setting.device, setting.dtype), family, params)
    course = Course(questions, functools.partial(collate_questions, family, setting.processor), question_forward(answer_loss(params, family, setting.processor), family))
    with tempfile.TemporaryDirectory() as folder:
        return _timed(setting, make_trainer("bench", model, course, params, setting.steps, 0, Path(folder), None))


def for_trl(family: Family, processor: Any, corpus: Corpus, own: bool, rows: dict[str, list[int]]) -> dict[str, list[Any]]:
    """Examples as the collation takes them: TRL's ``own`` pictures, prompts and completions; ours items, so that neither does work twice."""
    examples = [corpus.examples[row] for row in rows["row"]]
    items = [Item(asked.text, opened(corpus, asked), asked.boxes_xyxy_px, asked.label) for asked in examples]
    columns: dict[str, list[Any]] = {"images": [[item.picture] for item in items]}
    if not own:
        return {**columns, "item": items}
    return {
        **columns,
        "prompt": [prompt_text(family, processor, item.expression) for item in items],
        "completion": [answer_text(family, processor, item) + family.end_token for item in items],
    }


def trl_dataset(family: Family, processor: Any, corpus: Corpus, own: bool) -> Any:
    """The corpus as a ``datasets.Dataset``, whose pictures are decoded when they are asked for, as ours are."""
    from datasets import Dataset

    rows = Dataset.from_dict({"row": list(range(len(corpus.examples)))})
    return rows.with_transform(functools.partial(for_trl, family, processor, corpus, own))


def opened(corpus: Corpus, asked: Example) -> Any:
    """The RGB picture of an example."""
    from PIL import Image

    with Image.open(io.BytesIO(corpus.pictures[asked.sample_id])) as picture:
        return picture.convert("RGB")


def trl_collation(family: str, processor: Any, corpus: Corpus) -> str:
    """Whose collation TRL's trainer can use here: its own, or ours where its own fails; or that TRL is not installed."""
    if importlib.util.find_spec("trl") is None:
        return NONE
    from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling

    try:
        DataCollatorForVisionLanguageModeling(processor, completion_only_loss=True)([trl_dataset(FAMILIES[family], processor, corpus, own=True)[0]])
    except ValueError:
        return SHARED
    return OWN


def train_trl(setting: Setting) -> tuple[float, float | None]:
    """TRL's SFTTrainer with the same everything; where its collation fails (PaliGemma's processor takes no text alone) ours."""
    import torch
    from trl import SFTConfig, SFTTrainer

    release()
    family, params = FAMILIES[setting.family], setting.params
    model = random_model(setting.config, setting.device, setting.dtype)
    own = trl_collation(setting.family, setting.processor, setting.corpus) == OWN
    with tempfile.TemporaryDirectory() as folder:
        arguments = SFTConfig(
            output_dir=folder, max_steps=setting.steps, per_device_train_batch_size=setting.pictures * setting.questions,
            learning_rate=LEARNING_RATE, lr_scheduler_type="constant", weight_decay=WEIGHT_DECAY, adam_beta2=BETA2, max_grad_norm=1.0,
            bf16=setting.dtype == "bfloat16", gradient_checkpointing=setting.checkpointing, gradient_checkpointing_kwargs={"use_reentrant": False},
            dataloader_num_workers=setting.workers, dataloader_persistent_workers=setting.workers > 0, logging_steps=min(20, setting.steps),
            max_length=None, completion_only_loss=True, save_strategy="no", report_to="none", remove_unused_columns=False,
            use_cpu=setting.device == "cpu",
        )  # fmt: skip
        trainer = SFTTrainer(
            model=model,
            args=arguments,
            train_dataset=trl_dataset(family, setting.processor, setting.corpus, own),
            processing_class=setting.processor,
            peft_config=lora_config(params.lora, family, model),
            data_collator=None if own else functools.partial(_our_collation, family, setting.processor),
        )
        trained = [weight for weight in trainer.model.parameters() if weight.requires_grad]
        if any(weight.dtype != torch.float32 for weight in trained):
            raise TypeError("TRL trains weights in another precision than float32: the comparison is not one of equals")
        return _timed(setting, trainer)


def _our_collation(family: Family, processor: Any, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return training_batch(family, processor, [row["item"] for row in rows])


def predict_batched(family: str, model: Any, processor: Any, corpus: Corpus, examples: Sequence[Example], batch_size: int, limit: int) -> float:
    """Questions a second on the path of ``stages.predict``, unconstrained, pictures decoded and answers read."""
    from stages.predict.answering import answer_all
    from stages.predict.generation import Pointer

    pointer = Pointer(model, processor, FAMILIES[family], 2, constrained=False)
    pointer.limit = limit
    asked = {example.example_id: example for example in examples}
    begun = now(model.device.type)
    answers = list(answer_all(pointer, [plain_ask(e) for e in examples], lambda ask: opened(corpus, asked[ask.example_id]), batch_size, 10**9))
    return len(answers) / (now(model.device.type) - begun)


def one_by_one(family: str, model: Any, processor: Any, corpus: Corpus, examples: Sequence[Example], limit: int) -> float:
    """Questions a second with a plain ``generate`` for each: cached keys and values, greedy, answers decoded."""
    import torch

    found = FAMILIES[family]
    begun = now(model.device.type)
    for example in examples:
        batch = prediction_batch(found, processor, [Item(example.text, opened(corpus, example), None, "")])
        moved = {key: value.to(model.device, model.dtype if value.is_floating_point() else None) for key, value in batch.items()}
        with torch.inference_mode():
            written = model.generate(**moved, max_new_tokens=limit, do_sample=False, eos_token_id=end_id(found, processor), pad_token_id=pad_id(processor))
        processor.tokenizer.decode(written[0, moved["input_ids"].shape[1] :])
    return len(examples) / (now(model.device.type) - begun)
