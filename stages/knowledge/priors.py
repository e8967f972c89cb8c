"""Medical priors that are words: unsupported findings and leaks of the annotation. Data in ``priors.yaml``."""

from __future__ import annotations

import functools
from pathlib import Path

import yaml


@functools.cache
def _content() -> dict:
    return yaml.safe_load((Path(__file__).parent / "priors.yaml").read_text(encoding="utf-8"))


def unsupported_words() -> list[str]:
    """Findings and diagnoses that a mask cannot support."""
    return list(_content()["unsupported"]["any"])


def leak_words() -> list[str]:
    """Words that speak of the annotation instead of the patient."""
    return list(_content()["leaks"])
