"""What readers ask of a file: bytes, once, from start to end. Opening it is an adapter's business."""

from __future__ import annotations

from typing import Protocol


class Readable(Protocol):
    """A source of bytes."""

    def read(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes, all that are left if it is negative, and none at the end."""
        ...


class Rejoined:
    """A source whose first bytes were read already, to tell its form, and that is read again whole."""

    closed = False

    def __init__(self, head: bytes, rest: Readable) -> None:
        self._head = head
        self._rest = rest

    def read(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes."""
        if size < 0:
            head, self._head = self._head, b""
            return head + self._rest.read(size)
        if not self._head:
            return self._rest.read(size)
        head, self._head = self._head[:size], self._head[size:]
        return head

    def close(self) -> None:
        """Leave the rest to whoever opened it."""
