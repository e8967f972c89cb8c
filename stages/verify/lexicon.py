"""Words of referring expressions, each with a class of one character that the grammar's patterns are written in.

The vocabulary comes from stages/knowledge (labels, shapes, modality words, priors) and from ``lexicon.yaml`` beside
this file (free English). Phrases are matched by spaCy's PhraseMatcher over plain tokens, longest first.
"""

from __future__ import annotations

import fnmatch
import functools
import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from stages.core.params import read_yaml
from stages.knowledge import words
from stages.knowledge.labels import Label, labels, members
from stages.knowledge.priors import leak_words, unsupported_words

# Class characters of lexicon.yaml's sections.
VALUED = {
    "side": "S", "vertical": "V", "superlative": "Z", "comparative": "z", "ordinal": "O", "ordinal_superlative": "Z",
    "number": "N", "sole": "n", "both": "b", "appearance": "B", "shape": "A", "relation": "R", "touch": "T", "at": "@",
    "unit": "U", "compare": "M", "organ_zone": "G",
}  # fmt: skip
VALUELESS = {
    "centre": "C", "corner": "K", "half": "h", "part": "H", "quadrant": "q", "zone": "w", "than": "t", "image": "I",
    "patient": "P", "half_body": "p", "edge": "D", "times": "x", "approx": "~", "one_of": "1", "from": "F",
    "of": "o", "in": "i", "and": "&", "all": "a", "filler": "_", "negation": "!", "with": "W", "between": "Y", "crossing": "c",
    "midline": "m", "possessive": "j", "unreadable": "?",
}  # fmt: skip
LABEL, FLAGGED, UNKNOWN, FILLER = "L", "X", "?", "_"
RADIOGRAPH = "radiograph_"
_SHORT_SIDES = {"left": ("l", "lt"), "right": ("r", "rt")}
_TOKEN = re.compile(r"\b[tcl]\d{1,2}w?\b|\d+(?:[.,]\d+)?|[^\W\d_]+|'s\b|[^\w\s]")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)?")
_SURROGATE = re.compile("[\ud800-\udfff]")  # half a character, which no encoding can hold
_SILENT = frozenset(".;:!?\"'()[]–—")


@dataclass(frozen=True)
class Word:
    """One matched phrase: class character, value, the text it was read from.

    ``plural`` is for labels: True, False, or None where the phrase does not tell.
    """

    tag: str
    value: str
    text: str
    plural: bool | None = None


@functools.lru_cache(maxsize=8192)
def normalise(text: str) -> str:
    """Lower case, one kind of apostrophe and dash, hyphens as spaces, single spaces."""
    text = unicodedata.normalize("NFKC", _SURROGATE.sub("\ufffd", text)).lower()
    text = re.sub("[\u2018\u2019\u02bc]", "'", text)
    text = text.replace("n't ", " not ").replace("cannot", "can not")
    text = re.sub(r"[-\u2010-\u2015\u2212_/]", " ", text)
    return " ".join(text.split())


def tokens_of(text: str) -> list[str]:
    """Tokens of a normalised text; punctuation that only separates is left out."""
    return [token for token in _TOKEN.findall(text) if token not in _SILENT]


@functools.cache
def _content() -> dict[str, Any]:
    return read_yaml(Path(__file__).parent / "lexicon.yaml", "it is part of this repository: restore it")


def _entries(radiograph: bool) -> Iterator[tuple[str, Word]]:
    """(phrase, word) pairs; of two entries of one phrase the first counts."""
    yield from _named()
    content = _content()
    prefixes = (RADIOGRAPH, "") if radiograph else ("",)
    for prefix in prefixes:
        for section, tag in VALUED.items():
            for value, phrases in content.get(prefix + section, {}).items():
                yield from ((phrase, Word(tag, value, phrase)) for phrase in phrases)
    for section, tag in VALUELESS.items():
        yield from ((phrase, Word(tag, "", phrase)) for phrase in content[section])


@functools.cache
def _named() -> tuple[tuple[str, Word], ...]:
    """Names of things and adjectives: the entries of every kind of picture."""
    return tuple(_name_entries())


def _name_entries() -> Iterator[tuple[str, Word]]:
    yield from _own_label_entries()
    yield from _label_entries()
    for noun, look in _content()["looks"].items():
        for phrase, plural in ((noun, False), (plural_of(noun), True)):
            yield phrase, Word("E", f"{look} {_any_of(_meant('@lesion'))}", phrase, plural)
    for word in [*unsupported_words(), *leak_words()]:
        yield word, Word(FLAGGED, word, word)
    yield from _adjective_entries()


def _own_label_entries() -> Iterator[tuple[str, Word]]:
    """Names of lexicon.yaml; one that means both halves of a pair also names each half with its side."""
    for name, listed in _content()["labels"].items():
        meant = [label for item in listed for label in _meant(item)] + [entry.name for entry in labels().values() if name in entry.names]
        for prefix, chosen in [("", meant), *_halves(meant)]:
            value = _any_of(chosen)
            yield from _spelled(prefix + name, Word(LABEL, value, name, False))
            yield from _spelled(prefix + plural_of(name), Word(LABEL, value, name, True))


def _halves(meant: list[str]) -> Iterator[tuple[str, list[str]]]:
    sided = {name: labels()[name].side for name in meant if name in labels()}
    if {"left", "right"} <= set(sided.values()):
        for side in ("left", "right"):
            yield f"{side} ", [name for name, own in sided.items() if own == side]


def _label_entries() -> Iterator[tuple[str, Word]]:
    """Names of the labels; a general one ("vertebra") stands for any label of its group, and is narrowed to those of the image."""
    for entry in labels().values():
        value = _any_of(members(entry.name))
        for number, name in enumerate(entry.names):
            yield from _spelled(name, Word(LABEL, value, name, False))
            yield from _spelled(entry.plural if number == 0 and entry.plural else plural_of(name), Word(LABEL, value, name, True))
    for pair, halves in pairs().items():
        plural = next(half.pair_plural for half in halves if half.pair_plural)
        value = _any_of(half.name for half in halves)
        yield from _spelled(pair, Word(LABEL, value, pair, False))
        yield from _spelled(plural, Word(LABEL, value, plural, True))


def _any_of(names: Iterable[str]) -> str:
    return "|".join(sorted(set(names)))


def _meant(item: str) -> list[str]:
    """Labels that an entry of lexicon.yaml means: one name, "@kind", or a name with ``*``."""
    if item.startswith("@"):
        return [entry.name for entry in labels().values() if entry.kind == item[1:]]
    return fnmatch.filter(labels(), item) if "*" in item else [item]


def _spelled(phrase: str, word: Word) -> Iterator[tuple[str, Word]]:
    """The phrase in its own spelling and, where they differ, in the American one; sides also abbreviated ("Lt kidney")."""
    yield phrase, word
    side, _, rest = phrase.partition(" ")
    for short in _SHORT_SIDES.get(side, ()) if rest else ():
        yield f"{short} {rest}", word
    american = phrase
    for ours, theirs in _content()["american"].items():
        american = american.replace(ours, theirs)
    if american != phrase:
        yield american, word


def pairs() -> dict[str, list[Label]]:
    """The two halves of every pair, by the pair's name."""
    found: dict[str, list[Label]] = {}
    for entry in labels().values():
        if entry.pair:
            found.setdefault(entry.pair, []).append(entry)
    return found


def _adjective_entries() -> Iterator[tuple[str, Word]]:
    for shape, adjectives in words.shapes().items():
        yield from ((adjective, Word("A", shape, adjective)) for adjective in adjectives)
    for entry in words.modalities().values():
        yield from ((phrase, Word("Z", "brightness:1", phrase)) for phrase in entry.brightest)
        yield from ((phrase, Word("Z", "brightness:-1", phrase)) for phrase in entry.darkest)
    for entry in words.modalities().values():
        yield from ((phrase, Word("B", "bright", phrase)) for phrase in entry.bright)
        yield from ((phrase, Word("B", "dark", phrase)) for phrase in entry.dark)
        yield entry.image, Word("I", "", entry.image)


def plural_of(name: str) -> str:
    """Plural of a noun phrase by the regular endings of English and Latin ones that medicine keeps; head noun last or before "of"."""
    head, of, rest = name.partition(" of ")
    return _plural_word(head) + of + rest


_LATIN = (("nucleus", "nuclei"), ("focus", "foci"), ("vertebra", "vertebrae"), ("bronchus", "bronchi"), ("thorax", "thoraces"), ("atrium", "atria"), ("calculus", "calculi"))


def _plural_word(name: str) -> str:
    for ending, plural in _LATIN:
        if name.endswith(ending):
            return name.removesuffix(ending) + plural
    if name.endswith("y") and name[-2] not in "aeiou":
        return name[:-1] + "ies"
    return name + ("es" if name.endswith(("s", "x", "ch", "sh")) else "s")


class Lexicon:
    """The phrase matcher of one kind of picture; make it once per process (``lexicon``).

    A phrase is handed to the matcher when a text first holds its first word, so that a short run does not pay for all.
    """

    def __init__(self, radiograph: bool) -> None:
        self._vocab, self._matcher = _blank_matcher()
        self._words: dict[str, Word] = {}
        self._waiting: dict[str, list[list[str]]] = {}
        self._sequence = frozenset(_content()["sequence"])
        for phrase, word in _entries(radiograph):
            tokens = tokens_of(normalise(phrase))
            key = " ".join(tokens)
            if key and key not in self._words:
                self._words[key] = word
                self._waiting.setdefault(tokens[0], []).append(tokens)

    def _doc(self, tokens: list[str]) -> Any:
        from spacy.tokens import Doc

        return Doc(self._vocab, words=tokens)

    def _expect(self, tokens: list[str]) -> None:
        """Hand over the phrases that begin with one of the tokens."""
        for token in self._waiting.keys() & set(tokens):
            for phrase in self._waiting.pop(token):
                self._matcher.add(" ".join(phrase), [self._doc(phrase)])

    def read(self, text: str) -> list[Word]:
        """The text as words, in order; a token that no phrase holds becomes an unknown word, a digit group a number."""
        every = tokens_of(normalise(text))
        tokens, weighting = [token for token in every if token not in self._sequence], [token for token in every if token in self._sequence]
        unknown = [Word(UNKNOWN, "", " ".join(weighting))] if weighting else []
        if not tokens:
            return unknown
        self._expect(tokens)
        best: dict[int, int] = {}
        for _, start, end in self._matcher(self._doc(tokens)):
            best[start] = max(best.get(start, 0), end)
        found, place = [], 0
        while place < len(tokens):
            end = best.get(place, place + 1)
            phrase = " ".join(tokens[place:end])
            found.append(self._word(phrase))
            place = end
        return found + unknown

    def _word(self, phrase: str) -> Word:
        if phrase in self._words:
            return replace(self._words[phrase], text=phrase)
        if phrase == ",":
            return Word(",", "", phrase)
        if _NUMBER.fullmatch(phrase):
            return Word("N", phrase.replace(",", "."), phrase)
        return Word(UNKNOWN, "", phrase)


def _blank_matcher() -> tuple[Any, Any]:
    """A vocabulary without weights and its phrase matcher.

    spaCy's layer for neural networks imports torch where it is installed, which takes seconds and serves no rule: while
    spaCy is imported, torch is out of its sight.
    """
    hidden = "torch" not in sys.modules
    if hidden:
        sys.modules["torch"] = None  # type: ignore[assignment]
    try:
        from spacy.matcher import PhraseMatcher
        from spacy.vocab import Vocab
    finally:
        if hidden:
            del sys.modules["torch"]
    vocab = Vocab()
    return vocab, PhraseMatcher(vocab)


@functools.cache
def lexicon(radiograph: bool) -> Lexicon:
    """The lexicon, built once per process. In a radiograph and a fundus photograph "superior" is up in the picture; in an axial slice it is not."""
    return Lexicon(radiograph)
