"""``python -m tests.third_party``: THIRD_PARTY.md, the licences of what requirements.txt installs, with all that it needs in turn.

Names, versions and licences come from the installed packages' own metadata; where that is silent or vague, LICENCES says
what the package's licence file says.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement

from tests.import_closure import ROOT

PAGE = ROOT / "THIRD_PARTY.md"
# Read in the packages' licence files; cuda-toolkit has none, and no code.
LICENCES = {
    "cuda-toolkit": "none stated (NVIDIA's meta-package, without files)",
    "huey": "MIT",
    "matplotlib": "Matplotlib licence (PSF-based)",
    "python-dateutil": "Apache-2.0 OR BSD-3-Clause",
    "skops": "MIT",
}
# What to look at before handing the installed packages on; using them to run the pipeline asks nothing.
KINDS = {
    r"\bL?GPL|GNU": "copyleft",
    r"\bMPL|Mozilla|\bEPL": "copyleft by file",
    r"NVIDIA|Proprietary": "proprietary, redistribution under NVIDIA's terms",
    r"NonCommercial|\bCC-BY-NC": "no commercial use",
}
VAGUE = {"", "OSI Approved", "Other/Proprietary License"}


def pinned(path: Path = ROOT / "requirements.txt") -> list[Requirement]:
    """The direct requirements, as written."""
    lines = (line.split("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith("-")]


def plain(name: str) -> str:
    """A package's name as the index compares names (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def closure(direct: list[Requirement]) -> Iterator[Distribution]:
    """Installed packages that the requirements need on this machine, themselves included, each once.

    Raises:
        PackageNotFoundError: one is not installed.
    """
    todo, done, given = list(direct), set(), set()
    while todo:
        wanted = todo.pop()
        key = (plain(wanted.name), frozenset(wanted.extras))
        if key in done:
            continue
        done.add(key)
        found = distribution(wanted.name)
        if key[0] not in given:
            given.add(key[0])
            yield found
        for text in found.requires or []:
            needed = Requirement(text)
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in {*wanted.extras, ""}):
                todo.append(needed)


def licence(found: Distribution) -> str:
    """Licence of a package: its SPDX expression, else a short licence field, else its classifiers."""
    known = LICENCES.get(plain(found.metadata["Name"]))
    lines = (found.metadata.get("License") or "").strip().splitlines()
    field = lines[0] if len(lines) == 1 else ""
    classes = [text.split(" :: ")[-1] for text in found.metadata.get_all("Classifier") or [] if text.startswith("License ::")]
    listed = " or ".join(sorted({text for text in classes if text not in VAGUE}))
    return known or found.metadata.get("License-Expression") or field or listed


def note(words: str) -> str:
    """What a licence asks beyond naming its authors; empty where nothing."""
    kinds = [kind for pattern, kind in KINDS.items() if re.search(pattern, words)]
    choice = ", one of several to choose from" if re.search(r"GPL.*(\bOR\b|\|)|(\bOR\b|\|).*GPL", words) else ""
    return ", ".join(kinds) + choice


def rows() -> list[tuple[str, str, str, str]]:
    """(name, version, licence, note) by name."""
    return sorted((plain(found.metadata["Name"]), found.version, licence(found), note(licence(found))) for found in closure(pinned()))


def page() -> str:
    """THIRD_PARTY.md."""
    found = rows()
    groups: dict[tuple[str, str], list[str]] = {}
    for name, _, words, kind in found:
        groups.setdefault((words, kind), []).append(name)
    special = [f"- {words}: {', '.join(names)} ({kind})" for (words, kind), names in groups.items() if kind]
    table = [f"| {name} | {version} | {words.replace('|', 'or')} |" for name, version, words, _ in found]
    return "\n".join(
        [
            "# Third-party packages",
            f"What `pip install -r requirements.txt` brings on x86-64 Linux with Python 3.11: {len(found)} packages. They are installed from the",
            "index, none is part of this repository. `python -m tests.third_party` writes this page from the installed packages' metadata.",
            "",
            "Licences that ask more than to name the authors, should you hand the installed packages on (an image, say):",
            "",
            *special,
            "",
            "| package | version | licence |",
            "| --- | --- | --- |",
            *table,
            "",
        ]
    )


def main() -> None:
    """Write the page."""
    argparse.ArgumentParser(prog="python -m tests.third_party", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    PAGE.write_text(page(), encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)}: {len(rows())} packages")


if __name__ == "__main__":
    main()
