"""What keeps patients unknown: keyed hashes for everything that names one, and file names that do not travel.

A hash of a patient's number alone can be undone by hashing all numbers, so a secret goes in: HMAC-SHA256 (RFC 2104)
with the key of the environment variable ``MEDGROUND_PATIENT_KEY``. Without it a key that everybody can read here is
used: ids then stay the same on every machine, which public sets want, and hide nothing that is not public already.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from typing import Literal

from stages.core.params import ParamError

KEY_VARIABLE = "MEDGROUND_PATIENT_KEY"
# Known to everybody, on purpose.
PUBLIC_KEY = "medground: the public key, for sets that are published without identities"
# Shorter keys can be found by trying.
MIN_KEY_CHARACTERS = 16
_DIGITS = 16

KeyKind = Literal["public", "private"]


def key_kind() -> KeyKind:
    """Which key this process hashes with.

    Raises:
        ParamError: the variable is set, but to something too short to be a secret.
    """
    key = os.environ.get(KEY_VARIABLE)
    if key is None:
        return "public"
    if len(key) < MIN_KEY_CHARACTERS:
        raise ParamError(
            f"{KEY_VARIABLE} has {len(key)} characters, expected at least {MIN_KEY_CHARACTERS}: "
            "set a random secret (python -c 'import secrets; print(secrets.token_hex(32))'), or unset it for public sets"
        )
    return "private"


def keyed_hash(*parts: str) -> str:
    """16 hexadecimal digits of the HMAC-SHA256 of some texts; the same texts give the same digits under one key."""
    key = PUBLIC_KEY if key_kind() == "public" else os.environ[KEY_VARIABLE]
    return hmac.new(key.encode(), "\x1f".join(parts).encode(), hashlib.sha256).hexdigest()[:_DIGITS]


def alias_of(path: str) -> str:
    """A name for a file that does not show its own name or folder, which may be a patient's."""
    return f"file-{keyed_hash('path', path)}"


def require_private_key(dataset: str, remedy: str) -> None:
    """Stop before a source that may hold identities is hashed with the public key.

    Raises:
        ParamError: no private key is set.
    """
    if key_kind() == "public":
        raise ParamError(
            f"{dataset}: its files do not say that identities were removed, so its ids must be hashed with a key of your own: "
            f"set {KEY_VARIABLE} to a secret of {MIN_KEY_CHARACTERS} or more characters and keep it (the same key gives the same ids), {remedy}"
        )


def require_same_key(expected: KeyKind) -> None:
    """In a worker: stop rather than hash with another key than the run was started with.

    Raises:
        ParamError: the worker's environment lacks the key, or has one that the run has not.
    """
    if key_kind() != expected:
        raise ParamError(f"a worker hashes with the {key_kind()} key, the run with the {expected} one: pass {KEY_VARIABLE} to all workers")
