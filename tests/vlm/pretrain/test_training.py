"""The pretraining itself, tiny: it learns, goes on after a stop as if there had been none, and says what it saw."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from stages.core.params import PretrainParams, load_params
from stages.core.stage import StageError
from stages.vlm.pretrain.__main__ import card_of
from stages.vlm.pretrain.batches import stage_of
from stages.vlm.pretrain.pool import read_pool
from stages.vlm.pretrain.training import pretrain, rate_at

ROOT = Path(__file__).parents[3]
SHIPPED = load_params(ROOT / "params.yaml").pretrain
assert SHIPPED.second is not None
SECOND = dataclasses.replace(SHIPPED.second, after=2, vision_layers=3, seeing_steps=1)
TINY = dataclasses.replace(
    SHIPPED, picture_share=0.0, steps=4, images_per_step=2, questions_per_image=2, image_px=32, vision_width=16, vision_layers=1,
    text_width=16, text_layers=1, heads=2, vocabulary=330, checkpoint_steps=2, heldout_images=2, warmup_steps=1, second=SECOND,
)  # fmt: skip


@pytest.fixture
def few_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tokenizer of two phrases: training that of the shipped base takes longer than all steps here."""
    from stages.vlm.pretrain import training

    monkeypatch.setattr(training, "vocabulary_texts", lambda seed: [" the leftmost disc", " the largest blob"] * 4)


class Stopped(Exception):
    """Stands for a kill."""


# Stopped after two steps: in a run of one round, at its end, in the middle of the second round.
@pytest.mark.parametrize("after", [None, 2, 1])
@pytest.mark.usefixtures("few_words")
def test_a_run_that_was_stopped_ends_with_the_weights_of_one_that_was_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int | None) -> None:
    import torch

    from stages.vlm.pretrain import training

    tiny = dataclasses.replace(TINY, second=None if after is None else dataclasses.replace(SECOND, after=after))
    whole = pretrain(tiny, 5, tmp_path / "whole", tmp_path / "whole.csv")
    plain = training.save_checkpoint

    def stop_after(*arguments: object) -> None:
        plain(*arguments)
        raise Stopped

    monkeypatch.setattr(training, "save_checkpoint", stop_after)
    with pytest.raises(Stopped):
        pretrain(tiny, 5, tmp_path / "broken", tmp_path / "broken.csv")
    monkeypatch.setattr(training, "save_checkpoint", plain)
    resumed = pretrain(tiny, 5, tmp_path / "broken", tmp_path / "broken.csv")
    for (name, one), other in zip(whole.model.state_dict().items(), resumed.model.state_dict().values(), strict=True):
        assert torch.equal(one, other), name
    assert resumed.scores == whole.scores
    assert [line.split(",")[0] for line in (tmp_path / "broken.csv").read_text().splitlines()] == ["step", "2", "4"]


def test_the_step_size_warms_up_holds_and_falls_to_almost_nothing() -> None:
    params = dataclasses.replace(SHIPPED, steps=100, warmup_steps=10, decay_share=0.5, second=None)
    rates = [rate_at(step, params) for step in range(100)]
    assert rates[0] == pytest.approx(0.1) and rates[10:51] == [1.0] * 41
    assert all(a > b for a, b in zip(rates[51:], rates[52:], strict=False)) and rates[-1] == pytest.approx(0.02)


def test_in_a_second_round_the_step_size_rises_and_falls_again_to_its_share_of_the_peak() -> None:
    once = dataclasses.replace(SHIPPED, steps=100, warmup_steps=10, decay_share=0.5, second=None)
    twice = dataclasses.replace(once, steps=150, second=dataclasses.replace(SECOND, after=100, rate=0.6))
    assert [rate_at(step, twice) for step in range(100)] == [rate_at(step, once) for step in range(100)]
    second = [rate_at(step, twice) for step in range(100, 150)]
    assert second[0] == pytest.approx(0.06) and max(second) == pytest.approx(0.6) and second[-1] == pytest.approx(0.6 / 25)
    assert [stage_of(step, twice) for step in range(100)] == [stage_of(step, once) for step in range(100)]
    assert {stage_of(step, twice)[0] for step in range(100, 150)} == {stage_of(99, once)[0]}


@pytest.mark.usefixtures("few_words")
def test_what_is_measured_is_learned_in_the_second_round_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from stages.vlm.pretrain import training

    plain, rounds = training.dense_loss, []

    def seen(*arguments: object) -> object:
        rounds.append(arguments[-1])
        return plain(*arguments)

    monkeypatch.setattr(training, "dense_loss", seen)
    made = pretrain(TINY, 5, tmp_path / "checkpoints", tmp_path / "curve.csv")
    assert rounds == [None, None, *[SECOND] * 4]  # Two heads in the second round.
    assert made.model.config.vision_config.num_hidden_layers == 3
    answers = [line.split(",")[2] for line in (tmp_path / "curve.csv").read_text().splitlines()[1:]]
    assert all(float(answer) > 0 for answer in answers)


@pytest.mark.usefixtures("few_words")
def test_in_the_steps_for_seeing_alone_the_text_part_learns_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from stages.vlm.pretrain import training

    kept: list[dict[str, torch.Tensor]] = []
    monkeypatch.setattr(training, "save_checkpoint", lambda run, *rest: kept.append({name: weight.detach().clone() for name, weight in run.model.named_parameters()}))
    blind = dataclasses.replace(TINY, second=dataclasses.replace(SECOND, seeing_steps=2))
    pretrain(blind, 5, tmp_path / "checkpoints", tmp_path / "curve.csv")
    before, after = kept
    changed = {name.split(".")[1] for name, weight in after.items() if name in before and not torch.equal(weight, before[name])}
    assert changed == {"vision_model"}
    assert (tmp_path / "curve.csv").read_text().splitlines()[2].split(",")[2] == ""


def test_a_new_vision_layer_changes_nothing_at_first() -> None:
    import torch

    from stages.vlm.nano import build_model, build_processor, build_tokenizer
    from stages.vlm.pretrain.training import deepen, shape_of

    processor = build_processor(build_tokenizer([" the leftmost disc"] * 4, 330), shape_of(TINY))
    torch.manual_seed(3)
    model = build_model(processor.tokenizer, shape_of(TINY)).eval()
    pixels = torch.rand(1, 1, 3, TINY.image_px, TINY.image_px)
    with torch.no_grad():
        before = model.model.get_image_features(pixels, return_dict=True).last_hidden_state
        deepen(model, 3)
        after = model.model.get_image_features(pixels, return_dict=True).last_hidden_state
    assert torch.equal(before, after) and model.config.vision_config.num_hidden_layers == 3


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


def test_a_second_round_that_would_begin_at_the_end_is_an_error_that_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"second:after is 4 of 4 steps.*set pretrain\.second to null"):
        pretrain(dataclasses.replace(TINY, second=dataclasses.replace(SECOND, after=4)), 5, tmp_path, tmp_path / "curve.csv")
