"""The repository keeps what it promises about itself: CI, pages and their links, licences of what it installs."""

from __future__ import annotations

import re
import subprocess

import pytest
import yaml

from tests.import_closure import ROOT
from tests.third_party import PAGE, licence, note, pinned, plain

WORKFLOW = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
LISTED = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
PAGES = [ROOT / name for name in LISTED.splitlines() if (ROOT / name).is_file()]


def _commands(job: str) -> list[str]:
    return [step["run"] for step in WORKFLOW["jobs"][job]["steps"] if "run" in step]


def test_the_workflow_runs_what_ci_runs_and_the_style_first() -> None:
    assert _commands("test") == ["make check", ".ci/run"]
    script = [line for line in (ROOT / ".ci/run").read_text(encoding="utf-8").splitlines() if line.startswith("make ")]
    assert script == ["make test", "make test-ops"]


@pytest.mark.parametrize("target", sorted({*re.findall(r"make ([a-z-]+)", (ROOT / ".ci/run").read_text(encoding="utf-8")), "check", "audit", "repro"}))
def test_what_ci_and_the_readme_call_is_a_target_of_the_makefile(target: str) -> None:
    assert re.search(rf"^{target}:", MAKEFILE, re.M)
    done = subprocess.run(["make", "--dry-run", "--assume-old=.venv/installed", target], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_of_a_page_lead_somewhere(page) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.S)
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if not target.startswith(("http://", "https://", "mailto:")):
            assert (page.parent / target).exists(), f"{target} in {page.relative_to(ROOT)}"
    for target, anchor in re.findall(r"\]\(([^)#\s]*\.md)?#([^)\s]+)\)", text):
        linked = (page.parent / target if target else page).read_text(encoding="utf-8")
        titles = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^#+ (.+)$", linked, re.M)}
        assert anchor in titles, f"#{anchor} in {page.relative_to(ROOT)}"


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_modules_that_a_page_calls_exist(page: str) -> None:
    for module in set(re.findall(r"python -m ((?:stages|tests)[\w.]*)", (ROOT / page).read_text(encoding="utf-8"))):
        path = ROOT.joinpath(*module.split("."))
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), module


def test_every_direct_requirement_is_pinned_and_stands_in_the_list_with_its_licence() -> None:
    from importlib.metadata import distribution

    listed = {name: (version, words) for name, version, words in re.findall(r"^\| (\S+) \| (\S+) \| (.*) \|$", PAGE.read_text(encoding="utf-8"), re.M)}
    for requirement in pinned():
        (specifier,) = requirement.specifier
        assert specifier.operator == "=="
        version, words = listed[plain(requirement.name)]
        assert version == specifier.version, f"{requirement.name}: run python -m tests.third_party"
        found = distribution(requirement.name)
        assert found.version != version or licence(found).replace("|", "or") == words


def test_no_licence_is_unknown_and_what_asks_more_is_named() -> None:
    text = PAGE.read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\S+) \| \S+ \| (.*) \|$", text.split("| --- | --- | --- |")[1], re.M)
    assert len(rows) > 100
    assert [name for name, words in rows if not words.strip() or "UNKNOWN" in words] == []
    told = text.split("| package |")[0]
    assert [name for name, words in rows if note(words) and not re.search(rf"[ ,]{re.escape(name)}[ ,]", told)] == []


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("MIT", ""),
        ("GPL-3.0-only", "copyleft"),
        ("MPL-2.0", "copyleft by file"),
        ("CC-BY-NC-4.0", "no commercial use"),
        ("Apache-2.0 OR GPL-2.0-or-later", "copyleft, one of several to choose from"),
    ],
)
def test_a_licence_that_asks_more_is_told_apart(words: str, expected: str) -> None:
    assert note(words) == expected
