"""An adapter packed for the hub, loaded back, and one picture grounded with it."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from stages.core.params import load_params
from stages.core.stage import StageError
from stages.predict import __main__ as entry
from stages.predict.one import ground, read_picture
from stages.predict.overlay import draw_boxes
from stages.predict.pack import hub_licence, pack
from tests.import_closure import ROOT
from tests.predict.corpus import lay_out, save_adapter


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pack")
    lay_out(folder)
    save_adapter(folder / "models/adapter/tuned", folder / "models/tiny", 4)
    (folder / "metrics").mkdir()
    figures = {"tuned": {"acc_at_50": 0.5, "n": 9}, "base": {"acc_at_50": 0.1, "n": 9}}
    (folder / "metrics/evaluate.json").write_text(json.dumps(figures))
    Image.fromarray(np.linspace(0, 255, 1200).reshape(30, 40).astype(np.uint8)).save(folder / "x.png")
    return folder


@pytest.fixture(autouse=True)
def there(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)


@pytest.mark.parametrize("with_base", [True, False])
def test_a_pack_is_a_model_card_and_answers_like_its_adapter(place: Path, with_base: bool) -> None:
    from huggingface_hub import ModelCard

    out = place / f"packed{with_base}"
    pack(Path("models/adapter/tuned"), "models/tiny", out, "tuned", with_base)
    card = ModelCard.load(out / "README.md")
    assert (card.data.base_model, card.data.library_name, card.data.license) == ("tiny", "peft", "cc0-1.0")
    assert [(result.metric_type, result.metric_value) for result in card.data.eval_results] == [("acc_at_50", 0.5)]
    facts = json.loads((out / "grounding.json").read_text())
    assert facts["codec"] == "loc1000" and facts["metrics"] == {"acc_at_50": 0.5, "n": 9} and len(facts["corpus_sha256"]) == 64
    assert facts["processor"]["size"]
    assert (card.data.pipeline_tag, card.data.base_model_relation) == ("image-text-to-text", "adapter")
    assert facts["base"]["hash"] and facts["base"]["revision"] is None and facts["adapter"]["steps"] == 1
    assert facts["corpus_sha256"] in card.text and "`loc1000`" in card.text
    assert not any(str(place).encode() in path.read_bytes() for path in out.rglob("*") if path.is_file())
    params, picture = load_params(), read_picture(Path("x.png"))
    base = None if with_base else "models/tiny"
    packed, own = ground(params, picture, "the circle", base, str(out)), ground(params, picture, "the circle", None, "models/adapter/tuned")
    assert (packed.text, packed.scores) == (own.text, own.scores)


@pytest.mark.parametrize("card", sorted((ROOT / "models").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_licence_is_one_that_the_hub_knows_or_other_with_name_and_address(card: Path) -> None:
    content = yaml.safe_load(card.read_text(encoding="utf-8"))
    fields = hub_licence(content["licence"], content["hub"])
    if fields["license"] == "other":
        assert re.fullmatch(r"[a-z0-9][a-z0-9.-]+", fields["license_name"]) and fields["license_link"].endswith(content["hub"])
    else:
        assert fields == {"license": content["licence"].lower()}


def test_a_full_folder_and_a_foreign_base_are_refused(place: Path) -> None:
    (place / "full").mkdir()
    (place / "full/file").write_text("x")
    with pytest.raises(StageError, match="holds files already"):
        pack(Path("models/adapter/tuned"), "models/tiny", place / "full", "tuned", False)
    with pytest.raises(StageError, match="holds no adapter"):
        pack(Path("models/tiny"), "models/tiny", place / "new", "tuned", False)


def test_one_picture_is_answered_in_words_and_with_an_overlay(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["predict", "--image", "x.png", "--query", "the circle", "--adapter", "models/adapter/tuned", "--overlay", "o/a.png"])
    entry.main()
    said = capsys.readouterr().out.splitlines()
    assert said[0].split(":")[0] in ("ok", "none") and said[-1] == "overlay: o/a.png"
    for line in said[1:-1]:
        name, *box, _, score = line.split()
        assert name == "box_xyxy_px" and len(box) == 4 and 0 <= float(score) <= 1
    assert Image.open("o/a.png").width >= 384


@pytest.mark.parametrize(
    "arguments",
    [
        ["--image", "params.yaml"],
        ["--image", "gone.png"],
        ["--image", "cut.png"],
        ["--image", "."],
        ["--image", "x.png", "--adapter", "gone"],
        ["--image", "x.png", "--base", "gone"],
    ],
)
def test_a_bad_file_is_one_message_that_names_it(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Path("x.png").read_bytes()
    Path("cut.png").write_bytes(whole[: len(whole) // 2])
    monkeypatch.setattr(sys, "argv", ["predict", "--query", "the circle", *arguments])
    with pytest.raises(SystemExit) as stop:
        entry.main()
    said = str(stop.value.code)
    assert said.startswith("predict: ") and "\n" not in said and arguments[-1] in said


def test_pictures_of_any_depth_become_rgb(place: Path) -> None:
    deep = np.linspace(900, 3000, 1200).reshape(30, 40)
    Image.fromarray(deep.astype(np.uint16)).save(place / "deep.png")
    Image.fromarray(deep.astype(np.float32)).save(place / "deep.tiff")
    clear = Image.new("RGBA", (40, 30), (255, 255, 255, 0))
    clear.save(place / "clear.png")
    Image.new("P", (40, 30)).save(place / "palette.png")
    for name in ("deep.png", "deep.tiff"):
        grey = np.asarray(read_picture(place / name))[:, :, 0]
        assert grey.min() == 0 and grey.max() == 255 and 100 < grey.mean() < 155
    assert read_picture(place / "clear.png").getpixel((0, 0)) == (0, 0, 0)
    assert read_picture(place / "palette.png").mode == "RGB"


def test_the_overlay_frames_the_box() -> None:
    page = draw_boxes(Image.new("RGB", (64, 64)), [[10, 20, 30, 40]], "the circle")
    factor = page.width // 64
    assert page.getpixel((10 * factor, 30 * factor)) == (255, 196, 0)
    assert page.getpixel((20 * factor, 30 * factor)) == (0, 0, 0)


def test_the_overlay_tells_boxes_apart_and_shows_the_whole_caption() -> None:
    page = draw_boxes(Image.new("RGB", (400, 400)), [[10, 20, 130, 140], [200, 20, 300, 140]], "the circle")
    assert page.getpixel((10, 100)) != page.getpixel((200, 100))
    long = draw_boxes(Image.new("RGB", (400, 400)), [], "the second largest circle from the left, beside the vessel " * 3)
    assert long.height > page.height and np.asarray(long)[400:, -60:].max() > 0
    assert np.asarray(long)[-12:].max() > 0 and not np.asarray(long)[:, -2:].any()
    assert draw_boxes(Image.new("RGB", (3000, 2000)), [], "the circle").size[0] == 3000
