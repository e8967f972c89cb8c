"""Loading a model and its processor, the same way for pointing, writing and judging."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def load_processor(path: Path | str, revision: str | None = None) -> Any:
    """AutoProcessor of a local folder or a hub id."""
    from transformers import AutoProcessor

    # The torchvision backend has no Lanczos filter: one backend everywhere, or the same image gives other pixels.
    return AutoProcessor.from_pretrained(str(path), revision=revision or "main", backend="pil")


def load_model(path: Path | str, revision: str | None = None) -> Any:
    """AutoModelForImageTextToText of a local folder or a hub id, in float32, in evaluation mode."""
    import torch
    from transformers import AutoModelForImageTextToText

    return AutoModelForImageTextToText.from_pretrained(str(path), revision=revision or "main", dtype=torch.float32).eval()
