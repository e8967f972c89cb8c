"""Cards of models made elsewhere: what is refused, what a card's settings do, and the cards that are shipped."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from stages.core.stage import StageError
from stages.vlm.adapters import AdapterCard, check_adapter, load_contender, write_adapter_card
from stages.vlm.bases import base_model, base_processor
from stages.vlm.card import CARDS, CardError, load_base, weights_hash
from stages.vlm.families import FAMILIES, Item, end_id, linear_layers, prediction_batch, seen_px
from stages.vlm.loading import LoadError, load_model, load_processor
from tests.import_closure import ROOT
from tests.predict.corpus import save_adapter
from tests.vlm.families.tiny_models import save_tiny
from tests.vlm.tiny import save_tiny_base

SHIPPED = sorted((ROOT / CARDS).glob("*.yaml"))
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module")
def qwen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny("qwen2_5_vl", tmp_path_factory.mktemp("qwen"))


def card(folder: Path, **changes: Any) -> Path:
    """A card for a hub model of Qwen2.5-VL's family; None takes a field away."""
    content = {"name": "mine", "family": "qwen2_5_vl", "codec": "qwen2_5", "licence": "mine", "hub": "someone/model", "revision": COMMIT}
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump({key: value for key, value in {**content, **changes}.items() if value is not None}))
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"revision": None}, r"mine.yaml: revision: expected the full commit id of someone/model .*huggingface.co/someone/model/commits"),
        ({"revision": "main"}, "expected the full commit id"),
        ({"hub": None, "revision": None}, "either `path` .* or `hub`"),
        ({"path": "."}, "either `path` .* or `hub`"),
        ({"hub": None, "path": "."}, "leave it out"),
        ({"family": "qwen4"}, "family 'qwen4' is unknown; known: .*qwen2_5_vl"),
        ({"codec": "qwen3"}, "answers in 'qwen2_5'"),
        ({"processor": {"max_pixel": 1}}, "unknown setting 'max_pixel'; did you mean 'max_pixels'"),
        ({"processor": {"max_pixels": "many"}}, "max_pixels: expected a whole number"),
        ({"processor": {"max_pixels": 0}}, "max_pixels: expected a whole number above 0"),
        ({"licence": None}, "missing licence"),
        ({"revison": "x"}, "unknown key 'revison'; did you mean 'revision'"),
    ],
)
def test_a_card_that_cannot_be_used_says_why(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(CardError, match=message):
        load_base(card(tmp_path, **changes))


def test_a_card_that_is_not_there_names_those_that_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    with pytest.raises(CardError, match="no model card at models/qwen9.*nano.*qwen2-vl-2b-instruct"):
        load_base("models/qwen9")


def test_a_card_is_found_by_folder_file_and_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert load_base("models/nano").card == load_base("nano").card == load_base("models/nano/card.yaml").card
    names = ("qwen2.5-vl-3b-instruct", "models/qwen2.5-vl-3b-instruct", "models/qwen2.5-vl-3b-instruct.yaml")
    assert {load_base(name).location for name in names} == {"Qwen/Qwen2.5-VL-3B-Instruct"}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_card_is_sound_and_pinned_or_refused(path: Path) -> None:
    content = yaml.safe_load(path.read_text())
    assert content["name"] == path.stem
    assert content["note"] and content["licence"]
    if content["revision"] is None:
        with pytest.raises(CardError, match="fill in the one that you use"):
            load_base(path)
        return
    base = load_base(path)
    assert base.location == content["hub"]
    assert set(content.get("processor", {})) <= set(base.family.settings)


def test_there_is_a_card_for_every_family() -> None:
    assert {yaml.safe_load(path.read_text())["family"] for path in SHIPPED} == set(FAMILIES) - {"nano"}


def local_card(folder: Path, where: Path, **processor: int) -> Path:
    return card(folder, hub=None, revision=None, path=str(where), processor=processor or None)


def test_a_cards_settings_reach_the_pictures(tmp_path: Path, qwen: Path) -> None:
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (90, 200, 3)).astype(np.uint8))
    item = Item("the circle", picture, None, "")
    small, large = (load_base(local_card(tmp_path, qwen, min_pixels=16 * 16, max_pixels=most)) for most in (32 * 32, 96 * 96))
    sizes = []
    for base in (small, large):
        processor = base_processor(base)
        (grid,) = prediction_batch(base.family, processor, [item])["image_grid_thw"].tolist()
        size = seen_px(base.family, processor, 200, 90)
        assert size == (grid[2] * 8, grid[1] * 8)
        sizes.append(size[0] * size[1])
    assert sizes[0] <= 32 * 32 < sizes[1] <= 96 * 96


def test_other_settings_are_another_base_for_an_adapter(tmp_path: Path, qwen: Path) -> None:
    base = load_base(local_card(tmp_path, qwen, max_pixels=64 * 64))
    (tmp_path / "adapter_config.json").write_text("{}")
    write_adapter_card(tmp_path, AdapterCard("tuned", "mine", weights_hash(base), 1, 1, 1, 1))
    assert check_adapter(tmp_path, base).arm == "tuned"
    with pytest.raises(StageError, match="other weights or with other processor settings.*point vlm.base"):
        check_adapter(tmp_path, load_base(local_card(tmp_path, qwen, max_pixels=32 * 32)))
    with pytest.raises(StageError, match="holds no adapter"):
        load_contender(base, tmp_path / "elsewhere")


def test_a_missing_package_is_named_with_its_remedy(tmp_path: Path, qwen: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "torchvision" else real(name, *rest))
    with pytest.raises(LoadError, match=r"'qwen2_5_vl': its processor needs torchvision, .*pip install -r requirements.txt"):
        base_processor(load_base(local_card(tmp_path, qwen)))


def test_a_processor_that_cannot_be_imported_says_what_to_install(qwen: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import transformers

    def fail(*_: Any, **__: Any) -> None:
        raise ImportError("Qwen2VLVideoProcessor requires the Torchvision library but it was not found in your environment.")

    monkeypatch.setattr(transformers.AutoProcessor, "from_pretrained", fail)
    with pytest.raises(LoadError, match="Torchvision library.*pip install -r requirements.txt"):
        load_processor(qwen)


def test_weights_of_another_family_are_refused(tmp_path: Path, qwen: Path) -> None:
    base = load_base(card(tmp_path, hub=None, revision=None, path=str(qwen), family="gemma3", codec="json1000"))
    with pytest.raises(LoadError, match="a model of type 'qwen2_5_vl', but family 'gemma3' is gemma3: correct `family`"):
        base_model(base)
    with pytest.raises(ValueError, match="the tokenizer has no token '<end_of_turn>': the model is of another family"):
        end_id(base.family, base_processor(base))
    model = load_model(qwen)
    with pytest.raises(ValueError, match="no part 'vision' as family 'gemma3' has it"):
        linear_layers(base.family, model, ["vision"])
    with pytest.raises(ValueError, match="parts of a model are vision, connector, text"):
        linear_layers(base.family, model, ["head"])


def test_broken_weights_name_the_base(tmp_path: Path, qwen: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "no_such_model"}')
    with pytest.raises(LoadError, match="base 'mine': no model loads from .*config.json"):
        base_model(load_base(local_card(tmp_path, tmp_path)))


@pytest.mark.parametrize(
    ("file", "content", "loads", "message"),
    [
        ("model.safetensors", b"version https://git-lfs.github.com/spec/v1", base_model, "no model loads .*header.*git lfs pull"),
        ("tokenizer.json", b"version https://git-lfs.github.com/spec/v1", base_processor, "no processor loads .*git lfs pull"),
    ],
)
def test_a_file_that_was_not_fetched_is_a_known_error_of_a_stage(tmp_path: Path, file: str, content: bytes, loads: Any, message: str) -> None:
    folder = save_tiny_base(tmp_path / "tiny")
    (folder / file).write_bytes(content)
    with pytest.raises(StageError, match=message):
        loads(load_base(folder))


@pytest.mark.parametrize("loads", [base_model, base_processor])
def test_a_hub_that_cannot_be_reached_is_a_known_error_of_a_stage(tmp_path: Path, loads: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import transformers

    def fail(*_: Any, **__: Any) -> None:
        raise OSError("We couldn't connect to 'https://huggingface.co'\nCheck your internet connection")

    for kind in (transformers.AutoProcessor, transformers.AutoModelForImageTextToText):
        monkeypatch.setattr(kind, "from_pretrained", fail)
    with pytest.raises(StageError, match=r"base 'mine': no \w+ loads from someone/model \(We couldn't connect .*\): fetch it where there is a network"):
        loads(load_base(card(tmp_path)))


@pytest.mark.parametrize(("file", "content", "message"), [("adapter_model.safetensors", "version https", "does not load"), ("adapter_card.json", "{}", "cannot be read")])
def test_a_damaged_adapter_is_a_known_error_of_a_stage(tmp_path: Path, file: str, content: str, message: str) -> None:
    base = save_tiny_base(tmp_path / "tiny")
    adapter = save_adapter(tmp_path / "adapter", base)
    assert load_contender(load_base(base), adapter) is not None
    (adapter / file).write_text(content)
    with pytest.raises(StageError, match=f"{message}.*dvc pull"):
        load_contender(load_base(base), adapter)
