"""Faults of single items. Inside ingest they are raised; at its edge they become ``ItemError`` values."""

from __future__ import annotations

from stages.core.records import ItemError

STAGE = "ingest"


class Fault(Exception):
    """An item that must not be used: ``kind`` is a short code, ``file`` relative to the root, ``cause`` in words."""

    def __init__(self, kind: str, file: str, cause: str) -> None:
        super().__init__(kind, file, cause)  # all three as args, so that a fault passes between processes
        self.kind, self.file, self.cause = kind, file, cause

    def as_error(self, item_id: str) -> ItemError:
        """The fault as a row of the errors table."""
        return ItemError(item_id=item_id, stage=STAGE, kind=self.kind, file=self.file, cause=self.cause)
