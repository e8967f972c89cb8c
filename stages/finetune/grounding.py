"""Looks at the validation patients in the middle of a training: greedy answers, scored by their boxes.

The looks decide what loss cannot: when to stop, and which weights to keep.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stages.core.geometry import iou_matrix
from stages.core.params import ValidationParams
from stages.core.records import Example
from stages.finetune.pictures import open_picture
from stages.vlm.families import Family, Item, answer_ids, end_id, generated_ids, pad_id, prediction_batch, read_answer, seen_px

_BATCH = 48
_RIGHT_IOU = 0.5


@dataclass(frozen=True)
class Look:
    """Share of the answers that are right at IoU 0.5 as a whole, and mean IoU (see ``answer_iou``), after ``step`` steps."""

    step: int
    acc_at_50: float
    miou: float


def answer_iou(found: Sequence[Sequence[float]], targets: Sequence[Sequence[float]]) -> tuple[float, bool]:
    """IoUs matched one to one, summed, over the larger count of boxes; and whether every box has its own target at 0.5.

    The definitions of the evaluation: a right "nothing there" is 1, a box too many or too few is not right.
    """
    from scipy.optimize import linear_sum_assignment

    if not found or not targets:
        return float(not found and not targets), not found and not targets
    values = iou_matrix(np.asarray(found, float), np.asarray(targets, float))
    rows, columns = linear_sum_assignment(values, maximize=True)
    matched = values[rows, columns]
    return float(matched.sum() / max(values.shape)), len(found) == len(targets) and bool((matched >= _RIGHT_IOU).all())


class Validation:
    """Asks a model the same questions at every look."""

    def __init__(self, family: Family, processor: Any, examples: Sequence[Example], pictures: dict[str, bytes]):
        self._family, self._processor = family, processor
        opened = {e.sample_id: open_picture(e.sample_id, pictures[e.sample_id]) for e in examples}
        items = [(e, Item(e.text, opened[e.sample_id], e.boxes_xyxy_px, e.label)) for e in examples]
        # Of like length together, so that little is padding.
        self._asked = sorted(items, key=lambda pair: (len(pair[1].expression), pair[0].example_id))
        self._most_tokens = max((len(answer_ids(family, processor, item)) for _, item in items), default=0) + 2

    def __len__(self) -> int:
        return len(self._asked)

    def look(self, model: Any, step: int) -> Look:
        """Greedy answers of the model as it is. They draw nothing, so that the training goes on as if nobody had asked."""
        was_training = model.training
        model.eval()
        scores = []
        for start in range(0, len(self._asked), _BATCH):
            scores += self._scores(model, self._asked[start : start + _BATCH])
        model.train(was_training)
        return Look(step, float(np.mean([right for _, right in scores])), float(np.mean([value for value, _ in scores])))

    def _scores(self, model: Any, asked: Sequence[tuple[Example, Item]]) -> list[tuple[float, bool]]:
        import torch

        items = [item for _, item in asked]
        batch = {key: value.to(model.device) for key, value in prediction_batch(self._family, self._processor, items).items()}
        with torch.inference_mode():
            output = model.generate(
                **batch,
                max_new_tokens=self._most_tokens,
                do_sample=False,
                num_beams=1,
                eos_token_id=end_id(self._family, self._processor),
                pad_token_id=pad_id(self._processor),
            )
        tokens = generated_ids(self._family, batch, output).tolist()
        return [self._score(example, row) for (example, _), row in zip(asked, tokens, strict=True)]

    def _score(self, example: Example, tokens: list[int]) -> tuple[float, bool]:
        text, _ = read_answer(self._family, self._processor, tokens)
        seen = seen_px(self._family, self._processor, example.width, example.height)
        decoded = self._family.box_codec.decode(text, example.width, example.height, seen)
        if decoded.outcome not in ("ok", "repaired", "none"):
            return 0.0, False
        return answer_iou(decoded.boxes_xyxy_px, example.boxes_xyxy_px)


class Looks:
    """The looks of one training, kept in its folder of checkpoints, so that a resumed run decides as an unbroken one would."""

    def __init__(self, folder: Path, params: ValidationParams):
        self._file, self._params = folder / "looks.json", params
        stored = json.loads(self._file.read_text(encoding="utf-8")) if self._file.exists() else []
        self._all = {look["step"]: Look(**look) for look in stored}

    def until(self, step: int) -> list[Look]:
        """Looks up to a step, in order."""
        return [self._all[at] for at in sorted(self._all) if at <= step]

    def add(self, look: Look) -> bool:
        """Record a look; whether its mean IoU is the best until then."""
        before = [other.miou for other in self.until(look.step - 1)]
        self._all[look.step] = look
        part = self._file.with_suffix(".part")
        part.write_text(json.dumps([asdict(self._all[at]) for at in sorted(self._all)]), encoding="utf-8")
        part.replace(self._file)
        return not before or look.miou > max(before)

    def best(self, step: int) -> Look:
        """The first of the best looks up to a step."""
        return max(self.until(step), key=lambda look: (look.miou, -look.step))

    def exhausted(self, step: int) -> bool:
        """Whether ``patience`` looks have gone by without a better one."""
        looks = self.until(step)
        if self._params.patience == 0 or not looks:
            return False
        return sum(look.step > self.best(step).step for look in looks) >= self._params.patience
