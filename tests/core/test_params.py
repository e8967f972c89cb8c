"""params.yaml: every knob is known, typed and named when it is wrong."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import yaml

from stages.core.params import ParamError, build, load_params, read_yaml, require

ROOT = Path(__file__).resolve().parents[2]


def _written(tmp_path: Path, change) -> Path:
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    change(content)
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def test_the_repositorys_parameters_load() -> None:
    params = load_params(ROOT / "params.yaml")
    assert params.split.val_share + params.split.test_share < 1
    assert params.datasets


def test_every_knob_has_a_comment_above_it_or_above_its_neighbours() -> None:
    bare, documented = [], False
    for line in (ROOT / "params.yaml").read_text().splitlines():
        indent = len(line) - len(line.lstrip())
        if line.strip().startswith("#"):
            documented = True
        elif not line.strip() or (indent == 0 and line.endswith(":") and not documented):
            documented = False
        elif indent <= 2 and not documented:
            bare.append(line)
    assert bare == []


def test_an_unknown_key_names_its_nearest_neighbour(tmp_path: Path) -> None:
    path = _written(tmp_path, lambda content: content["anchor"].update(ring_pixels=3))
    with pytest.raises(ParamError, match=r"params.yaml:anchor: unknown key 'ring_pixels'; did you mean 'ring_px'"):
        load_params(path)


def test_an_unknown_block_is_named(tmp_path: Path) -> None:
    path = _written(tmp_path, lambda content: content.update(splitt={}))
    with pytest.raises(ParamError, match="unknown key 'splitt'; did you mean 'split'"):
        load_params(path)


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    path = _written(tmp_path, lambda content: content["split"].pop("test_share"))
    with pytest.raises(ParamError, match="params.yaml:split: missing test_share"):
        load_params(path)


@pytest.mark.parametrize(
    ("block", "key", "value", "expected"),
    [
        ("anchor", "ring_px", "six", "a whole number"),
        ("anchor", "ring_px", 6.5, "a whole number"),
        ("anchor", "ring_px", True, "a whole number"),
        ("anchor", "ring_px", None, "a whole number"),
        ("split", "test_share", "0.2", "a number"),
        ("split", "test_share", False, "a number"),
        ("vlm", "base", 3, "of type str"),
    ],
)
def test_a_value_of_another_type_is_named_with_what_was_expected(tmp_path: Path, block: str, key: str, value, expected: str) -> None:
    path = _written(tmp_path, lambda content: content[block].update({key: value}))
    with pytest.raises(ParamError, match=f"{block}:{key}: expected {expected}, got"):
        load_params(path)


@pytest.mark.parametrize("block", [None, [], 3, "x"])
def test_a_block_that_is_no_mapping_is_named(tmp_path: Path, block) -> None:
    path = _written(tmp_path, lambda content: content.update(split=block))
    with pytest.raises(ParamError, match="params.yaml:split: expected a mapping"):
        load_params(path)


def test_a_whole_number_is_a_number(tmp_path: Path) -> None:
    path = _written(tmp_path, lambda content: content["split"].update(test_share=0))
    share = load_params(path).split.test_share
    assert share == 0.0 and type(share) is float


def test_a_missing_file_says_where_to_run(tmp_path: Path) -> None:
    with pytest.raises(ParamError, match="not found: run from the repository's root"):
        load_params(tmp_path / "params.yaml")


@pytest.mark.parametrize("text", ["a: [1", "a: b: c"])
def test_broken_yaml_is_an_error_with_the_place(tmp_path: Path, text: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(ParamError, match="is not valid YAML(.|\n)*line 1"):
        load_params(path)


def test_an_empty_file_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("")
    with pytest.raises(ParamError, match="params.yaml: expected a mapping"):
        load_params(path)


def test_optional_fields_and_lists_are_built() -> None:
    @dataclasses.dataclass(frozen=True)
    class Inner:
        value: float

    assert build(list[Inner], [{"value": 1}, {"value": 2}], "x") == [Inner(1.0), Inner(2.0)]
    assert build(int | None, None, "x") is None
    with pytest.raises(ParamError, match=r"x:1:value: expected a number"):
        build(list[Inner], [{"value": 1}, {"value": "b"}], "x")


def test_require_names_the_parameter() -> None:
    require(True, "a.b", "positive", 1)
    with pytest.raises(ParamError, match="params.yaml:a.b must be positive, got -1"):
        require(False, "a.b", "positive", -1)


@pytest.mark.parametrize("text", ["a: 1\nb:\n  c: 1\n  c: 2\n", "a: {c: 1, c: 2}\n"])
def test_a_key_that_stands_twice_is_an_error_and_not_an_overwrite(tmp_path: Path, text: str) -> None:
    (tmp_path / "twice.yaml").write_text(text)
    with pytest.raises(ParamError, match=r"(?s)twice\.yaml is not valid YAML: the key 'c' stands twice.*line"):
        read_yaml(tmp_path / "twice.yaml", "")


def test_yaml_that_would_build_an_object_is_refused(tmp_path: Path) -> None:
    (tmp_path / "evil.yaml").write_text("a: !!python/object/apply:os.getcwd []\n")
    with pytest.raises(ParamError, match="evil.yaml is not valid YAML"):
        read_yaml(tmp_path / "evil.yaml", "")


def test_a_missing_file_says_what_to_do_and_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    with pytest.raises(ParamError, match=r"gone\.yaml not found: look elsewhere"):
        read_yaml(tmp_path / "gone.yaml", "look elsewhere")
    (tmp_path / "latin.yaml").write_bytes(b"a: \xff\xfe")
    with pytest.raises(ParamError, match=r"latin\.yaml is not valid YAML"):
        read_yaml(tmp_path / "latin.yaml", "")
