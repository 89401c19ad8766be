"""Dotted quads in windows of 16 bytes → integers, all rows of a chunk at a time.

A quad is settled by where its dots stand: 81 patterns, found in a table. The number that ends at a byte
is computed for every byte of the text, thrice: of one, two and three digits. That is 48 sums a row of
which four are read, and still the cheapest way, since NumPy adds 32 bytes or more in one instruction and
takes one number at a time.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

WIDTH = 16
"""Bytes of a window: the longest quad has 15, and one more shows that a row is longer."""

_DIGITS = np.array([(0, 0, 0, 0), *product((1, 2, 3), repeat=4)], np.uint8)
"""How many digits the four numbers of each pattern have; pattern 0 is none."""

_STOPS = np.cumsum(_DIGITS + 1, axis=1)[1:] - 1
"""Where the dots of each pattern stand, and where its text ends."""

_PATTERN = np.zeros(1 << WIDTH, np.uint8)
"""The pattern of a set of stops, which is given as one bit for each."""
_PATTERN[(1 << _STOPS).sum(axis=1)] = np.arange(1, len(_DIGITS))

_LEAST = np.array([0, 0, 10, 100], np.uint8)[_DIGITS].view(np.uint32).ravel()
"""The four least numbers without leading zeros, in one word so that they are taken at once."""

_FOUR_TRUE = np.uint32(0x01010101)


class DottedQuads:
    """Parses chunks of up to `rows` rows, with arrays that are allocated once."""

    def __init__(self, rows: int) -> None:
        size = rows * WIDTH
        self._sums = np.zeros((3, size), np.uint8)
        """The number of one, two and three digits that ends at each byte."""
        self._digit = np.empty(size, np.uint8)
        self._holds = np.empty(size, np.bool_)
        last = np.zeros((len(_DIGITS), 4), np.intp)
        last[1:] = _STOPS - 1 + (_DIGITS[1:].astype(np.intp) - 1) * size
        self._last = last
        """Where in `_sums` the four numbers of each pattern are, for the first row of the chunk."""
        self._row = np.repeat(np.arange(rows, dtype=np.intp) * WIDTH, 4).reshape(rows, 4)
        self._at = np.empty((rows, 4), np.intp)
        self._octets = np.empty((rows, 4), np.uint8)

    def parse(
        self, text: NDArray[np.uint8], length: NDArray[np.int64]
    ) -> tuple[NDArray[np.uint32], NDArray[np.bool_]]:
        """Return the value of each row that is a dotted quad, and which rows are.

        Parameters
        ----------
        text : uint8, shape (n_rows * 16,)
            The first 16 bytes of each row, and whatever follows a shorter one.
        length : int64, shape (n_rows,)
            Length of each row; 16 for all that are longer.
        """
        rows = len(length)
        dots, digits = self._scan(text)
        stop = np.left_shift(1, length.astype(np.uint16), dtype=np.uint16)  # none where the length is 16
        inside = stop - np.uint16(1)
        pattern = _PATTERN.take((dots & inside | stop).astype(np.intp), mode="clip")
        valid: NDArray[np.bool_] = (pattern > 0) & ((dots | digits) & inside == inside) & (length < WIDTH)

        at = self._last.take(pattern.astype(np.intp), axis=0, out=self._at[:rows], mode="clip")
        at += self._row[:rows]
        octets = self._sums.reshape(-1).take(at, out=self._octets[:rows], mode="clip")
        least = _LEAST.take(pattern.astype(np.intp), mode="clip").view(np.uint8)
        valid &= (octets.reshape(-1) >= least).view(np.uint32) == _FOUR_TRUE
        return octets.view(">u4").ravel().astype(np.uint32), valid

    def _scan(self, text: NDArray[np.uint8]) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
        """Fill `_sums` and return which bytes of each row are dots and which digits, the first in bit 0.

        Sums wrap at 256. Of the wrong ones, 256 to 299 become less than 100, as do those with a leading
        zero, and give themselves away; to catch 300 to 999, a first digit above 2 counts nothing.
        """
        size = len(text)
        one, two, three = self._sums[:, :size]
        digit, holds = self._digit[:size], self._holds[:size]
        np.equal(text, ord("."), out=holds)
        dots = np.packbits(holds, bitorder="little").view("<u2")
        np.subtract(text, ord("0"), out=one)  # wraps below "0", so one test does
        np.less_equal(one, 9, out=holds)
        digits = np.packbits(holds, bitorder="little").view("<u2")
        np.multiply(one, 10, out=digit)
        np.add(one[1:], digit[:-1], out=two[1:])
        np.less_equal(one, 2, out=holds)
        np.multiply(one, holds.view(np.uint8), out=digit)
        np.multiply(digit, 100, out=digit)
        np.add(two[2:], digit[:-2], out=three[2:])
        return dots, digits
