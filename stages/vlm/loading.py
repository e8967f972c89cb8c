"""Loading a model and its processor, the same way for pointing, writing and judging."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


class LoadError(ValueError):
    """A model or its processor cannot be loaded here."""


def load_processor(path: Path | str, revision: str | None = None, settings: Mapping[str, Any] | None = None) -> Any:
    """AutoProcessor of a local folder or a hub id; ``settings`` are keywords of its image processor.

    Its pictures go through PIL: the torchvision backend has no Lanczos filter, and with two backends the same picture
    would give other pixels. Only the image processor is asked for so, because video processors have no such backend.

    Raises:
        LoadError: a package is missing.
    """
    from transformers import AutoImageProcessor, AutoProcessor

    where = {"pretrained_model_name_or_path": str(path), "revision": revision or "main"}
    try:
        processor = AutoProcessor.from_pretrained(**where)
        processor.image_processor = AutoImageProcessor.from_pretrained(**where, backend="pil", **(settings or {}))
    except ImportError as error:
        cause = " ".join(str(error).split())
        raise LoadError(f"the processor of {path} needs a package that is not installed ({cause}): run `pip install -r requirements.txt`") from error
    return processor


def load_model(path: Path | str, revision: str | None = None, dtype: str = "float32") -> Any:
    """AutoModelForImageTextToText of a local folder or a hub id, in evaluation mode."""
    import torch
    from transformers import AutoModelForImageTextToText

    return AutoModelForImageTextToText.from_pretrained(str(path), revision=revision or "main", dtype=getattr(torch, dtype)).eval()
