from __future__ import annotations

import csv
import dataclasses
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

from stages.core.params import load_params
from stages.core.records import Anchor, Example, Query, Sample
from stages.core.shards import read_table, write_table
from stages.core.stage import run_stage
from stages.report.__main__ import report
from stages.report.answers import Rivals, rivals
from stages.report.page import render
from stages.report.record import write_record
from stages.report.tables import load_world
from tests.report.fabricate import HOSTILE, REASONS

PAGE = Path("metrics/report/index.html")


class Tree(HTMLParser):
    """Attributes of every element, and whether tags close in order."""

    VOID = {"meta", "img", "br", "link", "input", "hr"}

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def html(finished_run: Path) -> str:
    return (finished_run / PAGE).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def tree(html: str) -> Tree:
    parsed = Tree()
    parsed.feed(html)
    assert parsed.open == []
    return parsed


def test_the_language_is_measured_and_texts_to_read_are_listed(html: str) -> None:
    assert "texts to read" in html and "A model was asked 12 times" in html and "the two largest lesions" in html
    assert '<td class="n">25' in html


def test_what_the_verification_catches_is_shown_by_group_fault_and_dataset(html: str) -> None:
    assert "untouched queries kept" in html and "caught: geometry" in html and "side flipped" in html and "97.5" in html


def test_the_page_stands_alone(html: str, tree: Tree) -> None:
    for _, attributes in tree.elements:
        for name in ("src", "href", "xlink:href", "action"):
            assert (attributes.get(name) or "#").startswith(("#", "data:image/"))
    assert "@import" not in html and not re.search(r"url\((?!#)", html)


def test_the_page_is_small_and_tells_no_path_or_time(html: str, finished_run: Path) -> None:
    assert len(html) < 5_000_000
    assert str(finished_run) not in html and str(Path.home()) not in html
    assert not re.search(r"20\d\d-\d\d-\d\dT", html)


def test_ids_are_unique_and_every_picture_has_words(tree: Tree) -> None:
    ids = [attributes["id"] for _, attributes in tree.elements if attributes.get("id")]
    assert len(ids) == len(set(ids))
    images = [attributes for tag, attributes in tree.elements if tag == "img"]
    assert len(images) >= 50
    assert all(attributes["alt"] and attributes["data-picture"] and "src" not in attributes for attributes in images)


def test_text_from_the_data_is_escaped(html: str) -> None:
    assert HOSTILE not in html
    assert "&lt;script&gt;alert(" in html
    assert html.count("<script") == 2


def test_boxes_are_drawn_in_the_pixels_of_the_stored_image(html: str, finished_run: Path) -> None:
    anchors = {row.anchor_id: row for row in read_table(finished_run / "data/anchors/film_tiny/anchors", Anchor)}
    accepted = read_table(finished_run / "data/verified/accepted", Query)
    cards = re.findall(r'<article class="card".*?</article>', html, flags=re.DOTALL)
    checked = 0
    for query in accepted:
        own = [card for card in cards if f"<code>{query.sample_id}</code>" in card and f">{query.text}<" in card]
        if not own or query.anchor_ids[:1] != [f"{query.sample_id}#0"] or not query.sample_id.startswith("film"):
            continue
        x0, y0, x1, y1 = anchors[query.anchor_ids[0]].box_xyxy_px
        assert 'viewBox="0 0 90 200"' in own[0]
        assert f'<rect class="target" x="{x0:g}" y="{y0:g}" width="{x1 - x0:g}" height="{y1 - y0:g}"/>' in own[0]
        checked += 1
    assert checked


def test_the_side_marks_follow_the_sample(html: str, finished_run: Path) -> None:
    cards = re.findall(r'<article class="card".*?</article>', html, flags=re.DOTALL)
    for card in cards:
        marks = re.findall(r'<b class="mark (left|right)"[^>]*>(\w)</b>', card)
        dataset = re.search(r"<code>(\w+)/", card)
        assert dataset is not None
        expected = {"ct_tiny": [("left", "R"), ("right", "L")], "film_tiny": [("left", "L"), ("right", "R")], "slide_tiny": []}
        assert marks == expected[dataset.group(1)]
        assert ("side unknown" in card) == (marks == [])


def test_predictions_are_dashed_and_targets_are_not(html: str) -> None:
    assert re.search(r"rect\.predicted \{[^}]*stroke-dasharray", html)
    assert not re.search(r"rect\.target \{[^}]*stroke-dasharray", html)
    assert html.count('<rect class="predicted"') > 10


def test_the_same_tables_give_the_same_bytes(run_copy: Path) -> None:
    first = PAGE.read_bytes()
    run_stage("report", report)
    assert PAGE.read_bytes() == first


def test_a_dropped_dataset_disappears_although_its_folders_remain(run_copy: Path) -> None:
    text = Path("params.yaml").read_text(encoding="utf-8")
    Path("params.yaml").write_text(re.sub(r"  slide_tiny:\n(    .*\n)+", "", text), encoding="utf-8")
    for fate in ("accepted", "rejected", "undecided"):
        kept = [row for row in read_table(f"data/verified/{fate}", Query) if not row.sample_id.startswith("slide")]
        write_table(f"data/verified/{fate}", Query, kept)
    world = load_world(list(load_params().datasets))
    assert set(world.samples["dataset"]) == {"ct_tiny", "film_tiny"}


def test_nothing_rejected_and_nothing_undecided_still_gives_a_page(run_copy: Path) -> None:
    for fate in ("rejected", "undecided"):
        write_table(f"data/verified/{fate}", Query, [])
    params = load_params()
    assert render(load_world(list(params.datasets)), params).count("None in this run.") == 2


def test_a_damaged_picture_is_named(run_copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import dataclasses

    rows = [dataclasses.replace(row, image=b"no png") for row in read_table("data/samples/ct_tiny/samples", Sample)]
    write_table("data/samples/ct_tiny/samples", Sample, rows)
    with pytest.raises(SystemExit):
        run_stage("report", report)
    assert re.search(r"picture of ct_tiny/c\d\d/0 cannot be decoded", capsys.readouterr().err)


def test_missing_metrics_name_the_stage_to_run(run_copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("metrics/evaluate.json").unlink()
    with pytest.raises(SystemExit):
        run_stage("report", report)
    assert "dvc repro evaluate" in capsys.readouterr().err


def test_every_picture_is_stored_once_and_every_card_has_one(html: str, tree: Tree) -> None:
    stored = json.loads(re.search(r'<script type="application/json" id="pictures">(.*?)</script>', html, flags=re.DOTALL).group(1))
    wanted = {attributes["data-picture"] for tag, attributes in tree.elements if tag == "img"}
    assert wanted == set(stored)
    assert all(uri.startswith("data:image/jpeg;base64,") for uri in stored.values())
    assert any("appearance" in name for name in stored)


def test_every_contender_and_every_pair_is_listed(html: str, finished_run: Path) -> None:
    with (finished_run / "metrics/plots/evaluate_table.csv").open(encoding="utf-8") as handle:
        names = {row["contender"] for row in csv.DictReader(handle)}
    assert {"base", "tuned", "control", "mean_box"} <= names
    assert all(f'<th scope="row">{name}</th>' in html for name in names)
    assert "tuned − base" in html and "resolvable" in html


def test_an_empty_suite_says_why(html: str) -> None:
    assert "No figure: evaluate.unseen holds nothing out" in html


def test_changed_answers_show_both_contenders(html: str) -> None:
    gained = html[html.index('data-gallery="gained"') : html.index('data-gallery="lost"')]
    assert '<rect class="other"' in gained and '<rect class="predicted"' in gained
    assert re.search(r"rect\.other \{[^}]*stroke-dasharray", html)


def test_every_reason_of_a_rejection_has_an_example(html: str) -> None:
    for gallery, following in (("rejected", "undecided"), ("caught", "missed")):
        own = html[html.index(f'data-gallery="{gallery}"') : html.index(f'data-gallery="{following}"')]
        assert all(f"claims: {reason.replace('_', ' ')}" in own for reason in REASONS)


def test_a_contender_that_is_not_there_is_replaced(run_copy: Path) -> None:
    params = load_params()
    settings = dataclasses.replace(params.report, subject="experts", reference="nobody")
    assert rivals(["base", "tuned"], settings) == Rivals("tuned", "base")
    assert rivals(["mine"], settings) == Rivals("mine", None)
    page = render(load_world(list(params.datasets)), dataclasses.replace(params, report=settings))
    assert "Random answers of control" in page


def test_the_judgement_of_people_is_shown_where_there_is_one(run_copy: Path) -> None:
    share = {"n": 40, "rate": 0.925, "low": 0.8, "high": 0.97}
    agreement = {"cascade": {"kappa": 0.8125, "n": 50}, "cascade_dr_a": {"kappa": 0.7, "n": 50}, "cascade_b": {"kappa": 0.6, "n": 50}, "b_dr_a": {"kappa": 0.412, "n": 48}}
    figures = {"queries": 50, "reviewers": 2, "answers": 100, "unsure": 3, "precision": share, "agreement": agreement}
    Path("metrics/review.json").write_text(json.dumps(figures), encoding="utf-8")
    params = load_params()
    page = render(load_world(list(params.datasets)), params)
    assert "50 queries judged blindly by 2 people" in page and "92.5%" in page and "Not reviewed yet" not in page
    assert '<th scope="row">b and dr_a</th><td class="n">0.412</td><td class="n">48</td>' in page
    assert page.index("b and dr_a") < page.index("all together and the verification") < page.index("b and the verification")


def test_without_a_review_the_page_says_so(html: str) -> None:
    assert "Not reviewed yet" in html and "Cohen" not in html


def test_one_reviewer_has_no_agreement_to_state(run_copy: Path) -> None:
    figures = {"queries": 5, "reviewers": 1, "answers": 5, "unsure": 0, "precision": {"n": 0}, "agreement": {}}
    Path("metrics/review.json").write_text(json.dumps(figures), encoding="utf-8")
    params = load_params()
    assert "No agreement can be stated" in render(load_world(list(params.datasets)), params)


def test_the_data_sheet_counts_the_corpus_and_says_how_to_write_it(html: str, finished_run: Path) -> None:
    examples = read_table(finished_run / "data/corpus/examples", Example)
    sheet = html[html.index('id="sheet"') : html.index('id="leakage"')]
    whole = re.search(r'<th scope="row">all</th>(.*?)</tr>', sheet)
    assert whole is not None
    assert [int(count) for count in re.findall(r">(\d+)<", whole.group(1))][:4] == [
        len(examples), len({row.sample_id for row in examples}), len({row.patient_id for row in examples}), sum(len(row.boxes_xyxy_px) for row in examples)
    ]  # fmt: skip
    assert "python -m stages.export" in sheet and "croissant.json" in sheet


def test_average_precision_and_the_error_of_confidences_have_intervals(html: str) -> None:
    precision = html[html.index('id="precision"') : html.index('id="calibration"')]
    assert "AP50" in precision and re.search(r"<b>0\.\d{3}</b> <span class=\"range\">\[0\.\d{3}, [01]\.\d{3}\]", precision)
    assert "200 draws" in precision
    told = re.search(r"Expected calibration error:(.*?)\. The dotted", html, flags=re.DOTALL)
    assert told is not None and told.group(1).count("[") == 3


def test_the_folder_of_a_dropped_arm_is_no_part_of_the_page(run_copy: Path) -> None:
    before = PAGE.read_bytes()
    shutil.copytree("data/predictions/tuned", "data/predictions/mix")
    run_stage("report", report)
    assert PAGE.read_bytes() == before


def test_the_record_of_the_run_knows_its_page(run_copy: Path) -> None:
    write_record(PAGE, load_params())
    record = json.loads(Path("metrics/report_run.js").read_text(encoding="utf-8").split(" = ")[1].rstrip(";\n"))
    assert f'data-digest="{record["page"]}"' in PAGE.read_text(encoding="utf-8")[:200]
    assert "git.dirty" in record
