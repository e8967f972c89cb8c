"""From ``block.key=a,b`` to the experiments of a grid: names and the settings that each of them has."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from stages.core.stage import StageError

_NUMBER = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


@dataclass(frozen=True)
class Experiment:
    """One point of the grid. ``swept``: the parameters that tell it from its neighbours; ``fixed``: those that all share."""

    name: str
    swept: dict[str, str]
    fixed: dict[str, str]

    @property
    def settings(self) -> list[str]:
        """What ``dvc exp run -S`` is given."""
        return [f"{key}={value}" for key, value in {**self.fixed, **self.swept}.items()]

    @property
    def values(self) -> dict[str, Any]:
        """Every parameter that is set, as YAML reads it."""
        return {key: _read(value) for key, value in {**self.fixed, **self.swept}.items()}


def experiments_of(name: str, over: Sequence[str], fixed: Sequence[str]) -> list[Experiment]:
    """Every combination of the values in ``over``, the last parameter changing fastest.

    Raises:
        StageError: the name, an axis or a setting cannot be read, or a parameter is given twice.
    """
    if not _NAME.fullmatch(name):
        raise StageError(f"--name {name!r}: letters, digits, dash and underscore only; it becomes a part of git's names")
    axes = {key: _values(key, text) for key, text in map(_assignment, over)}
    shared = dict(map(_assignment, fixed))
    twice = len(axes) < len(over) or len(shared) < len(fixed) or axes.keys() & shared.keys()
    if not axes or twice:
        raise StageError(f"--over needs at least one parameter, and no parameter twice: got --over {list(over)} --set {list(fixed)}")
    combinations = itertools.product(*axes.values())
    points = [dict(zip(axes, combination, strict=True)) for combination in combinations]
    made = {_name(name, point): Experiment(_name(name, point), point, shared) for point in points}
    if len(made) < len(points):
        raise StageError(f"--over {list(over)}: values differ only in signs that a name leaves out, so that two experiments have the same name")
    return list(made.values())


def _assignment(text: str) -> tuple[str, str]:
    key, sign, value = text.partition("=")
    if not (key and sign and value):
        raise StageError(f"{text!r}: expected a parameter and its value, such as finetune.lora.rank=4,8")
    return key, value


def _values(key: str, text: str) -> list[str]:
    """Values between commas; a comma within brackets belongs to its value."""
    values = [value.strip() for value in re.split(r",(?![^\[{(]*[\]})])", text)]
    if "" in values or len(set(values)) < len(values):
        raise StageError(f"--over {key}={text}: an empty value, or the same one twice")
    return values


def _name(sweep: str, point: dict[str, str]) -> str:
    """The sweep and the last word of each parameter with its value, as a name that git takes."""
    words = [f"{key.rsplit('.', 1)[-1]}-{_plain(value)}" for key, value in point.items()]
    return "-".join([sweep, *words])


def _plain(value: str) -> str:
    """A value without the signs that a name may not hold; a dot stays only between digits."""
    return re.sub(r"(?<!\d)\.|\.(?!\d)", "_", re.sub(r"[^A-Za-z0-9.-]+", "_", value)).strip("_")


def _read(value: str) -> Any:
    """A value as DVC reads it: YAML, and 1e-3 is a number."""
    try:
        read = yaml.safe_load(value)
        return float(read) if isinstance(read, str) and _NUMBER.fullmatch(read) else read
    except yaml.YAMLError as error:
        raise StageError(f"{value!r} is no value that params.yaml could hold: {error}") from error
