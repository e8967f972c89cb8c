"""CT windows by name."""

from __future__ import annotations

import pytest

from stages.knowledge.windows import UnknownWindowError, window, windows


def test_every_window_shows_what_it_is_named_after() -> None:
    """Attenuation in HU of the tissue that each window is for lies well inside it."""
    tissue = {"abdomen": 60, "liver": 60, "lung": -850, "mediastinum": 40, "bone": 1000, "temporal bone": 1500, "brain": 35, "stroke": 30}
    for name, value in tissue.items():
        chosen = window(name)
        assert chosen.level - 0.45 * chosen.width < value < chosen.level + 0.45 * chosen.width, name


def test_windows_are_wide_enough_to_show_anything() -> None:
    assert {"abdomen", "lung", "mediastinum", "bone", "brain"} <= windows().keys()
    assert all(entry.width >= 30 for entry in windows().values())


def test_an_unknown_name_brings_the_nearest_and_the_rest() -> None:
    with pytest.raises(UnknownWindowError, match="'lungs'; nearest: lung. There are abdomen"):
        window("lungs")
