"""Every format is read again by what reads it elsewhere, and says what the corpus says."""

from __future__ import annotations

import hashlib
import json
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from stages.core.records import Example
from stages.core.shards import read_table, write_table
from stages.core.splits import SPLITS
from stages.core.stage import StageError
from stages.export import FORMATS
from stages.export.__main__ import main, wanted_splits, write_export
from stages.export.chat import counts_seen_pixels
from stages.export.holdings import load_holdings
from stages.export.sources import redistributable
from stages.vlm.card import load_base
from stages.vlm.families import FAMILIES
from stages.vlm.families.pixel_limits import PIXEL_SETTINGS
from tests.export.corpora import CARD, DATASETS, MASKS, write_corpus
from tests.import_closure import ROOT

PLAIN_FORMATS = [name for name in FORMATS if name != "chat-qwen2_5_vl"]


@pytest.fixture(autouse=True)
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_corpus(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _export(name: str, out: str = "out", splits: tuple[str, ...] = SPLITS, pixels: str = "redistributable", base: str | None = None) -> Path:
    write_export(load_holdings(DATASETS, splits, pixels), Path(out), name, base)
    return Path(out)


def _examples() -> dict[str, Example]:
    return {example.example_id: example for example in read_table("data/corpus/examples", Example)}


def test_pycocotools_reads_boxes_masks_and_captions(capsys: pytest.CaptureFixture[str]) -> None:
    out = _export("coco")
    seen = []
    for split in SPLITS:
        instances, captions = COCO(str(out / f"annotations/instances_{split}.json")), COCO(str(out / f"annotations/captions_{split}.json"))
        for caption in captions.loadAnns(captions.getAnnIds()):
            example = _examples()[caption["example_id"]]
            assert caption["caption"] == example.text and example.split == split
            assert [[x, y, x + w, y + h] for x, y, w, h in caption["bboxes"]] == example.boxes_xyxy_px
            assert [instances.anns[number]["bbox"] for number in caption["annotation_ids"]] == caption["bboxes"]
            seen.append(example.example_id)
        for item in instances.loadAnns(instances.getAnnIds()):
            mask = instances.annToMask(item).astype(bool)
            assert any(np.array_equal(mask, expected) for expected in MASKS) and item["area"] == mask.sum()
            assert list(coco_mask.toBbox(instances.annToRLE(item))) == item["bbox"]
        for image in instances.dataset["images"]:
            file = out / "images" / split / image["file_name"]
            assert file.exists() == (image["dataset"] == "free")
    assert sorted(seen) == sorted(_examples())


def test_detections_of_the_exported_boxes_score_perfectly_in_pycocotools(capsys: pytest.CaptureFixture[str]) -> None:
    from pycocotools.cocoeval import COCOeval

    truth = COCO(str(_export("coco") / "annotations/instances_train.json"))
    found = [{"image_id": item["image_id"], "category_id": item["category_id"], "bbox": item["bbox"], "score": 0.9} for item in truth.dataset["annotations"]]
    scoring = COCOeval(truth, truth.loadRes(found), "bbox")
    scoring.evaluate()
    scoring.accumulate()
    scoring.summarize()
    assert scoring.stats[0] == pytest.approx(1.0)


def test_refcoco_has_what_the_public_loader_looks_up_and_decodes() -> None:
    out = _export("refcoco")
    refs = pickle.loads((out / "refcoco/refs(medground).p").read_bytes())
    instances = json.loads((out / "refcoco/instances.json").read_text(encoding="utf-8"))
    annotations = {item["id"]: item for item in instances["annotations"]}
    images = {item["id"]: item for item in instances["images"]}
    names = {item["id"]: item["name"] for item in instances["categories"]}
    assert len(refs) == 5 and len({ref["ref_id"] for ref in refs}) == 5
    for ref in refs:
        target = annotations[ref["ann_id"]]
        assert names[ref["category_id"]] == "liver lesion" and target["image_id"] == ref["image_id"] and ref["split"] in SPLITS
        assert [sentence["raw"] for sentence in ref["sentences"]] == ["The smaller lesion, at the top-right.", "the lesion near the top"]
        assert ref["sentences"][0]["tokens"] == ["the", "smaller", "lesion", "at", "the", "top-right"] and ref["sent_ids"]
        # The loader sums a list of masks over its last axis.
        assert np.array_equal(coco_mask.decode(target["segmentation"]).sum(axis=2).astype(bool), MASKS[0])
        example = _examples()[ref["sentences"][0]["example_id"]]
        x, y, width, height = target["bbox"]
        assert [[x, y, x + width, y + height]] == example.boxes_xyxy_px and example.split == ref["split"]
        if images[ref["image_id"]]["dataset"] == "free":
            assert Image.open(out / "images/mscoco/images/train2014" / ref["file_name"]).size == (96, 96)


def test_grefcoco_adds_expressions_with_several_targets_and_with_none() -> None:
    refs = json.loads((_export("refcoco") / "grefcoco/grefs(medground).json").read_text(encoding="utf-8"))
    assert sum(len(ref["sentences"]) for ref in refs) == len(_examples())
    for ref in refs:
        kinds = {_examples()[sentence["example_id"]].kind for sentence in ref["sentences"]}
        assert ref["no_target"] == (kinds == {"none"}) == (ref["ann_id"] == [-1])
        assert (len(ref["ann_id"]) == 2) == (kinds == {"multi"})


def test_datasets_reads_pictures_boxes_and_splits() -> None:
    datasets = pytest.importorskip("datasets")
    out = _export("parquet", pixels="all")
    corpus = datasets.load_dataset(str(out), cache_dir="cache")
    assert set(corpus) == {"train", "validation", "test"}
    assert isinstance(corpus["train"].features["image"], datasets.Image)
    rows = [row for split in corpus.values() for row in split]
    assert {row["example_id"] for row in rows} == set(_examples())
    for row in rows:
        example = _examples()[row["example_id"]]
        assert row["boxes_xyxy_px"] == example.boxes_xyxy_px and row["text"] == example.text and row["image"].size == (96, 96)
        assert len(row["masks_rle"]) == len(row["boxes_xyxy_px"])
        for box, code in zip(row["boxes_xyxy_px"], row["masks_rle"], strict=True):
            x, y, width, height = coco_mask.toBbox({"size": code["size"], "counts": code["counts"].encode()})
            assert [x, y, x + width, y + height] == box


@pytest.mark.parametrize("name", [name for name in PLAIN_FORMATS if name.startswith("chat-")])
def test_a_conversation_asks_by_the_family_and_its_answer_decodes_to_the_boxes(name: str) -> None:
    family = FAMILIES[name.removeprefix("chat-")]
    out = _export(name)
    rows = [json.loads(line) for split in SPLITS for line in (out / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {row["id"] for row in rows} == set(_examples())
    for row in rows:
        example = _examples()[row["id"]]
        user, assistant = row["messages"]
        assert user["content"][1]["text"] == family.instruction(example.text)
        decoded = family.box_codec.decode(assistant["content"][0]["text"], row["width"], row["height"], strict=True)
        assert decoded.outcome == ("ok" if example.boxes_xyxy_px else "none")
        quantum = 2 * family.box_codec.quantum * 96 + 1e-6
        assert np.abs(np.array(sorted(decoded.boxes_xyxy_px)) - np.array(sorted(example.boxes_xyxy_px))).max(initial=0) <= quantum
        if example.dataset == "free":
            assert Image.open(out / row["images"][0]).size == (96, 96)


def test_boxes_in_pixels_after_the_resize_need_the_model_and_record_its_settings(corpus: Path) -> None:
    from tests.vlm.families.tiny_models import save_tiny

    assert [name for name, family in FAMILIES.items() if counts_seen_pixels(family)] == ["qwen2_5_vl"]
    with pytest.raises(StageError, match="--base"):
        _export("chat-qwen2_5_vl")
    save_tiny("qwen2_5_vl", corpus / "tiny")
    out = _export("chat-qwen2_5_vl", base="tiny")
    resize = json.loads((out / "export.json").read_text(encoding="utf-8"))["settings"]["resize"]
    row = json.loads((out / "test.jsonl").read_text(encoding="utf-8").splitlines()[0])
    assert all(side % resize["factor"] == 0 for side in row["seen_px"]) and row["seen_px"] != [96, 96]
    decoded = FAMILIES["qwen2_5_vl"].box_codec.decode(row["messages"][1]["content"][0]["text"], 96, 96, seen_px=tuple(row["seen_px"]))
    assert np.abs(np.array(decoded.boxes_xyxy_px) - np.array(row["boxes_xyxy_px"])).max() <= 96 / min(row["seen_px"])
    with pytest.raises(StageError, match="chat-qwen2_5_vl"):
        _export("chat-smolvlm", base="tiny")


def hub_card(folder: Path, **processor: int) -> str:
    """Card of a Qwen2.5-VL on the hub that states these processor settings."""
    content = {"name": "far", "family": "qwen2_5_vl", "codec": "qwen2_5", "licence": "mine", "hub": "someone/model", "revision": "0" * 40}
    (folder / "far.yaml").write_text(yaml.safe_dump({**content, "processor": processor}), encoding="utf-8")
    return str(folder / "far.yaml")


@pytest.fixture()
def no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every fetch fails, as where there is no network."""
    import transformers

    def fail(*_: object, **__: object) -> None:
        raise OSError("We couldn't connect to 'https://huggingface.co' to load the files")

    monkeypatch.setattr(transformers.AutoProcessor, "from_pretrained", fail)


@pytest.mark.usefixtures("no_hub")
def test_a_card_that_states_the_pixel_limits_needs_neither_weights_nor_network(corpus: Path) -> None:
    for limits, seen in (({"min_pixels": 3136, "max_pixels": 12544}, [84, 84]), ({"min_pixels": 200704, "max_pixels": 1003520}, [448, 448])):
        out = _export("chat-qwen2_5_vl", base=hub_card(corpus, **limits))
        settings = json.loads((out / "export.json").read_text(encoding="utf-8"))["settings"]
        assert settings["resize"] == {"factor": 28, **limits} and settings["base"]["revision"] == "0" * 40
        rows = [json.loads(line) for line in (out / "test.jsonl").read_text(encoding="utf-8").splitlines()]
        assert all(row["seen_px"] == seen for row in rows)
        answered = next(row for row in rows if row["kind"] == "single")
        decoded = FAMILIES["qwen2_5_vl"].box_codec.decode(answered["messages"][1]["content"][0]["text"], 96, 96, seen_px=tuple(seen), strict=True)
        assert np.abs(np.array(decoded.boxes_xyxy_px) - np.array(answered["boxes_xyxy_px"])).max() <= 96 / seen[0]


@pytest.mark.usefixtures("no_hub")
def test_a_card_that_leaves_a_limit_to_the_hub_says_what_to_state(corpus: Path) -> None:
    with pytest.raises(StageError, match="'far' leaves min_pixels to the processor of someone/model.*state both under `processor`"):
        _export("chat-qwen2_5_vl", base=hub_card(corpus, max_pixels=12544))


@pytest.mark.parametrize("path", sorted((ROOT / "models").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_card_of_absolute_pixels_states_its_limits(path: Path) -> None:
    base = load_base(path)
    assert not counts_seen_pixels(base.family) or PIXEL_SETTINGS.keys() <= (base.card.processor or {}).keys()


@pytest.mark.parametrize("name", ["coco", "refcoco", "parquet", "chat-smolvlm"])
def test_croissant_is_valid_and_reads_the_records(name: str) -> None:
    croissant = pytest.importorskip("mlcroissant")
    out = _export(name)
    read = croissant.Dataset(jsonld=str(out / "croissant.json"))
    assert not read.metadata.ctx.issues.errors
    assert [warning for warning in read.metadata.ctx.issues.warnings if "datePublished" not in warning] == []
    key = "examples/id" if name.startswith("chat") else "examples/example_id"
    assert {record[key].decode() for record in read.records("examples")} == set(_examples())
    listed = json.loads((out / "croissant.json").read_text(encoding="utf-8"))["distribution"]
    for file in (item for item in listed if "sha256" in item):
        assert hashlib.sha256((out / file["contentUrl"]).read_bytes()).hexdigest() == file["sha256"]


def test_pixels_of_a_source_that_forbids_it_stay_and_are_listed_with_checksums() -> None:
    out = _export("coco")
    (row,) = json.loads((out / "withheld.json").read_text(encoding="utf-8"))
    assert row["dataset"] == "closed" and row["url"] == CARD["url"] and not list(out.rglob("*p5*.png"))
    everything = _export("coco", "everything", pixels="all")
    made = everything / "images" / row["split"] / row["file_name"]
    assert hashlib.sha256(made.read_bytes()).hexdigest() == row["png_sha256"]
    assert not (everything / "withheld.json").exists()
    assert not list(_export("coco", "nothing", pixels="none").rglob("*.png"))


@pytest.mark.parametrize(
    ("licence", "free"),
    [("CC0-1.0", True), ("CC-BY-NC-SA-4.0", True), ("CC-BY-ND-4.0", False), ("CC-BY-NC-ND-4.0", False), ("unknown", False), ("LicenseRef-own", False),
     ("MIT AND CC-BY-4.0", True), ("MIT AND LicenseRef-own", False), ("LicenseRef-own OR CC-BY-4.0", True), ("GPL-3.0-only", True)],
)  # fmt: skip
def test_a_licence_without_derivatives_or_without_a_name_hands_on_nothing(licence: str, free: bool) -> None:
    assert redistributable(licence) is free


@pytest.mark.parametrize("name", ["coco", "refcoco", "parquet", "chat-medgemma"])
def test_two_exports_have_the_same_bytes(name: str) -> None:
    first, second = _export(name, "first"), _export(name, "second")
    _export(name, "first")
    for one in (path for path in first.rglob("*") if path.is_file()):
        assert one.read_bytes() == (second / one.relative_to(first)).read_bytes()
    assert "/" + str(Path.cwd()).strip("/") not in (first / "croissant.json").read_text(encoding="utf-8")


def test_the_data_sheet_counts_what_is_exported_and_names_licences_and_limits() -> None:
    page = (_export("parquet") / "datasheet.md").read_text(encoding="utf-8")
    assert "| all | 20 | 5 | 5 | 20 |" in page and "| single | 6 | 2 | 2 |" in page
    assert "| closed | not known | Attribution. | no |" in page and "Sources without a stated licence: closed." in page
    for heading in ("Motivation", "Composition", "Collection", "Preprocessing", "Uses", "Distribution", "Maintenance"):
        assert f"## {heading}" in page
    assert (Path("out/README.md").read_text(encoding="utf-8")).endswith(page)


def test_only_the_wanted_splits_are_exported() -> None:
    out = _export("coco", splits=("test",))
    assert [path.name for path in sorted((out / "annotations").iterdir())] == ["captions_test.json", "instances_test.json"]
    assert wanted_splits("test, train") == ("train", "test")
    with pytest.raises(StageError, match="train, val, test"):
        wanted_splits("dev")


def test_a_patient_in_two_splits_and_tables_of_other_runs_stop_the_export() -> None:
    rows = list(_examples().values())
    moved = [Example(**{**vars(row), "split": "test"}) if number == 0 else row for number, row in enumerate(rows)]
    write_table("data/corpus/examples", Example, moved)
    with pytest.raises(StageError, match="two splits"):
        load_holdings(DATASETS, SPLITS)
    shifted = [Example(**{**vars(row), "boxes_xyxy_px": [[0.0, 0.0, 5.0, 5.0]]}) for row in rows]
    write_table("data/corpus/examples", Example, shifted)
    with pytest.raises(StageError, match="different runs"):
        load_holdings(DATASETS, SPLITS)


def test_a_folder_that_holds_something_else_is_left_alone(corpus: Path) -> None:
    (corpus / "mine").mkdir()
    (corpus / "mine/export.json").write_text('{"of": "another program"}', encoding="utf-8")
    with pytest.raises(StageError, match="another folder"):
        _export("coco", "mine")
    assert (corpus / "mine/export.json").read_text(encoding="utf-8") == '{"of": "another program"}'


def test_the_command_says_what_is_wrong_in_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["export", "--format", "coco", "--out", "out"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 1 and "params.yaml" in capsys.readouterr().err
