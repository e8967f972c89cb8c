"""The base that goes on with a corpus' training pictures: it starts from the weights it is given and says what it saw."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from stages.core.params import load_params
from stages.core.stage import StageError
from stages.vlm.card import load_base
from stages.vlm.pretrain.batches import EVERYTHING, stage_of
from stages.vlm.pretrain.further import further_card, further_params, go_on
from stages.vlm.pretrain.scenes import Difficulty
from stages.vlm.pretrain.training import processor_of, rate_at, start_run
from tests.vlm.pretrain.test_training import SECOND, TINY

ROOT = Path(__file__).parents[3]
PARAMS = load_params(ROOT / "params.yaml")
SHIPPED = ROOT / "models/nano"


def test_it_starts_from_the_weights_and_words_of_the_base_it_is_given() -> None:
    import torch
    from safetensors.torch import load_file

    processor = processor_of(TINY, 1, SHIPPED)
    run = start_run(PARAMS.pretrain, processor, (), 1, SHIPPED)
    shipped = load_file(SHIPPED / "model.safetensors")
    found = run.model.state_dict()
    assert all(torch.equal(found[name], weight) for name, weight in shipped.items() if name in found)
    assert sum(name in found for name in shipped) == len(shipped)
    assert len(processor.tokenizer) == run.model.get_input_embeddings().weight.shape[0]


def test_everything_is_asked_from_the_first_step_with_smaller_steps_over_the_corpus_training_patients() -> None:
    settings = further_params(PARAMS.pretrain, Path("data/corpus"), 200)
    assert settings.patients_of == "data/corpus" and settings.pictures == "."
    assert settings.second is not None and settings.second.after == settings.second.seeing_steps == 0
    assert stage_of(0, settings) == stage_of(199, settings) == (Difficulty(8, 0.75, 0.5, calm=True), EVERYTHING)
    assert max(rate_at(step, settings) for step in range(200)) < 0.5 and settings.checkpoint_steps <= settings.steps == 200


def test_parameters_without_a_second_round_are_refused_as_the_steps_would_not_be_smaller() -> None:
    with pytest.raises(StageError, match="pretrain:second is null"):
        further_params(dataclasses.replace(PARAMS.pretrain, second=None), Path("data/corpus"), 200)


def test_the_card_keeps_what_was_seen_before_and_counts_all_steps() -> None:
    before = load_base(SHIPPED).card
    settings = further_params(PARAMS.pretrain, Path("data/corpus"), 200)
    card = further_card("nano-seen", before, settings, {"all": 0.5, "name_one": 0.8}, 3.0)
    assert card.name == "nano-seen" and card.steps == (before.steps or 0) + 200
    assert card.data is not None and card.data.startswith(str(before.data)) and "training patients of data/corpus" in card.data


def test_the_base_itself_is_never_overwritten_and_a_missing_corpus_is_named(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="name another folder"):
        go_on(PARAMS, SHIPPED, tmp_path, SHIPPED, 1)
    with pytest.raises(StageError, match="run `dvc repro split` first"):
        go_on(PARAMS, SHIPPED, tmp_path / "nothing", tmp_path / "out", 1)


def test_a_tiny_corpus_is_trained_on_and_the_folder_loads_as_a_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from stages.vlm.pretrain import further, training
    from stages.vlm.pretrain.__main__ import save_base
    from stages.vlm.pretrain.pool import EMPTY

    monkeypatch.setenv("MEDGROUND_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(training, "vocabulary_texts", lambda seed: [" the leftmost disc", " the largest blob"] * 4)
    first = training.pretrain(TINY, 5, tmp_path / "checkpoints", tmp_path / "first.csv")
    card = dataclasses.replace(load_base(SHIPPED).card, image_px=TINY.image_px, steps=4)
    save_base(first, tmp_path / "first", card)
    (tmp_path / "corpus/examples").mkdir(parents=True)
    # The pictures come from tables, which other tests cover: here the scenes stand for them.
    monkeypatch.setattr(training, "read_pool", lambda params, processor: EMPTY)
    tiny = dataclasses.replace(TINY, second=dataclasses.replace(SECOND, after=0))
    monkeypatch.setattr(further, "further_params", lambda params, corpus, steps: dataclasses.replace(tiny, patients_of=str(corpus), steps=steps))
    go_on(dataclasses.replace(PARAMS, pretrain=TINY), tmp_path / "first", tmp_path / "corpus", tmp_path / "seen", 2)
    made = load_base(tmp_path / "seen").card
    assert made.name == "seen" and made.steps == 6
