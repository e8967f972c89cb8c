"""Medical priors beside labels.yaml: unsupported findings, leaks of the annotation, tolerated positions. Data in ``priors.yaml``."""

from __future__ import annotations

import functools
from pathlib import Path

from stages.core.params import read_yaml


@functools.cache
def _content() -> dict:
    return read_yaml(Path(__file__).parent / "priors.yaml", "it is part of this repository: restore it")


def unsupported_words() -> list[str]:
    """Findings and diagnoses that a mask cannot support."""
    return list(_content()["unsupported"]["any"])


def leak_words() -> list[str]:
    """Words that speak of the annotation instead of the patient."""
    return list(_content()["leaks"])


def side_margin() -> float:
    """Tolerated distance beyond the middle line on the unexpected side, as a share of the picture's width."""
    return float(_content()["side_margin"])


def midline_margin() -> float:
    """Tolerated distance of a midline structure from the middle line, as a share of the picture's width."""
    return float(_content()["midline_margin"])
