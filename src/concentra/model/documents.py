"""Frozen values → plain documents, for the formats that files are written in."""

from __future__ import annotations

from datetime import date

import msgspec
import tomli_w


def toml_text(value: object) -> str:
    """Return a frozen value as TOML; fields that are None or empty are left out, and read back as such."""
    document = _filled(msgspec.to_builtins(value, builtin_types=(date,)))
    if not isinstance(document, dict):
        raise TypeError(f"TOML holds tables, got {type(value).__name__}")
    return tomli_w.dumps(document)


def _filled(value: object) -> object:
    if isinstance(value, dict):
        return {key: _filled(entry) for key, entry in value.items() if entry not in (None, {}, [], ())}
    if isinstance(value, list | tuple):
        return [_filled(entry) for entry in value]
    return value
