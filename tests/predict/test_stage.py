"""The stage on a small corpus: rows, probes, experts, a stopped run, and bad input."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from stages.core.mirror import mirrored_text
from stages.core.params import ParamError, load_params
from stages.core.records import Prediction
from stages.core.shards import read_table
from stages.core.stage import StageError
from stages.predict import __main__ as entry
from stages.predict.asks import Pictures, plain_ask, probe_asks, probed_picture
from stages.predict.contenders import parts_of
from stages.predict.generation import Pointer
from tests.predict.corpus import EXAMPLES, HEIGHT, WIDTH, lay_out, save_adapter


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEDGROUND_CACHE", str(tmp_path / "cache"))
    lay_out(tmp_path)
    return tmp_path


def run(contender: str = "base", **options: Any) -> list[Prediction]:
    entry.predict(load_params(), contender, "test", Path(f"data/predictions/{contender}"), **options)
    return read_table(f"data/predictions/{contender}", Prediction)


def table_bytes(contender: str) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(Path(f"data/predictions/{contender}").iterdir()))


def test_every_example_gets_a_row_and_the_subset_its_probes(place: Path) -> None:
    rows = run()
    assert [row.example_id for row in rows if not row.probe] == [example.example_id for example in EXAMPLES]
    probed = {probe: sorted(row.example_id for row in rows if row.probe == probe) for probe in ("flipped", "blank_image", "no_text")}
    assert len(probed["blank_image"]) == 4 and probed["no_text"] == probed["blank_image"]
    assert set(probed["flipped"]) == {e.example_id for e in EXAMPLES if e.example_id in probed["no_text"] and mirrored_text(e.text)}
    about = json.loads((place / "data/predictions/base/about.json").read_text())
    assert about["n"] == 9 and about["constrained"] and about["probes_left_out"]["flipped"] == 4 - len(probed["flipped"])
    assert all(row.constrained and row.outcome in ("ok", "none") and len(row.scores) == len(row.boxes_xyxy_px) for row in rows)


def test_the_subset_is_the_same_for_every_contender_and_takes_whole_patients(place: Path) -> None:
    params = load_params()
    asks, _ = probe_asks(EXAMPLES, params.predict, params.seed)
    again, _ = probe_asks(EXAMPLES[::-1], params.predict, params.seed)
    assert asks == again
    patients = {ask.sample_id for ask in asks}
    assert len(patients) == 2


def test_a_mirrored_picture_goes_with_mirrored_words_and_a_blank_one_is_grey(place: Path) -> None:
    pictures = Pictures(Path("data/corpus"), {EXAMPLES[0].sample_id})
    plain = pictures(plain_ask(EXAMPLES[0]))
    asks, _ = probe_asks([EXAMPLES[0]], load_params().predict, 0)
    flipped = next(ask for ask in asks if ask.probe == "flipped")
    assert flipped.expression == "the rightmost circle"
    assert pictures(flipped).getpixel((0, 3)) == plain.getpixel((WIDTH - 1, 3))
    blank = probed_picture(plain, "blank_image")
    assert blank.size == (WIDTH, HEIGHT) and len(blank.getcolors()) == 1
    assert next(ask for ask in asks if ask.probe == "no_text").expression == "the object"


def test_a_run_that_was_stopped_goes_on_and_ends_with_the_same_bytes(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = table_bytes("base") if run() else b""
    monkeypatch.setenv("MEDGROUND_CACHE", str(place / "other"))
    write, calls = Pointer.write, []

    def counted(self: Pointer, asks: Any, pictures: Any) -> Any:
        calls.append(len(asks))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return write(self, asks, pictures)

    monkeypatch.setattr(Pointer, "write", counted)
    with pytest.raises(KeyboardInterrupt):
        run()
    before = len(calls)
    run()
    assert table_bytes("base") == whole
    n_batches = len(calls) - 1
    assert len(calls) - before == n_batches - 2
    run()
    assert len(calls) == n_batches + 1


def test_experts_answer_their_own_modality(place: Path) -> None:
    for seed, modality in enumerate(("CT", "X-ray")):
        save_adapter(place / "models/adapter/experts" / modality, place / "models/tiny", seed + 1)
        save_adapter(place / f"models/adapter/only{seed}", place / "models/tiny", seed + 1)
    routed = {row.example_id: row for row in run("experts") if not row.probe}
    alone = [{row.example_id: row for row in run(f"only{seed}") if not row.probe} for seed in range(2)]
    for example in EXAMPLES:
        expected = alone[0 if example.modality == "CT" else 1][example.example_id]
        assert routed[example.example_id].text == expected.text


def test_a_missing_expert_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "experts/CT"
    folder.mkdir(parents=True)
    (folder / "adapter_config.json").write_text("{}")
    with pytest.raises(StageError, match=r"no expert for X-ray \(experts: CT\)"):
        parts_of(tmp_path / "experts", [plain_ask(example) for example in EXAMPLES])


def test_any_adapter_may_be_named_and_none_is_the_base(place: Path) -> None:
    save_adapter(place / "elsewhere", place / "models/tiny", 7)
    base = [row.text for row in run("base")]
    assert [row.text for row in run("mine", adapter="none", base="models/tiny")] == base
    assert run("other", adapter="elsewhere")[0].contender == "other"


def test_bad_input_names_the_remedy(place: Path) -> None:
    with pytest.raises(StageError, match="holds no adapter"):
        run("tuned")
    save_adapter(place / "foreign", place / "models/tiny")
    card = json.loads((place / "foreign/adapter_card.json").read_text()) | {"base_hash": "0" * 64}
    (place / "foreign/adapter_card.json").write_text(json.dumps(card))
    with pytest.raises(StageError, match="trained on other weights"):
        run("foreign", adapter="foreign")
    with pytest.raises(ParamError, match="no model card at nowhere"):
        run("x", base="nowhere")
    text = (place / "params.yaml").read_text().replace("batch_tokens: 32768", "batch_tokens: 0")
    (place / "params.yaml").write_text(text)
    with pytest.raises(ParamError, match="predict:batch_tokens must be at least 1"):
        run()


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--image", "x.png"],
        ["--image", "x.png", "--query", " "],
        ["--import", "x.jsonl"],
        ["--contender", "../evil"],
        ["--contender", "a", "--name", "b"],
        ["--endpoint", "--image", "x"],
    ],
)
def test_arguments_that_do_not_go_together_are_refused(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["predict", *arguments])
    with pytest.raises(SystemExit) as stop:
        entry.main()
    assert stop.value.code == 2
