"""Examples and answers for tests."""

from __future__ import annotations

from stages.core.records import Example, Prediction


def make_example(number: int, boxes: list[list[float]], **changes: object) -> Example:
    """Example ``d/c<number>`` of 100 x 80 px; four examples share a patient."""
    fields: dict[str, object] = {
        "example_id": f"d/c{number:03d}/0~1",
        "sample_id": f"d/c{number:03d}/0",
        "dataset": "d",
        "patient_id": f"p{number // 4}",
        "modality": "ct" if number % 2 else "xray",
        "text": "the largest lesion",
        "label": "lesion",
        "boxes_xyxy_px": boxes,
        "width": 100,
        "height": 80,
        "split": "test",
        "kind": "none" if not boxes else "single" if len(boxes) == 1 else "multi",
        "n_same_label": 2,
        "size_bin": "small",
        "claim_kinds": ["label", "rank"],
        "licence": "CC0-1.0",
    }
    return Example(**{**fields, **changes})  # type: ignore[arg-type]


def make_answer(example: Example, contender: str, boxes: list[list[float]], outcome: str | None = None) -> Prediction:
    """Answer with the outcome that a codec would give."""
    return Prediction(example.example_id, contender, "", boxes, [1.0] * len(boxes), outcome or ("ok" if boxes else "none"), 4)
