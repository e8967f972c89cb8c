"""``--check``: a card that fails is explained so that one can mend it; one that works says what it found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from stages.core.records import to_row
from stages.ingest.__main__ import main
from stages.ingest.cases import Found
from stages.ingest.check import spread
from stages.ingest.explain import split_path, why_nothing
from stages.ingest.sheet import choose_samples, draw_sample, draw_sheet
from tests.ingest.sources import block, card_content, grey, ingest_folder, label_map_card, save, stage_params, write_card, write_case


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to run in, with parameters and one good case."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEDGROUND_TRACKING", "off")
    write_case(tmp_path / "root", "a")
    Path("params.yaml").write_text(yaml.safe_dump(to_row(stage_params(tmp_path, card_content()))), encoding="utf-8")
    return tmp_path


def said(workplace: Path, capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0, **changes: object) -> str:
    """What ``--check`` prints of a card with some fields changed, both streams; checks the exit status."""
    card = write_card(workplace, card_content(**changes))
    try:
        main(["--check", str(card), "--root", "root", *arguments])
        ended = 0
    except SystemExit as stop:
        ended = stop.code
    streams = capsys.readouterr()
    assert ended == status, streams
    return streams.out + streams.err


def test_a_working_card_is_described_and_nothing_but_the_overlay_is_written(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(workplace.rglob("*"))
    text = said(workplace, capsys)
    for line in (
        "tiny: X-ray of chest, reader picture_mask_files, licence CC0-1.0",
        "image 'images/{case}.png': 1 files, such as images/a.png (case=a)",
        "1 cases with 3 masks",
        "-> 1 pictures of 1 patients",
        "picture sizes (stored, width x height): 60 x 40 (1)",
        "picture's left side is: patient_right (1)",
        "heart: 1, 1, 17% (17 to 17), heart (1)",
        "lung opacity: 2, 1, 3.8% (3.3 to 4.2), opacity (2)",
        "faults: none",
        "this card is usable",
    ):
        assert line in text
    assert set(workplace.rglob("*")) - set(before) == {workplace / "overlay.png"}
    assert Image.open("overlay.png").mode == "RGB"


def test_it_shows_a_progress_bar_with_rate_and_remaining_time(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_case(workplace / "root", "b")
    assert "item/s" in said(workplace, capsys)


def test_a_pattern_that_fits_nothing_says_where_it_fails_and_what_is_near(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {"image": ["images/{case}.jpg"], "mask": ["mask/{case}_{label}.png"], "other": []}
    text = said(workplace, capsys, files=files, status=1)
    assert "folders fit 'images', but no name in them fits '{case}.jpg'; nearest: images/a.png" in text
    assert "no folder fits 'mask'; nearest: masks/a_heart.png" in text
    assert "no pattern explains 4 files; by folder and ending:" in text
    assert "masks/*.png: 3" in text
    assert "not usable yet: no picture became a sample. Mend the patterns" in text


def test_a_pattern_behind_a_greedier_one_says_who_took_its_files(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {"image": ["{folder:images|masks}/{case}.png"], "mask": ["masks/{case:[a-z]}_{label:[a-z]+}*.png"], "other": []}
    text = said(workplace, capsys, files=files, status=1)
    assert "3 files fit it, but an earlier pattern has taken them, such as masks/a_heart.png: make that one narrower" in text


def test_an_unknown_source_label_is_named_with_what_it_may_be(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(workplace / "root/masks/a_liver.png", block((1, 1, 9, 9)))
    text = said(workplace, capsys, status=1)
    assert "unknown_label: 1 (a source that the card does not know: put it under" in text
    assert "label 'liver' of the source (1 faults): may be the canonical label 'liver': add it under `labels`" in text
    save(workplace / "root/masks/a_liver.png", block((1, 1, 9, 9)))
    assert "liver: never seen" not in said(workplace, capsys, ignored_sources=["liver"])


def test_a_label_that_never_occurs_says_so(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels = card_content()["labels"] | {"spleen": {"sources": ["lien"], "semantic": False}}
    assert "spleen: never seen (sources lien)" in said(workplace, capsys, labels=labels)


def test_faults_are_listed_by_kind_with_the_first_of_each(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for case in "bcdefg":
        write_case(workplace / "root", case)
    (workplace / "root/images/b.png").write_text("no picture")
    text = said(workplace, capsys)
    assert "unreadable_image: 1 (damaged, truncated, or no picture or volume: fetch it again)" in text
    assert "    images/b.png: " in text and "this card is usable" in text
    for case in "cde":
        (workplace / f"root/images/{case}.png").write_text("no picture")
    text = said(workplace, capsys, status=1)
    assert "unreadable_image: 4" in text
    assert "not usable yet: 4 of 7 items failed, more than ingest.max_error_rate = 0.2 allows" in text


def test_a_limit_reads_cases_spread_over_the_set_and_says_so(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for case in "bcdefgh":
        write_case(workplace / "root", case)
    text = said(workplace, capsys, "--limit", "3")
    assert "8 cases with 24 masks" in text
    assert "read only 3 cases, evenly spread (--limit)" in text
    assert "-> 3 pictures of 3 patients" in text
    found = Found(list(range(8)), [], [], 0)  # type: ignore[arg-type]
    assert spread(found, 3).cases == [0, 2, 5]
    assert spread(found, 20) is found


@pytest.mark.parametrize("arguments", [["--limit", "0"], ["--limit", "3"], ["--check", "x"], [], ["tiny", "--schema"]])
def test_arguments_that_do_not_go_together_are_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([*arguments, "--check", "card.yaml", "--root", "root"] if arguments == ["--limit", "0"] else arguments)
    assert stop.value.code == 2


def test_a_card_with_a_typing_error_ends_with_one_message(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = said(workplace, capsys, status=1, readr="x")
    assert "ingest --check: card.yaml: unknown key 'readr'; did you mean 'reader'" in text
    assert "Traceback" not in text


def test_an_empty_folder_is_not_usable_and_says_what_to_mend(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workplace / "empty").mkdir()
    card = write_card(workplace, card_content())
    with pytest.raises(SystemExit):
        main(["--check", str(card), "--root", "empty"])
    streams = capsys.readouterr()
    assert "no file is left that it could take" in streams.out
    assert "no picture became a sample" in streams.err
    assert not Path("overlay.png").exists()


def test_the_sheet_shows_every_label_and_the_sides(tmp_path: Path) -> None:
    for number in range(9):
        save(tmp_path / f"root/images/{number}.png", np.zeros((64, 64), np.uint8))
        labels = block((5, 5, 30, 30), 64, 64, 1)
        if number == 7:
            labels[40:60, 40:60] = 2
        save(tmp_path / f"root/masks/{number}.png", labels)
    _, results = ingest_folder(tmp_path, label_map_card(image_left_is="patient_right"))
    samples = [sample for result in results for sample in result.samples]
    chosen = choose_samples(samples)
    assert len(chosen) == 6 and "tiny/7/frontal" in {sample.sample_id for sample in chosen}
    pixels = np.asarray(draw_sheet(chosen)).reshape(-1, 3)
    colours = {tuple(colour) for colour in np.unique(pixels, axis=0).tolist()}
    # Both labels' colours as outlines, and the yellow of R and L.
    assert {(230, 25, 75), (60, 180, 75), (255, 255, 0)} <= colours


def test_patterns_are_cut_at_slashes_outside_of_parts() -> None:
    assert split_path("a/{case:[^/]+/x}/{label}.png") == ["a", "{case:[^/]+/x}", "{label}.png"]
    assert split_path("x.png") == ["x.png"]


def test_a_file_at_the_top_that_does_not_fit_names_the_nearest() -> None:
    assert why_nothing("{case}_t1.nii.gz", ["s1_T1.nii.gz", "readme.md"], [], "card") == [
        "no file at the top of the folder fits '{case}_t1.nii.gz'; nearest: s1_T1.nii.gz, readme.md"
    ]


def test_a_sheet_of_pictures_with_unequal_sizes_is_drawn(tmp_path: Path) -> None:
    write_case(tmp_path / "root", "a")
    save(tmp_path / "root/images/wide.png", grey(30, 900))
    save(tmp_path / "root/masks/wide_heart.png", block((5, 5, 800, 20), 30, 900))
    _, results = ingest_folder(tmp_path, card_content())
    sheet = draw_sheet([sample for result in results for sample in result.samples])
    assert sheet.width == 2 * 420


def test_the_sheet_draws_outlines_and_leaves_what_lies_in_them(tmp_path: Path) -> None:
    save(tmp_path / "root/images/a.png", np.full((66, 66), 90, np.uint8))
    save(tmp_path / "root/masks/a.png", block((20, 30, 40, 50), 66, 66, 1))
    _, (result,) = ingest_folder(tmp_path, label_map_card())
    tile = np.asarray(draw_sample(result.samples[0], {"nerve": "#e6194b"}))
    assert tile.shape == (396, 396, 3)
    red = (tile == (230, 25, 75)).all(axis=2)
    assert red[6 * 30, 6 * 20 : 6 * 40].all() and red[6 * 30 : 6 * 50, 6 * 40 - 1].all()
    assert (tile[6 * 30 + 4 : 6 * 50 - 4, 6 * 20 + 4 : 6 * 40 - 4] == 90).all()


def test_the_overlay_shows_an_empty_picture_and_different_cases_and_says_how_many(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for case in "bcdefgh":
        write_case(workplace / "root", case)
    save(workplace / "root/images/none.png", grey(seed=5))
    text = said(workplace, capsys, unmasked_images="keep")
    assert "overlay: overlay.png shows 6 of 9 pictures, of 6 of 9 cases" in text
    _, results = ingest_folder(workplace, card_content(unmasked_images="keep"))
    chosen = choose_samples([sample for result in results for sample in result.samples])
    assert [len(sample.objects) for sample in chosen] == [3, 3, 3, 3, 3, 0]


def test_what_is_lost_stands_in_the_last_line(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for case in "bcdefghij":
        write_case(workplace / "root", case)
    assert "this card is usable\n" in said(workplace, capsys)
    (workplace / "root/images/b.png").write_text("no picture")
    (workplace / "root/images/c.png").write_text("no picture")
    assert "this card is usable, but 2 of 10 pictures are lost: see faults" in said(workplace, capsys)
    save(workplace / "root/masks/d_heart.png", block((1, 1, 9, 9), 50, 50))
    assert "but 2 of 10 pictures are lost and 1 mask is lost: see faults" in said(workplace, capsys)


@pytest.mark.parametrize("value", [7, 200])
def test_a_number_that_the_card_does_not_know_belongs_into_the_card_and_has_no_canonical_guess(workplace: Path, capsys: pytest.CaptureFixture[str], value: int) -> None:
    save(workplace / "root/images/a.png", grey())
    for path in (workplace / "root/masks").iterdir():
        path.unlink()
    save(workplace / "root/masks/a.png", block((1, 1, 9, 9), value=value))
    card = {name: value for name, value in label_map_card().items() if name in ("reader", "files", "labels", "annotated_labels")}
    text = said(workplace, capsys, status=1, **card)
    assert f"label '{value}' is not in the card tiny, which has 1, 2. Add it there" in text
    assert f"label '{value}' of the source (1 faults): add it to the `sources` of what it marks under `labels`, or to `ignored_sources`" in text
    assert "labels.yaml" not in text and "nearest" not in text


def test_a_hole_that_another_label_fills_is_flagged_with_what_to_write(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(workplace / "root/images/a.png", grey())
    codes = block((5, 5, 40, 35), value=1)
    codes[10:20, 10:20] = 2
    for path in (workplace / "root/masks").iterdir():
        path.unlink()
    save(workplace / "root/masks/a.png", codes)
    card = {name: value for name, value in label_map_card().items() if name in ("reader", "files")}

    def told(whole: list[int]) -> str:
        labels = {"thyroid lobe": {"sources": whole, "semantic": True}, "thyroid nodule": {"sources": [2], "semantic": True}}
        return said(workplace, capsys, **card, labels=labels, annotated_labels=list(labels))

    text = told([1])
    assert "hole_filled_by_other_label: 1 " in text
    assert "thyroid nodule fills holes of thyroid lobe in 1 pictures: if thyroid nodule lies in thyroid lobe, list its source (2) under both" in text
    assert "hole_filled_by_other_label" not in told([1, 2])


def test_a_picture_in_which_nothing_is_marked_says_which_field_decides(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for case in "bcdefx":
        write_case(workplace / "root", case)
    (workplace / "root/t.csv").write_text("image,runs\n" + "".join(f"{case},1 40\n" for case in "abcdef") + "x,\n")
    spec = {"table": "t.csv", "image": "image", "runs": "runs", "label": None, "order": "columns", "start": 1}
    labels = {"heart": {"sources": ["mask"], "semantic": False}}
    card = {"reader": "run_length_csv", "files": {"image": ["images/{case}.png"], "mask": [], "other": []}, "labels": labels}
    text = said(workplace, capsys, **card, annotated_labels=["heart"], run_lengths=spec)
    assert "images/x.png: nothing is marked here: `empty_images: keep` if the source annotates completely, else `drop`" in text
