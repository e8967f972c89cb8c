"""The pretraining itself, tiny: it learns, goes on after a stop as if there had been none, and says what it saw."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from stages.core.params import PretrainParams, load_params
from stages.core.stage import StageError
from stages.vlm.pretrain.__main__ import card_of
from stages.vlm.pretrain.pool import read_pool
from stages.vlm.pretrain.training import pretrain, rate_at

ROOT = Path(__file__).parents[3]
SHIPPED = load_params(ROOT / "params.yaml").pretrain
TINY = dataclasses.replace(
    SHIPPED, picture_share=0.0, steps=4, images_per_step=2, questions_per_image=2, image_px=32, vision_width=16, vision_layers=1,
    text_width=16, text_layers=1, heads=2, vocabulary=330, checkpoint_steps=2, heldout_images=2, warmup_steps=1,
)  # fmt: skip


class Stopped(Exception):
    """Stands for a kill."""


def test_a_run_that_was_stopped_ends_with_the_weights_of_one_that_was_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from stages.vlm.pretrain import training

    monkeypatch.setattr(training, "vocabulary_texts", lambda seed: [" the leftmost disc", " the largest blob"] * 4)
    whole = pretrain(TINY, 5, tmp_path / "whole", tmp_path / "whole.csv")
    plain = training.save_checkpoint

    def stop_after(*arguments: object) -> None:
        plain(*arguments)
        raise Stopped

    monkeypatch.setattr(training, "save_checkpoint", stop_after)
    with pytest.raises(Stopped):
        pretrain(TINY, 5, tmp_path / "broken", tmp_path / "broken.csv")
    monkeypatch.setattr(training, "save_checkpoint", plain)
    resumed = pretrain(TINY, 5, tmp_path / "broken", tmp_path / "broken.csv")
    for (name, one), other in zip(whole.model.state_dict().items(), resumed.model.state_dict().values(), strict=True):
        assert torch.equal(one, other), name
    assert resumed.scores == whole.scores
    assert [line.split(",")[0] for line in (tmp_path / "broken.csv").read_text().splitlines()] == ["step", "2", "4"]


def test_the_step_size_warms_up_holds_and_falls_to_almost_nothing() -> None:
    params = dataclasses.replace(SHIPPED, steps=100, warmup_steps=10, decay_share=0.5)
    rates = [rate_at(step, params) for step in range(100)]
    assert rates[0] == pytest.approx(0.1) and rates[10:51] == [1.0] * 41
    assert all(a > b for a, b in zip(rates[51:], rates[52:], strict=False)) and rates[-1] == pytest.approx(0.02)


def test_the_card_says_what_the_base_has_seen() -> None:
    scores = {"all": 0.5, "name_one": 0.9}

    def seen(**changes: object) -> str:
        params: PretrainParams = dataclasses.replace(SHIPPED, **changes)
        return card_of(params, scores, 50.0).data

    assert seen(picture_share=0.0).endswith("no medical picture")
    assert "patients of their own" in seen() and "training patients of data/corpus" in seen(patients_of="data/corpus")
    assert card_of(SHIPPED, scores, 50.0).scores == {"heldout_generic_scenes_acc_at_50": 0.5, "heldout_name_one_acc_at_50": 0.9}


def test_a_folder_without_pictures_is_an_error_that_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"stages\.vlm\.pretrain\.pictures"):
        read_pool(dataclasses.replace(SHIPPED, pictures=str(tmp_path)), None)
