from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.collect import imports
from concentra.collect.imports import (
    SEEN_AGAIN,
    TOO_LONG,
    ImportTally,
    bounded_lines,
    client_name,
    endpoint_id,
    imported_row,
    newest_of_each,
)
from concentra.errors import UnreadableFile
from concentra.model.crawl import CrawlSource, NodeRow, Outcome

NOON = datetime(2025, 11, 22, 12, tzinfo=UTC)


def row(number: int, *, hours: int = 0, seq: int | None = None, client: str | None = None) -> NodeRow:
    seen = NOON + timedelta(hours=hours)
    return imported_row(bytes([number]) * 32, first_seen=seen, last_seen=seen, seq=seq, client=client)


def test_a_row_is_an_import_that_nobody_asked_unless_its_file_says_more() -> None:
    made = row(1)
    assert (made.source, made.outcome, made.told, made.announcers) == (
        CrawlSource.IMPORT,
        Outcome.NOT_ASKED,
        0,
        0,
    )


def test_addresses_have_ids_that_are_theirs() -> None:
    ids = {endpoint_id(address) for address in ("192.0.2.1", "192.0.2.2", "2001:db8::1")}
    assert len(ids) == 3
    assert {len(one) for one in ids} == {32}


# Of a node that comes again


def test_the_newest_row_of_a_node_counts_and_the_others_are_counted() -> None:
    tally = ImportTally()
    rows = [row(1, hours=1, client="b"), row(2), row(1, hours=0, client="a"), row(1, hours=2, client="c")]
    kept = newest_of_each(rows, "file", tally)
    assert [(one.node_id[0], one.client) for one in kept] == [(1, "c"), (2, None)]
    assert tally.dropped == {SEEN_AGAIN: 2}


def test_of_rows_equally_new_the_higher_sequence_number_counts_then_the_later_row() -> None:
    kept = newest_of_each([row(1, seq=5, client="a"), row(1, seq=4, client="b")], "file", ImportTally())
    assert kept[0].client == "a"
    kept = newest_of_each([row(1, seq=4, client="a"), row(1, seq=4, client="b")], "file", ImportTally())
    assert kept[0].client == "b"


def test_more_nodes_than_any_network_has_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "MAX_NODES", 2)
    assert len(newest_of_each([row(1), row(2), row(1)], "file", ImportTally())) == 2
    with pytest.raises(UnreadableFile, match=r"^file: more than 2 nodes"):
        newest_of_each([row(1), row(2), row(3)], "file", ImportTally())


# Names


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Geth/v1.16.7", "Geth/v1.16.7"),
        ("  teku \n", "teku"),
        ("\x1b[31mred\u202e\u200b", "[31mred"),
        ("\ud800lone", "lone"),
        ("n" * 5000, "n" * 256),
        ("\x00" * 5000, None),
        ("", None),
        (None, None),
        (["Geth"], None),
    ],
    ids=["plain", "white-space", "escapes", "surrogate", "long", "control", "empty", "none", "list"],
)
def test_a_client_is_short_and_printable(text: object, name: str | None) -> None:
    assert client_name(text) == name


@given(st.text(max_size=300))
def test_a_client_can_always_be_written_in_utf_8(text: str) -> None:
    name = client_name(text)
    assert name is None or (name.isprintable() and 0 < len(name) <= 256 and name.encode())


# Lines


class Trickle:
    """Hands out a few bytes at a time."""

    def __init__(self, data: bytes, step: int) -> None:
        self._data = io.BytesIO(data)
        self._step = step

    def read(self, size: int = -1, /) -> bytes:
        return self._data.read(self._step if size < 0 else min(self._step, size))


@given(
    st.lists(st.sampled_from([b"a", b"bb", b"", b"  ", b"x" * 9, b"y" * 11, b"z" * 40, b"c\r"]), max_size=12),
    st.integers(1, 60),
    st.booleans(),
)
def test_lines_come_whole_however_they_are_read_and_long_ones_are_counted(
    lines: list[bytes], step: int, ended: bool
) -> None:
    data = b"\n".join(lines) + (b"\n" if ended else b"")
    tally = ImportTally()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(imports, "MAX_LINE_BYTES", 10)
        found = list(bounded_lines(Trickle(data, step), tally))
    assert found == [line.rstrip(b"\r") for line in lines if line.strip() and len(line) <= 10]
    assert tally.dropped[TOO_LONG] == tally.read == sum(len(line) > 10 for line in lines)


def test_a_line_without_end_is_read_in_bounded_memory() -> None:
    most = 0

    class Endless:
        left = 64 * 1024 * 1024

        def read(self, size: int = -1, /) -> bytes:
            nonlocal most
            most = max(most, size)
            given = min(size, self.left)
            self.left -= given
            return b"x" * given

    tally = ImportTally()
    assert list(bounded_lines(Endless(), tally)) == []
    assert tally.dropped == {TOO_LONG: 1}
    assert most <= 1024 * 1024
