"""Any planted fault can be looked at again: what was planted stands in the tables, and the sheets show it."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path
from random import Random

import numpy as np
import pytest
import yaml
from PIL import Image

from stages.core.geometry import decode_mask
from stages.core.params import load_params
from stages.core.records import Anchor, Query, Sample
from stages.core.shards import read_table, write_table
from stages.verify.audit.__main__ import audit
from stages.verify.audit.cells import GREEN, RED, cell, sheet_of
from stages.verify.audit.plant import ground_of
from stages.verify.audit.run import PLANTERS, judge_plant
from stages.verify.audit.sheets import main
from stages.verify.audit.trial import TUNING, Trial, patched, trial_of
from tests.import_closure import ROOT
from tests.verify.scenes import anchors, context, query, sample

TEXT = "the largest liver lesion"


@pytest.fixture
def audited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which the audit of one image with three queries, one of them wrong, has run."""
    monkeypatch.chdir(tmp_path)
    content = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    content["datasets"] = {"set": {"card": "card.yaml", "root": "raw"}}
    content["engine"]["workers"] = 1
    (tmp_path / "params.yaml").write_text(json.dumps(content), encoding="utf-8")
    write_table("data/samples/set/samples", Sample, [sample()])
    write_table("data/anchors/set/anchors", Anchor, anchors())
    written = [query(TEXT, 5, query_id="a~0"), query("the spleen", 1, query_id="a~1"), query("the smallest liver lesion", 5, query_id="a~2")]
    write_table("data/queries/queries", Query, written)
    audit(load_params())
    return tmp_path


def planted(fault: str) -> Trial:
    """The row of a fault planted in a query about the largest lesion."""
    accepted = query(TEXT, 5)
    where = ground_of(accepted, context(), Random(3))
    plant = next(PLANTERS[fault][1](where))
    return trial_of(judge_plant(plant, where), fault, PLANTERS[fault][0], accepted, sample(), plant, TUNING)


def test_the_tables_hold_what_was_planted_and_catches_of_every_kind(audited: Path) -> None:
    rows = read_table("data/audit/catches", Trial)
    by_fault = {row.fault: row for row in rows if row.query_id == "a~0"}
    assert {"empty", "sibling", "box_moved", "mask_shifted", "target_removed", "duplicate"} <= set(by_fault)
    own = anchors()[5]
    assert by_fault["sibling"].target_ids != [own.anchor_id] and by_fault["sibling"].laid == []
    assert by_fault["box_moved"].laid[0].mask_rle == own.mask_rle and by_fault["box_moved"].laid[0].box_xyxy_px != own.box_xyxy_px
    assert by_fault["duplicate"].before == [TEXT]
    assert (by_fault["mask_shifted"].laid[0].anchor_id, by_fault["mask_shifted"].patch) == (own.anchor_id, None)
    assert by_fault["mask_shifted"].check == "evidence" and by_fault["mask_shifted"].margin is not None


def test_a_changed_picture_is_restored_pixel_for_pixel() -> None:
    accepted = query(TEXT, 5)
    where = ground_of(accepted, context(), Random(3))
    plant = next(PLANTERS["target_removed"][1](where))
    row = planted("target_removed")
    assert row.patch is not None and plant.sample is not None
    assert len(row.patch.png) < len(sample().image) / 4
    restored, expected = (np.asarray(Image.open(io.BytesIO(each.image))) for each in (patched(sample(), row.patch), plant.sample))
    assert (restored == expected).all()
    assert (restored != np.asarray(Image.open(io.BytesIO(sample().image)))).any()


def test_a_cell_shows_the_annotation_in_green_and_the_plant_in_red() -> None:
    row = planted("mask_shifted")
    seen = cell(row, sample(), anchors())
    true, laid = decode_mask(anchors()[5].mask_rle), decode_mask(row.laid[0].mask_rle)
    scale = 320 / 192
    for mask, colour in ((true, GREEN), (laid, RED)):
        rows, columns = np.nonzero(mask)
        near = seen[int(rows.min() * scale) - 4 : int((rows.max() + 1) * scale) + 4, int(columns.min() * scale) - 4 : int((columns.max() + 1) * scale) + 4]
        found = (np.abs(near.astype(int) - colour).sum(axis=2) < 60).sum()
        assert found > 40, colour


def test_text_that_does_not_print_is_shown_as_an_escape_and_a_query_without_a_target_has_a_cell() -> None:
    row = dataclasses.replace(planted("control_character"), target_ids=[], text="a\x07\u202eb")
    png = sheet_of([(row, sample(), anchors()), (row, sample(), anchors()), (row, sample(), anchors())])
    assert Image.open(io.BytesIO(png)).size[0] > 2 * 640


def test_the_command_writes_sheets_of_catches_misses_and_lost_queries(audited: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--fault", "sibling", "--catches", "1", "--out", "sheets"])
    assert [path.name for path in sorted(Path("sheets").iterdir())] == ["catches_sibling_00.png"]
    main(["--lost", "--out", "lost"])
    assert [path.name for path in sorted(Path("lost").iterdir())] == ["lost_clean_00.png"]
    assert "1 trials on 1 sheets" in capsys.readouterr().out


def test_what_is_not_in_the_table_is_said(audited: Path) -> None:
    with pytest.raises(SystemExit, match="no such trial"):
        main(["--fault", "patient_side", "--dataset", "nowhere"])
    with pytest.raises(SystemExit):
        main(["--fault", "no_such_fault"])


def test_without_an_audit_the_stage_to_run_is_named(audited: Path) -> None:
    import shutil

    shutil.rmtree("data/audit")
    with pytest.raises(SystemExit, match="data/audit/misses"):
        main(["--misses"])
