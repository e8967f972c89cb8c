"""Properties of the splitter."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.split.patients import assign, linked_groups

PATIENTS = st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(0, 60).map("p{:02d}".format)), unique=True, min_size=1, max_size=60)


@st.composite
def patients_and_links(draw):
    patients = draw(PATIENTS)
    member = st.sampled_from(patients)
    return patients, draw(st.lists(st.tuples(member, member), max_size=12))


@settings(max_examples=80, deadline=None)
@given(patients_and_links(), st.integers(0, 2**31), st.floats(0, 0.4), st.floats(0, 0.5))
def test_every_patient_gets_one_split_and_linked_patients_the_same(case, seed, val, test) -> None:
    patients, links = case
    splits = assign(linked_groups(patients, links), seed, val, test)
    assert set(splits) == set(patients)
    assert set(splits.values()) <= {"train", "val", "test"}
    for first, second in links:
        assert splits[first] == splits[second]


@settings(max_examples=80, deadline=None)
@given(patients_and_links(), st.integers(0, 2**31), st.randoms())
def test_the_split_does_not_depend_on_the_order_of_patients_or_links(case, seed, random) -> None:
    patients, links = case
    expected = assign(linked_groups(patients, links), seed, 0.1, 0.2)
    shuffled, turned = patients.copy(), [(b, a) for a, b in links]
    random.shuffle(shuffled)
    random.shuffle(turned)
    assert assign(linked_groups(shuffled, turned), seed, 0.1, 0.2) == expected


@settings(max_examples=80, deadline=None)
@given(PATIENTS, st.integers(0, 2**31), st.floats(0.05, 0.3), st.floats(0.05, 0.4))
def test_each_dataset_gets_its_shares_and_from_three_patients_on_at_least_one_of_each(patients, seed, val, test) -> None:
    splits = assign(linked_groups(patients, []), seed, val, test)
    for dataset in {name for name, _ in patients}:
        counts = Counter(split for (name, _), split in splits.items() if name == dataset)
        n = sum(counts.values())
        if n < 3:
            continue
        for split, share in (("val", val), ("test", test)):
            assert counts[split] == max(1, round(share * n))
        assert counts["train"] >= 1


@given(st.integers(1, 2), st.integers(0, 1000))
def test_one_or_two_patients_stay_in_training(n, seed) -> None:
    assert set(assign(linked_groups([("a", str(k)) for k in range(n)], []), seed, 0.1, 0.2).values()) == {"train"}


def test_a_share_of_zero_holds_nobody_out() -> None:
    splits = assign(linked_groups([("a", str(k)) for k in range(20)], []), 7, 0.0, 0.25)
    assert Counter(splits.values()) == {"train": 15, "test": 5}


def test_another_seed_holds_out_other_patients() -> None:
    groups = linked_groups([("a", str(k)) for k in range(40)], [])
    held_out = [frozenset(p for p, split in assign(groups, seed, 0.1, 0.2).items() if split == "test") for seed in range(5)]
    assert len(set(held_out)) == 5


def test_links_join_through_others_and_across_datasets() -> None:
    patients = [("a", "1"), ("a", "2"), ("b", "1"), ("b", "2")]
    groups = linked_groups(patients, [(("a", "1"), ("b", "2")), (("b", "2"), ("a", "2"))])
    assert groups == [[("a", "1"), ("a", "2"), ("b", "2")], [("b", "1")]]


@pytest.mark.parametrize("seed", range(6))
def test_a_group_larger_than_the_share_goes_to_training_whole(seed: int) -> None:
    patients = [("a", f"{k:02d}") for k in range(20)]
    groups = linked_groups(patients, [(patients[k], patients[k + 1]) for k in range(11)])
    splits = assign(groups, seed, 0.1, 0.2)
    assert {splits[patient] for patient in patients[:12]} == {"train"}
    assert Counter(splits.values()) == {"train": 14, "test": 4, "val": 2}


@settings(max_examples=80, deadline=None)
@given(patients_and_links(), st.data(), st.integers(0, 2**31), st.floats(0, 0.3), st.floats(0, 0.4))
def test_a_test_patient_of_a_source_is_never_in_training_or_validation(case, data, seed, val, test) -> None:
    patients, links = case
    stated = {patient: data.draw(st.sampled_from(["train", "val", "test"])) for patient in patients if data.draw(st.booleans())}
    splits = assign(linked_groups(patients, links), seed, val, test, stated)
    assert set(splits) == set(patients)
    assert {splits[patient] for patient, name in stated.items() if name == "test"} <= {"test"}
    assert {splits[patient] for patient, name in stated.items() if name == "val"} <= {"val", "test"}
    for first, second in links:
        assert splits[first] == splits[second]


def test_a_split_that_the_source_states_is_kept_and_another_is_drawn() -> None:
    patients = [("a", f"{k:02d}") for k in range(20)]
    stated = {patient: "test" if number < 3 else "train" for number, patient in enumerate(patients)}
    splits = assign(linked_groups(patients, []), 7, 0.1, 0.5, stated)
    assert {patient for patient, split in splits.items() if split == "test"} == set(patients[:3])
    assert Counter(splits.values()) == {"train": 15, "test": 3, "val": 2}
