from __future__ import annotations

import csv
import dataclasses
import json
import shutil
from pathlib import Path

import pytest
import yaml

from stages.core import tracking
from stages.core.records import Example, Prediction, Score
from stages.core.shards import read_table, write_table
from stages.core.stage import StageError, run_stage
from stages.evaluate.__main__ import evaluate, main, metric_files
from stages.evaluate.table import printed_suites, printed_table


def run() -> dict:
    run_stage("evaluate", evaluate)
    return json.loads(Path("metrics/evaluate.json").read_text(encoding="utf-8"))


def rows_of(name: str) -> list[dict[str, str]]:
    with Path(f"metrics/plots/{name}.csv").open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def test_metrics_have_exactly_the_agreed_keys(workplace: Path) -> None:
    figures = run()
    assert set(figures) == {"base", "tuned", "control", "gain", "baseline", "n_multi", "resolvable_acc_at_50"}
    for contender in ("base", "tuned", "control"):
        assert set(figures[contender]) == {"n", "miou", "acc_at_50", "multi_object_acc_at_50", "parse_failure_rate"}
    assert set(figures["gain"]) == {"tuned_minus_base", "tuned_minus_control"}
    assert set(figures["gain"]["tuned_minus_base"]["acc_at_50"]) == {"diff", "low", "high"}
    assert set(figures["baseline"]) == {"centre", "random", "mean_box"}


def test_figures_are_those_of_the_answers(workplace: Path) -> None:
    figures = run()
    assert figures["tuned"] == {"n": 40, "miou": 1, "acc_at_50": 1, "multi_object_acc_at_50": 1, "parse_failure_rate": 0}
    assert figures["base"] == {"n": 40, "miou": 0, "acc_at_50": 0, "multi_object_acc_at_50": 0, "parse_failure_rate": 1}
    assert figures["control"]["acc_at_50"] == 0.5
    assert figures["n_multi"] == 36
    gain = figures["gain"]["tuned_minus_control"]["acc_at_50"]
    assert gain["diff"] == 0.5 and 0 < gain["low"] <= 0.5 <= gain["high"]


def test_every_example_is_scored_once_per_contender(workplace: Path) -> None:
    run()
    for contender in ("base", "tuned", "control", "centre", "random", "mean_box"):
        assert len(read_table(f"data/scores/{contender}", Score)) == 40


def test_slices_of_one_kind_add_up_and_claims_overlap(workplace: Path) -> None:
    run()
    rows = [row for row in rows_of("evaluate_slices") if row["contender"] == "tuned"]
    for kind in ("modality", "dataset", "size", "query", "objects of the class", "difficulty"):
        assert sum(int(row["n"]) for row in rows if row["slice_kind"] == kind) == 40
    assert sum(int(row["n"]) for row in rows if row["slice_kind"] == "claim") == 80


def test_the_curve_falls_and_passes_through_the_accuracy(workplace: Path) -> None:
    figures = run()
    for contender in ("tuned", "control", "base"):
        curve = [(row["threshold"], float(row["share"])) for row in rows_of("evaluate_iou_curve") if row["contender"] == contender]
        assert [at for at, _ in curve] == [f"{step / 100:.2f}" for step in range(5, 100, 5)]
        assert [share for _, share in curve] == sorted((share for _, share in curve), reverse=True)
        assert dict(curve)["0.50"] == figures[contender]["acc_at_50"]


def test_two_runs_give_the_same_bytes(workplace: Path) -> None:
    def files() -> dict[str, bytes]:
        return {str(path): path.read_bytes() for top in ("metrics", "data/scores") for path in Path(top).rglob("*") if path.is_file()}

    run()
    first = files()
    run()
    assert files() == first and len(first) >= 9


def test_no_example_with_siblings_gives_counts_of_zero_without_nan(workplace: Path, corpus: list[Example]) -> None:
    write_table("data/corpus/examples", Example, [dataclasses.replace(example, n_same_label=1) for example in corpus])
    figures = run()
    assert figures["n_multi"] == 0
    assert figures["gain"]["tuned_minus_base"]["multi_object_acc_at_50"] == {"diff": 0, "low": -1, "high": 1}


def test_an_empty_test_split_stops_with_one_message(workplace: Path, corpus: list[Example], capsys: pytest.CaptureFixture[str]) -> None:
    write_table("data/corpus/examples", Example, [dataclasses.replace(example, split="train") for example in corpus])
    with pytest.raises(SystemExit, match="1"):
        run()
    assert "none of split 'test'" in capsys.readouterr().err


def test_answers_that_were_brought_are_a_contender(workplace: Path) -> None:
    rows = [dataclasses.replace(row, contender="theirs-7b") for row in read_table("data/predictions/tuned", Prediction)]
    write_table("data/predictions/theirs-7b", Prediction, rows[1:])
    Path("data/predictions/theirs-7b/about.json").write_text('{"imported": "answers.jsonl"}', encoding="utf-8")
    figures = run()
    assert figures["theirs-7b"]["n"] == 40
    assert figures["theirs-7b"]["acc_at_50"] == 39 / 40
    (missing,) = [row for row in rows_of("evaluate_outcomes") if row["contender"] == "theirs-7b" and row["outcome"] == "missing"]
    assert missing["n"] == "1"
    assert {(row["first"], row["second"]) for row in rows_of("evaluate_pairs")} >= {("tuned", "base"), ("theirs-7b", "tuned")}


def test_what_an_import_found_wrong_with_its_lines_is_told_beside_the_outcomes(workplace: Path) -> None:
    Path("data/predictions/tuned/about.json").write_text(json.dumps({"faults": {"not_json": 3, "missing": 0}}), encoding="utf-8")
    run()
    lines = [row for row in rows_of("evaluate_outcomes") if row["of"] == "line"]
    assert [(row["contender"], row["outcome"], row["n"], row["share"]) for row in lines] == [("tuned", "not_json", "3", "")]


def test_a_contender_that_did_not_run_is_simply_not_there(workplace: Path) -> None:
    shutil.rmtree("data/predictions/base")
    figures = run()
    assert "base" not in figures and set(figures["gain"]) == {"tuned_minus_control"}


def test_the_folder_of_a_dropped_arm_changes_no_byte(workplace: Path) -> None:
    """`dvc repro` leaves it in place, `dvc exp run` removes it: both have to give the same figures."""

    def files() -> dict[str, bytes]:
        return {str(path): path.read_bytes() for top in ("metrics", "data/scores") for path in Path(top).rglob("*") if path.is_file()}

    run()
    before = files()
    shutil.copytree("data/predictions/tuned", "data/predictions/mix")
    Path("data/predictions/mix/about.json").write_text('{"contender": "mix", "base": "nano", "split": "test"}', encoding="utf-8")
    run()
    assert files() == before


def test_an_arm_that_params_drop_is_dropped_although_its_folder_stays(workplace: Path) -> None:
    settings = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    settings["finetune"]["arms"] = ["tuned"]
    Path("params.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    figures = run()
    assert "control" not in figures and set(figures["gain"]) == {"tuned_minus_base"}
    assert "control" not in {row["contender"] for row in rows_of("evaluate_table")}
    assert not Path("data/scores/control").exists()


def test_no_predictions_at_all_stop_with_one_message(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree("data/predictions")
    with pytest.raises(SystemExit):
        run()
    assert "data/predictions holds no folder of predictions" in capsys.readouterr().err


def test_a_name_that_is_taken_is_refused(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree("data/predictions/tuned", "data/predictions/centre")
    Path("data/predictions/centre/about.json").write_text('{"imported": "answers.jsonl"}', encoding="utf-8")
    with pytest.raises(SystemExit):
        run()
    assert "none of centre, random, mean_box, errors" in capsys.readouterr().err


def test_what_is_held_out_is_a_suite_of_its_own_and_no_part_of_the_headline(workplace: Path, corpus: list[Example]) -> None:
    held_out = [dataclasses.replace(example, unseen=example.modality == "xray" and example.split == "test") for example in corpus]
    write_table("data/corpus/examples", Example, held_out)
    figures = run()
    assert (figures["tuned"]["n"], figures["unseen"]) == (20, {"base": 0, "tuned": 1, "control": 0})
    rows = [row for row in rows_of("evaluate_suites") if row["contender"] == "tuned" and row["measure"] == "acc_at_50"]
    assert {row["suite"]: row["n"] for row in rows}["unseen"] == "20"
    slices = {(row["slice_kind"], row["slice"]): row["n"] for row in rows_of("evaluate_slices") if row["contender"] == "tuned"}
    assert slices["unseen modality", "xray"] == "20" and ("modality", "xray") not in slices


def test_probes_of_the_same_table_are_suites(workplace: Path, corpus: list[Example]) -> None:
    rows = read_table("data/predictions/tuned", Prediction)
    turned = [[[100 - x1, y0, 100 - x0, y1] for x0, y0, x1, y1 in row.boxes_xyxy_px] for row in rows]
    flipped = [dataclasses.replace(row, probe="flipped", boxes_xyxy_px=boxes) for row, boxes in zip(rows, turned, strict=True)]
    blank = [dataclasses.replace(row, probe="blank_image", boxes_xyxy_px=[[0, 0, 5, 5]], scores=[0.5], outcome="ok") for row in rows[:10]]
    write_table("data/predictions/tuned", Prediction, [*rows, *flipped, *blank])
    assert run()["tuned"]["n"] == 40
    found = {(row["suite"], row["measure"]): row for row in rows_of("evaluate_suites") if row["contender"] == "tuned"}
    assert (found["flipped", "consistent_rate"]["value"], found["flipped", "consistent_rate"]["n"]) == ("1.000000", "40")
    assert found["flipped", "acc_at_50"]["value"] == "1.000000"
    assert (found["blank_image", "acc_at_50"]["value"], found["blank_image", "acc_at_50"]["n"]) == ("0.000000", "10")
    assert found["blank_image", "plain_acc_at_50"]["value"] == "1.000000"
    assert (found["no_text", "acc_at_50"]["value"], found["no_text", "acc_at_50"]["n"]) == ("", "0")
    assert "no rows with this probe" in found["no_text", "acc_at_50"]["note"]


def test_no_file_holds_a_nan(workplace: Path) -> None:
    run()
    written = [path for path in Path("metrics").rglob("*") if path.is_file()]
    assert len(written) == 10
    assert not [path for path in written if "nan" in path.read_text(encoding="utf-8").lower()]


def test_the_suites_are_printed_with_the_reason_where_they_are_empty(workplace: Path) -> None:
    run()
    shown = printed_suites(markdown=True)
    assert "| unseen | acc_at_50 | 0: evaluate.unseen holds nothing out | - |" in shown
    assert "| average precision |  | all | several of the class | ct | xray |" in shown
    assert "| tuned | AP50 | 1.000 [0." in shown
    assert "Expected calibration error of the confidences: base" not in shown, "no answer of base has a confidence"
    assert "tuned 0.000 [0.000, 0.000], control 0.5" in shown


def test_the_printed_table_shows_the_tracked_figures(workplace: Path) -> None:
    run()
    plain, markdown = printed_table(markdown=False), printed_table(markdown=True)
    assert "1.000 [1.000, 1.000]" in plain and "+0.500 [" in plain
    assert markdown.startswith("|  | mean IoU | Acc@0.5 (n=40) | pointing (n=36) | F1 (n=40) |")
    assert len({line.count("|") for line in markdown.splitlines()[:7]}) == 1


def test_the_table_says_where_a_constraint_wrote_along(workplace: Path) -> None:
    run()
    assert "constrained" not in printed_table(markdown=True)
    rows = read_table("data/predictions/tuned", Prediction)
    write_table("data/predictions/tuned", Prediction, [dataclasses.replace(row, constrained=True, n_steered=2) for row in rows])
    run()
    assert "overruled the model: tuned 1.000." in printed_table(markdown=True)


def test_the_table_without_metrics_says_what_to_run(workplace: Path) -> None:
    with pytest.raises(StageError, match=r"metrics/evaluate\.json not found: run `dvc repro evaluate`"):
        printed_table(markdown=True)


def test_the_table_of_a_run_whose_figures_were_kept_elsewhere_is_printed_from_there(workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    run()
    here = printed_table(markdown=True)
    Path("metrics").rename("kept")
    monkeypatch.setattr("sys.argv", ["stages.evaluate", "--table", "--markdown", "--metrics", "kept"])
    main()
    assert capsys.readouterr().out.startswith(here)
    with pytest.raises(StageError, match=r"metrics/evaluate\.json not found"):
        printed_table(markdown=True)


def test_the_command_mirrors_every_metrics_file(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mirrored: dict = {}
    monkeypatch.setattr("sys.argv", ["stages.evaluate"])
    monkeypatch.setattr(tracking, "mirror", lambda files, params: mirrored.update(files))
    Path("metrics").mkdir()
    Path("metrics/split.json").write_text('{"patients": {"test": 3}}', encoding="utf-8")
    Path("metrics/real").mkdir()
    Path("metrics/real/evaluate.json").write_text("{}", encoding="utf-8")
    main()
    assert set(mirrored) == {"evaluate", "split"}
    assert mirrored["evaluate"]["n_multi"] == 36


def test_stale_metrics_of_a_dropped_dataset_are_not_mirrored(tmp_path: Path) -> None:
    for name in ("ingest/kept.json", "ingest/dropped.json", "evaluate.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}", encoding="utf-8")
    assert set(metric_files(["kept"], tmp_path)) == {"ingest/kept", "evaluate"}
