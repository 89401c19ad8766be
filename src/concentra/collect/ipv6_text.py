"""IPv6 addresses in windows of 40 bytes → 16 bytes each, all rows of a chunk at a time.

Which bytes are colons is kept as 40 bits of one word a row, so what makes an address well formed is
arithmetic on a few words, and its groups are walked through from the lowest set bit up.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

WIDTH = 40
"""Bytes of a window: the longest address in hexadecimal has 39, and no 40 bytes are well formed."""

_PACKED = WIDTH // 8
_GROUPS = 8
_LONGEST_GROUP = 4

Bits = NDArray[np.int64]
"""One word a row, bit 0 for its first byte."""


class ColonGroups:
    """Parses chunks of up to `rows` rows, with arrays that are allocated once."""

    def __init__(self, rows: int) -> None:
        size = rows * WIDTH
        self._byte = np.empty((2, size), np.uint8)
        self._holds = np.empty((2, size), np.bool_)
        self._packed = np.zeros(rows * _PACKED + 8, np.uint8)
        self._words = np.ndarray((rows,), "<i8", self._packed, strides=(_PACKED,))
        self._number = np.zeros((2, size + _LONGEST_GROUP), np.uint16)
        """The number of four digits that ends before each byte, and room to compute it."""
        self._row = np.arange(rows, dtype=np.intp) * WIDTH + _LONGEST_GROUP - 1

    def parse(
        self, text: NDArray[np.uint8], length: NDArray[np.int64], *, colons: int
    ) -> tuple[NDArray[np.bytes_], NDArray[np.bool_]]:
        """Return the 16 bytes of each row that is an address with up to `colons` colons, and which rows are.

        Parameters
        ----------
        text : uint8, shape (n_rows * 40,)
            The first 40 bytes of each row, and whatever follows a shorter one.
        length : int64, shape (n_rows,)
            Length of each row; 40 for all that are longer.
        colons : int
            7, or 8 to accept a ``::`` that stands for one group at an end.
        """
        stop: Bits = np.left_shift(1, length)
        colon, digit = self._scan(text, stop - 1)
        last = stop >> 1
        gap = colon & (colon >> 1)
        hole = gap << 1  # the second colon ends the empty group that stands for all that are left out
        ends = colon ^ (gap & 1) | stop ^ ((hole & last) << 1)  # outside a gap at either end is no group
        found = np.bitwise_count(ends)
        has_gap = gap != 0
        valid: NDArray[np.bool_] = np.equal(colon | digit, stop - 1)
        valid &= gap & (gap - 1) == 0
        valid &= colon & ~(gap | hole) & (last | 1) == 0  # a colon at either end is half of a gap
        valid &= np.bitwise_count(colon) <= colons
        valid &= (found == _GROUPS) | (has_gap & (found < _GROUPS))
        valid &= ~_has_run(digit)
        before = np.bitwise_count(ends & (hole - 1))
        more = (_GROUPS - found) * has_gap
        return self._fill(ends, begin=(gap & 1).astype(np.uint8), before=before, more=more), valid

    def _scan(self, text: NDArray[np.uint8], inside: Bits) -> tuple[Bits, Bits]:
        """Compute `_number` and return which bytes `inside` each row are colons and hexadecimal digits."""
        size = len(text)
        byte, nibble = self._byte[:, :size]
        holds, letter = self._holds[:, :size]
        colon = self._bits(np.equal(text, ord(":"), out=holds), inside)
        np.bitwise_or(text, ord("a") ^ ord("A"), out=byte)
        np.subtract(byte, ord("a"), out=byte)  # wraps below "a", so one test does
        np.less_equal(byte, 5, out=letter)
        np.subtract(text, ord("0"), out=byte)
        np.less_equal(byte, 9, out=holds)
        digit = self._bits(np.bitwise_or(holds, letter, out=holds), inside)

        np.bitwise_and(text, 15, out=nibble)
        np.multiply(letter.view(np.uint8), 9, out=byte)  # "a" is 0x61 and means 10
        np.add(nibble, byte, out=nibble)
        np.multiply(nibble, 16, out=byte)
        np.add(nibble[1:], byte[:-1], out=nibble[1:])  # from here on two digits
        number, shifted = self._number[:, _LONGEST_GROUP : _LONGEST_GROUP + size]
        np.copyto(number, nibble)
        np.multiply(number, 256, out=shifted)
        np.add(number[2:], shifted[:-2], out=number[2:])
        return colon, digit

    def _bits(self, holds: NDArray[np.bool_], inside: Bits) -> Bits:
        rows = len(inside)
        self._packed[: rows * _PACKED] = np.packbits(holds, bitorder="little")
        bits: Bits = self._words[:rows] & inside  # the words overlap by three bytes
        return bits

    def _fill(
        self,
        ends: Bits,
        *,
        begin: NDArray[np.uint8],
        before: NDArray[np.uint8],
        more: NDArray[np.uint8],
    ) -> NDArray[np.bytes_]:
        """Return the addresses whose groups start at `begin` and stop at `ends`, which is used up.

        The group that follows `before` others is empty and is read `more` times again.
        """
        rows = len(ends)
        values = np.empty(rows, "S16")
        groups = values.view(">u2").reshape(rows, _GROUPS)
        row = self._row[:rows]
        low, below = np.empty_like(ends), np.empty_like(ends)
        end = np.empty(rows, np.uint8)
        at = np.empty(rows, np.intp)
        number, mask = np.empty((2, rows), np.uint16)
        for group in range(_GROUPS):
            np.negative(ends, out=low)
            np.bitwise_and(low, ends, out=low)
            np.subtract(low, 1, out=below)
            np.bitwise_count(below, out=end)
            np.add(row, end, out=at)
            self._number[0].take(at, out=number, mode="clip")
            np.left_shift(1, (end - begin) * 4, out=mask, dtype=np.uint16)  # 0 for four digits
            np.subtract(mask, 1, out=mask)
            np.bitwise_and(number, mask, out=groups[:, group])
            done = group - before >= more
            begin = end + done
            np.multiply(low, done, out=low)
            np.bitwise_xor(ends, low, out=ends)
        return values


def _has_run(digit: Bits) -> NDArray[np.bool_]:
    """Return which rows have more than four digits in a row."""
    two = digit & (digit >> 1)
    four = two & (two >> 2)
    longer: NDArray[np.bool_] = np.not_equal(four & (digit >> _LONGEST_GROUP), 0)
    return longer
