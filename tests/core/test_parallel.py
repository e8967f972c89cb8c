"""The ordered map: same results on one worker and on many, failures as values, defects as exceptions."""

from __future__ import annotations

import pytest

from stages.core.parallel import ordered_map, split_errors
from stages.core.records import ItemError


def halve(number: int) -> int | ItemError:
    """Half of an even number; an odd one is a failed item, a negative one a defect."""
    if number < 0:
        raise ArithmeticError(f"{number} is negative")
    return number // 2 if number % 2 == 0 else ItemError(str(number), "toy", "odd", "", "cannot be halved")


@pytest.mark.parametrize("workers", [1, 2])
def test_results_stand_in_the_order_of_the_items(workers: int) -> None:
    assert ordered_map(halve, range(0, 80, 2), workers, "halve") == list(range(40))


@pytest.mark.parametrize("workers", [1, 2])
def test_a_failed_item_is_a_value_in_its_place(workers: int) -> None:
    results = ordered_map(halve, [2, 3, 4], workers, "halve")
    values, errors = split_errors(results)
    assert values == [1, 2]
    assert [error.item_id for error in errors] == ["3"] and results[1] is errors[0]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_defect_stops_the_map(workers: int) -> None:
    with pytest.raises(ArithmeticError, match="-4 is negative"):
        ordered_map(halve, [2, -4, 6], workers, "halve")


def test_nothing_maps_to_nothing() -> None:
    assert ordered_map(halve, [], 4, "halve") == []


def test_an_iterator_is_taken_once() -> None:
    assert ordered_map(halve, iter([2, 4]), 1, "halve") == [1, 2]


def test_progress_goes_to_the_error_stream_with_its_name(capsys: pytest.CaptureFixture) -> None:
    ordered_map(halve, [2, 4], 1, "halving")
    captured = capsys.readouterr()
    assert "halving" in captured.err and captured.out == ""


def test_lists_of_results_and_errors_are_taken_apart_in_order() -> None:
    error = ItemError("x", "toy", "odd", "", "")
    assert split_errors([[1, error, 2], 3, error]) == ([1, 2, 3], [error, error])
