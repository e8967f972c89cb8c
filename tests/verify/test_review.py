"""The human audit: what is drawn, a page that holds nothing but its own, and the answers folded back."""

from __future__ import annotations

import dataclasses
import json
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.core.params import Params
from stages.core.records import Query
from stages.core.shards import read_table, write_table
from stages.core.stage import StageError
from stages.verify.__main__ import verify
from stages.verify.review.__main__ import fold_answers, main
from stages.verify.review.fold import consensus, read_answers
from stages.verify.review.page import REASONS, digest_of, items_of, render, visible
from stages.verify.review.sampling import Judged, allocate, draw
from stages.verify.review.tables import read_judged
from tests.verify.judges.tables import QUERIES, write_params, write_tables
from tests.verify.scenes import query

HOSTILE = '"><img src=x onerror=alert(1)><script>alert(2)</script> {{ 7*7 }} \u202eleft'


def _fabricated(counts: dict[tuple[str, str, str], int]) -> list[Judged]:
    """So many queries of each (fate, modality, kind)."""
    return [
        Judged(dataclasses.replace(query("the spleen", 1), query_id=f"{fate}-{modality}-{kind}~{n}", kind=kind), fate, modality)
        for (fate, modality, kind), count in counts.items()
        for n in range(count)
    ]


@given(st.dictionaries(st.text(max_size=3), st.integers(0, 40), max_size=8), st.integers(0, 120))
def test_an_allocation_gives_all_that_is_asked_and_no_stratum_more_than_it_has(sizes: dict[str, int], n: int) -> None:
    given_ = allocate(sizes, n)
    assert sum(given_.values()) == min(n, sum(sizes.values()))
    assert all(0 <= given_[key] <= sizes[key] for key in given_)
    if n >= sum(size > 0 for size in sizes.values()):
        assert all(given_[key] >= 1 for key, size in sizes.items() if size)


def test_an_allocation_follows_the_sizes() -> None:
    assert allocate({"a": 700, "b": 200, "c": 100}, 13) == {"a": 8, "b": 3, "c": 2}


def test_every_stratum_is_drawn_rejected_ones_are_mixed_in_and_the_order_tells_nothing() -> None:
    everything = _fabricated(
        {("accepted", "CT", "single"): 300, ("accepted", "CT", "none"): 8, ("accepted", "MR", "multi"): 40, ("rejected", "CT", "single"): 50, ("undecided", "MR", "name"): 9}
    )
    drawn = draw(everything, 40, 0.3, seed=7)
    assert Counter(item.fate for item in drawn)["accepted"] == 28 and len({item.query.query_id for item in drawn}) == 40
    assert {item.stratum for item in drawn} == {item.stratum for item in everything}
    assert draw(everything[::-1], 40, 0.3, seed=7) == drawn != draw(everything, 40, 0.3, seed=8)
    runs = sum(a.fate != b.fate for a, b in zip(drawn, drawn[1:], strict=False))
    assert runs > 8, "accepted and rejected ones stand mixed"


def test_where_one_side_has_too_few_the_other_gives_more() -> None:
    everything = _fabricated({("accepted", "CT", "single"): 30, ("rejected", "CT", "single"): 2})
    assert Counter(item.fate for item in draw(everything, 20, 0.5, 7)) == {"accepted": 18, "rejected": 2}
    assert len(draw(everything, 500, 0.5, 7)) == 32


@pytest.fixture
def params(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    """A verified tree: five accepted, one rejected, one hostile and rejected, one undecided query."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEDGROUND_TRACKING", "off")
    write_tables()
    write_table("data/queries/queries", Query, [*QUERIES, query(HOSTILE, 5, query_id='a~7"><b onclick="x">')])
    loaded = write_params(tmp_path, {"judges": ["evidence"]})
    verify(loaded)
    return loaded


class _Page(HTMLParser):
    """Tags, attributes that load or run something, and the data of the items."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.risky: list[tuple[str, str]] = []
        self.ids: list[str] = []
        self.hidden_verdicts = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        for name, value in attrs:
            if name.startswith("on") or (name in ("src", "href", "action") and not (value or "").startswith("data:image/jpeg;base64,")):
                self.risky.append((name, value or ""))
        found = dict(attrs)
        if "data-id" in found:
            self.ids.append(found["data-id"] or "")
        if found.get("class") == "verdict" and "hidden" in found:
            self.hidden_verdicts += 1


def _page(params: Params) -> str:
    return render(items_of(draw(read_judged(params), 100, 0.3, params.seed), params, 128), params.seed)


def test_the_page_holds_every_sample_with_its_verdict_hidden_and_loads_nothing(params: Params) -> None:
    text = _page(params)
    page = _Page(text)
    assert sorted(page.ids) == sorted(item.query.query_id for item in read_judged(params)) and len(page.ids) == 8
    assert page.hidden_verdicts == 8 == page.tags["article"] == page.tags["img"]
    assert page.risky == [] and "http://" not in text and "https://" not in text and "default-src 'none'" in text
    assert str(Path.cwd()) not in text


def test_what_a_query_says_is_shown_and_never_run(params: Params) -> None:
    text = _page(params)
    page = _Page(text)
    assert page.tags["script"] == 1 and page.tags["b"] == _Page(text.replace('<b onclick="x">', "")).tags["b"]
    assert "&lt;script&gt;alert(2)&lt;/script&gt; {{ 7*7 }} [U+202E]left" in text and "\u202e" not in text
    assert "<img src=x" not in text and "<b onclick" not in text


def test_characters_that_are_not_seen_stand_as_their_code() -> None:
    assert visible("a\x00b\u202ec\u00e9 d") == "a[U+0000]b[U+202E]cé d"


def test_the_same_tables_make_the_same_page_and_the_seed_another_order(params: Params) -> None:
    assert _page(params) == _page(params) != _page(dataclasses.replace(params, seed=8))


def test_every_control_is_a_button_with_its_key_and_boxes_are_drawn(params: Params) -> None:
    text = _page(params)
    keys = re.findall(r'<button type="button" data-key="(\w+)"', text)
    assert keys == ["a", "r", "u", *map(str, range(1, len(REASONS) + 1)), "arrowleft", "arrowright", "n", "b"]
    assert text.count('<rect class="under"') == sum(len(item.query.anchor_ids) for item in read_judged(params))
    assert 'aria-live="polite"' in text and 'lang="en"' in text and "<noscript>" in text


def test_a_query_of_a_missing_sample_is_named(params: Params) -> None:
    stray = Judged(dataclasses.replace(QUERIES[0], sample_id="set/other/axial-1"), "accepted", "CT")
    with pytest.raises(StageError, match="set/other/axial-1"):
        items_of([stray], params, 128)


def _write(path: Path, reviewer: str, said: dict[str, str], judged: dict[str, Judged], **changes: object) -> Path:
    """A download of the page; "reject" has the first reason."""
    rows = [
        {"query_id": one, "digest": digest_of(judged[one].query), "verdict": word, "reason": "wrong_box" if word == "reject" else None, "later": None} | changes
        for one, word in said.items()
    ]
    path.write_text(json.dumps({"page": "0", "reviewer": reviewer, "answers": rows}), encoding="utf-8")
    return path


@pytest.fixture
def audited(params: Params) -> dict[str, Judged]:
    """Tables of forty accepted and twenty rejected queries in two strata."""
    rows = {
        "accepted": [dataclasses.replace(QUERIES[n % 2], query_id=f"p~{n:02d}", kind="name" if n < 10 else "single") for n in range(40)],
        "rejected": [dataclasses.replace(QUERIES[5], query_id=f"q~{n:02d}") for n in range(20)],
        "undecided": [],
    }
    for fate, queries in rows.items():
        write_table(f"data/verified/{fate}", Query, queries)
    return {item.query.query_id: item for item in read_judged(params)}


def test_folded_answers_have_the_known_kappa_and_precision(params: Params, audited: dict[str, Judged]) -> None:
    # 20 accepted and 20 rejected ones judged: 15 and 5 of them as right. p_o = 0.75, p_e = 0.5, kappa = 0.5.
    said = {f"p~{n:02d}": "accept" if n < 15 else "reject" for n in range(20)} | {f"q~{n:02d}": "accept" if n < 5 else "reject" for n in range(20)}
    figures = fold_answers(params, [_write(Path("ann.json"), "ann", said, audited)])
    assert figures["agreement"]["cascade"] == {"kappa": pytest.approx(0.5), "n": 40} == figures["agreement"]["cascade_ann"]
    precision = figures["precision"]
    assert (precision["n"], precision["rate"]) == (20, 0.75)
    assert (precision["low"], precision["high"]) == (pytest.approx(0.5313, abs=1e-4), pytest.approx(0.8881, abs=1e-4))
    assert precision["weighted"] == pytest.approx(10 / 40 * 1.0 + 30 / 40 * 0.5), "ten names all right, half of ten single ones; thirty in the tables"
    assert figures["rejected_yet_right"]["rate"] == 0.25 and figures["undecided_yet_right"] == {"n": 0}
    assert figures["reasons"] == {"wrong_box": 20} and figures["answers"] == 40 == figures["queries"]
    table = Path("metrics/plots/review_reasons.csv").read_text(encoding="utf-8").splitlines()
    assert table[0] == "fate,cascade_reason,said,reason,n" and "accepted,ok,accept,,15" in table


def test_two_reviewers_have_the_known_kappa_between_them_and_what_most_say_counts(params: Params, audited: dict[str, Judged]) -> None:
    # 20 both accept, 5 + 10 differ, 15 both reject: kappa 0.4 (Cohen's formula by hand).
    ids = sorted(audited)[:50]
    first = {one: "accept" if n < 25 else "reject" for n, one in enumerate(ids)}
    second = {one: "accept" if n < 20 or 25 <= n < 35 else "reject" for n, one in enumerate(ids)}
    paths = [_write(Path(f"{name}.json"), name, said, audited) for name, said in (("ann", first), ("bob", second))]
    figures = fold_answers(params, paths)
    assert figures["agreement"]["ann_bob"] == {"kappa": pytest.approx(0.4), "n": 50}
    assert figures["unsure"] == 15 and figures["precision"]["n"] == 40 - 15 and figures["reviewers"] == 2


@pytest.mark.parametrize(
    ("said", "expected"),
    [(["accept"], "accept"), (["accept", "reject"], "unsure"), (["accept", "reject", "reject"], "reject"), (["unsure", "accept", "accept"], "accept")],
)
def test_what_most_reviewers_say_counts(said: list[str], expected: str) -> None:
    assert consensus(said) == expected


def test_a_change_after_the_verdict_was_seen_is_counted_and_not_used(params: Params, audited: dict[str, Judged]) -> None:
    path = _write(Path("ann.json"), "ann", {"p~00": "accept", "q~00": "reject"}, audited, later="unsure")
    figures = fold_answers(params, [path])
    assert figures["changed_later"] == 2 and figures["unsure"] == 0 and figures["precision"]["rate"] == 1.0


def test_a_reviewer_may_hand_in_several_files_but_answers_a_query_once(params: Params, audited: dict[str, Judged]) -> None:
    paths = [_write(Path(f"{n}.json"), "ann", said, audited) for n, said in enumerate([{"p~00": "accept", "p~01": "accept"}, {"p~01": "accept", "p~02": "reject"}])]
    assert fold_answers(params, paths)["answers"] == 3
    contrary = _write(Path("2.json"), "ann", {"p~00": "reject"}, audited)
    with pytest.raises(StageError, match="2.json.*'ann' has answered p~00 differently"):
        fold_answers(params, [*paths, contrary])


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("no json", "no download"), ('{"page": "0", "answers": []}', "reviewer"), ('{"page": "0", "reviewer": "../Ann", "answers": []}', "reviewer"),
        ('{"page": "0", "reviewer": "ann", "answers": [{"query_id": "p~00", "digest": "0", "verdict": "maybe", "reason": null, "later": null}]}', "verdict"),
        ('{"page": "0", "reviewer": "ann", "answers": [{"query_id": "p~00", "digest": "0", "verdict": "reject", "reason": "dull", "later": null}]}', "'dull'"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_download_is_named(tmp_path: Path, content: str, named: str) -> None:
    path = tmp_path / "answers.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(StageError, match=f"(?s)answers.json.*{named}"):
        read_answers([path])


def test_answers_about_other_tables_are_refused(params: Params, audited: dict[str, Judged]) -> None:
    with pytest.raises(StageError, match="p~00, which reads otherwise in data/verified now"):
        fold_answers(params, [_write(Path("a.json"), "ann", {"p~00": "accept"}, audited, digest="0" * 16)])
    gone = audited | {"z~9": audited["p~00"]}
    with pytest.raises(StageError, match="z~9, which is not in data/verified now"):
        fold_answers(params, [_write(Path("a.json"), "ann", {"z~9": "accept"}, gone)])
    with pytest.raises(StageError, match="no answer in any file"):
        fold_answers(params, [_write(Path("a.json"), "ann", {}, audited)])


def test_the_command_makes_a_page_and_folds_its_answers(params: Params, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["review", "--samples", "6"])
    main()
    assert "data/review/page.html: 6 samples" in capsys.readouterr().out
    ids = re.findall(r'data-id="([^"]*)" data-digest="(\w+)"', Path("data/review/page.html").read_text(encoding="utf-8"))
    rows = [{"query_id": one, "digest": digest, "verdict": "accept", "reason": None, "later": None} for one, digest in ids if "&" not in one]
    Path("ann.json").write_text(json.dumps({"page": "0", "reviewer": "ann", "answers": rows}), encoding="utf-8")
    monkeypatch.setattr("sys.argv", ["review", "--fold", "ann.json"])
    main()
    figures = json.loads(Path("metrics/review.json").read_text(encoding="utf-8"))
    accepted = {row.query_id for row in read_table("data/verified/accepted", Query)}
    assert figures["precision"]["n"] == len(accepted & {row["query_id"] for row in rows}) and figures["agreement"] == {}


@pytest.mark.parametrize("arguments", [["--samples", "0"], ["--against", "1.5"], ["--picture-px", "3"]])
def test_an_argument_out_of_range_is_named(arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["review", *arguments])
    with pytest.raises(SystemExit):
        main()
    assert arguments[0] in capsys.readouterr().err


def test_nothing_verified_is_said_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    write_tables()
    write_params(tmp_path, {"judges": ["evidence"]})
    monkeypatch.setattr("sys.argv", ["review"])
    with pytest.raises(SystemExit):
        main()
    assert "data/verified/accepted: run the stage that writes it" in capsys.readouterr().err
