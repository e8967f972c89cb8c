"""The user's words of families that answer a plain instruction."""

from __future__ import annotations


def one_line(expression: str) -> str:
    """A referring expression on one line without a final mark, to stand inside a sentence."""
    return " ".join(expression.split()).rstrip(" .?!")


def locate_in_json(expression: str) -> str:
    """Ask for JSON; an empty list when the picture does not show it."""
    return f"Locate {one_line(expression)}, output the bbox coordinates in JSON format. If there is none, output []."
