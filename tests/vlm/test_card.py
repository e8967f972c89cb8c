"""A model card is checked before anything is loaded, and an adapter knows its base."""

from __future__ import annotations

from pathlib import Path

import pytest

from stages.core.stage import StageError
from stages.vlm.adapters import AdapterCard, check_adapter, write_adapter_card
from stages.vlm.card import CardError, load_base, weights_hash
from tests.vlm.tiny import save_tiny_base


def test_a_card_leads_to_its_weights(tmp_path: Path) -> None:
    base = load_base(save_tiny_base(tmp_path / "tiny"))
    assert (Path(base.location) / "model.safetensors").exists()
    assert base.card.codec == "loc1000"


def test_a_missing_card_names_the_parameter(tmp_path: Path) -> None:
    with pytest.raises(CardError, match="vlm.base"):
        load_base(tmp_path)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [("family", "nanoo", "known: .*nano"), ("codec", "json1000", "does not fit"), ("path", "elsewhere", "config.json is missing")],
)
def test_a_wrong_card_says_what_is_wrong(tmp_path: Path, field: str, value: str, message: str) -> None:
    folder = save_tiny_base(tmp_path / "tiny")
    card = folder / "card.yaml"
    lines = [f"{field}: {value}" if line.startswith(f"{field}:") else line for line in card.read_text().splitlines()]
    card.write_text("\n".join(lines))
    with pytest.raises(CardError, match=message):
        load_base(folder)


def test_an_adapter_of_other_weights_is_refused(tmp_path: Path) -> None:
    base, other = load_base(save_tiny_base(tmp_path / "a")), load_base(save_tiny_base(tmp_path / "b", seed=1))
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text("{}")
    write_adapter_card(adapter, AdapterCard("tuned", "tiny", weights_hash(base), 1, 1, 1, 1))
    assert check_adapter(adapter, base).arm == "tuned"
    with pytest.raises(StageError, match="trained on other weights"):
        check_adapter(adapter, other)
