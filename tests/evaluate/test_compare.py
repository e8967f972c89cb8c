"""Two revisions compared from the cache of a real, tiny DVC repository."""

from __future__ import annotations

import csv
import dataclasses
import shutil
import subprocess
from pathlib import Path

import pytest

from stages.core.records import Example, Prediction
from stages.core.shards import write_table
from stages.core.stage import StageError
from stages.evaluate.bootstrap import Bootstrap
from stages.evaluate.compare import common_examples, compare, main
from stages.evaluate.revisions import Revision
from tests.evaluate.builders import make_answer, make_example
from tests.evaluate.conftest import ROOT

BOX, FAR = [10.0, 10.0, 30.0, 40.0], [60.0, 50.0, 80.0, 70.0]
EXAMPLES = [make_example(number, [BOX]) for number in range(24)]
OUTS = ["data/corpus", "data/predictions/tuned", "data/predictions/control"]


def _write(examples: list[Example], right: dict[str, set[int]]) -> None:
    write_table("data/corpus/examples", Example, examples)
    for name, places in right.items():
        rows = [make_answer(example, name, [BOX if place in places else FAR]) for place, example in enumerate(examples)]
        write_table(f"data/predictions/{name}", Prediction, rows)


def _commit(repo, tag: str) -> None:
    repo.add(OUTS)
    for command in (["add", "-A"], ["commit", "-qm", tag], ["tag", tag]):
        subprocess.run(["git", *command], check=True)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tag before: tuned right on 0 to 11. Tag after: on 4 to 19, and the last example has other words. Experiment "tried": on all."""
    from dvc.repo import Repo

    folder = tmp_path_factory.mktemp("revisions")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for key in (f"GIT_{who}_{what}" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")):
            patch.setenv(key, "t@example.org")
        subprocess.run(["git", "init", "-q"], check=True)
        shutil.copy(ROOT / "params.yaml", "params.yaml")
        with Repo.init(str(folder)) as repo:
            _write(EXAMPLES, {"tuned": set(range(12)), "control": {0}})
            _commit(repo, "before")
            reworded = [*EXAMPLES[:-1], dataclasses.replace(EXAMPLES[-1], text="another question")]
            _write(reworded, {"tuned": set(range(4, 20)), "control": {0}})
            _commit(repo, "after")
            _write(reworded, {"tuned": set(range(24)), "control": {0}})
            repo.add(OUTS)
            repo.experiments.save(name="tried")
    return folder


@pytest.fixture
def inside(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(repository)
    return repository


def _call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr("sys.argv", ["compare", *arguments])
    main()


def test_two_revisions_are_paired_on_the_questions_that_they_share(inside: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    _call(monkeypatch, "before", "after", "--contender", "tuned", "--csv", str(tmp_path / "changed.csv"))
    shown = capsys.readouterr().out
    assert "paired on the 23 that are the same" in shown
    line = next(line for line in shown.splitlines() if line.startswith("Acc@0.5 "))
    assert line.split()[1:4] == ["0.522", "0.696", "+0.174"]
    assert "tuned: won 8" in shown and "tuned: lost 4" in shown
    with (tmp_path / "changed.csv").open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert [row["change"] for row in rows].count("won") == 8
    assert {row["example_id"] for row in rows if row["change"] == "lost"} == {example.example_id for example in EXAMPLES[:4]}


def test_an_experiment_is_found_by_its_name_and_all_common_contenders_are_compared(inside: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    _call(monkeypatch, "after", "tried", "--markdown")
    shown = capsys.readouterr().out
    assert "| tuned | A | B | difference | resolvable | n |" in shown
    assert "| control | A | B | difference | resolvable | n |" in shown
    assert "tuned: won 8" in shown and "control: won 0" in shown and "test sets differ" not in shown
    assert (inside / "data/compare/after..tried.csv").exists()


def test_the_workspace_is_a_side_as_well(inside: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    _call(monkeypatch, "tried", "workspace", "--contender", "tuned")
    assert "tuned: won 0" in capsys.readouterr().out


def test_an_unknown_revision_is_one_line_that_says_where_to_look(inside: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="1"):
        _call(monkeypatch, "before", "no-such-exp")
    assert "'no-such-exp' is no revision or experiment" in capsys.readouterr().err


def test_an_unknown_contender_lists_those_that_are_there(inside: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="1"):
        _call(monkeypatch, "before", "after", "--contender", "tunde")
    assert "no predictions of 'tunde'; it has control, tuned" in capsys.readouterr().err


def test_a_cache_without_the_files_says_how_to_get_them(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(repository, copy)
    shutil.rmtree(copy / ".dvc/cache")
    monkeypatch.chdir(copy)
    with pytest.raises(SystemExit, match="1"):
        _call(monkeypatch, "before", "after", "--contender", "tuned")
    assert "dvc pull" in capsys.readouterr().err


def test_a_folder_that_is_no_repository_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StageError, match="is no revision or experiment"):
        Revision("HEAD")


def test_comparing_a_revision_with_itself_changes_nothing() -> None:
    rows = [make_answer(example, "tuned", [BOX]) for example in EXAMPLES]
    found = compare("tuned", EXAMPLES, (rows, rows), Bootstrap(200, 0.95, 1))
    assert found.changed() == []
    assert all(apart.value == apart.low == apart.high == 0 for _, _, apart in found.values.values() if apart.n)


def test_a_question_with_other_boxes_or_words_is_another_question() -> None:
    other = [dataclasses.replace(EXAMPLES[0], boxes_xyxy_px=[FAR]), dataclasses.replace(EXAMPLES[1], text="else"), *EXAMPLES[2:5]]
    assert common_examples(EXAMPLES, other) == EXAMPLES[2:5]
