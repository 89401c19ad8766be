"""The form of a node file, and its parts: first row, delimiter, chunks of whole lines, cells of a column.

What whole files of every form hold is checked in test_node_files.py and test_node_rows.py.
"""

import io
import json
from collections.abc import Iterator
from ipaddress import IPv6Address, ip_address
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.collect import node_forms
from concentra.collect.address_forms import bare_address
from concentra.collect.errors import NoAddressColumn, NoColumns
from concentra.collect.node_forms import (
    ADDRESS_COLUMNS,
    FOREIGN,
    MAX_ROW_BYTES,
    CsvCells,
    Form,
    NodeFile,
    detect,
    is_address,
    nodes_json,
    read_full,
    whole_lines,
)
from concentra.errors import UnreadableFile

V4, V6 = "192.0.2.1", "2001:db8::1"


class Trickle:
    """A stream that gives a few bytes at a time, as a pipe may."""

    def __init__(self, data: bytes, step: int) -> None:
        self._source = io.BytesIO(data)
        self._step = step

    def read(self, size: int = -1, /) -> bytes:
        return self._source.read() if size < 0 else self._source.read(min(size, self._step))


def detected(data: str | bytes, *, column: str | None = None) -> NodeFile:
    encoded = data.encode() if isinstance(data, str) else data
    return detect(io.BytesIO(encoded), "nodes", column=column)


def cells(data: str) -> tuple[CsvCells, list[str]]:
    read = CsvCells(detected(data))
    texts = [bytes(buffer[start:end]).decode() for buffer, bounds in read for start, end in pairwise(bounds)]
    return read, texts


# The form


@pytest.mark.parametrize(
    ("data", "column", "form"),
    [
        pytest.param("", None, Form.LINES, id="nothing"),
        pytest.param(V4, None, Form.LINES, id="address"),
        pytest.param(f"[{V6}]:30303\n", None, Form.LINES, id="bracket"),
        pytest.param("node.example\n", None, Form.LINES, id="a-name"),
        pytest.param("\n# ip,org\n\nenr:x,y\n", None, Form.LINES, id="comment-and-record"),
        pytest.param(f"{V4}\n", "1", Form.CSV, id="column-was-named"),
        pytest.param("ip\n", None, Form.CSV, id="header-of-one-column"),
        pytest.param("IP\n", None, Form.CSV, id="capital-header"),
        pytest.param("country,ip\n", None, Form.CSV, id="comma"),
        pytest.param("country;ip\n", None, Form.CSV, id="semicolon"),
        pytest.param("country\tip\n", None, Form.CSV, id="tab"),
        pytest.param(f"[{V6}]:1,x\n", None, Form.CSV, id="bracket-in-a-csv"),
        pytest.param('\ufeff\n {"a": {}}', None, Form.NODES_JSON, id="object"),
    ],
)
def test_the_form_shows_in_the_first_row(data: str, column: str | None, form: Form) -> None:
    assert detected(data, column=column).form is form


@pytest.mark.parametrize("name", ADDRESS_COLUMNS)
def test_a_known_name_alone_is_a_header(name: str) -> None:
    assert detected(f"{name}\n{V4}\n").form is Form.CSV


@pytest.mark.parametrize(
    ("row", "delimiter"),
    [("a,ip;b", ","), ("a;ip;b,c", ";"), ("a\tip\tb;c", "\t"), ("ip", ",")],
    ids=["tie", "semicolons", "tabs", "none"],
)
def test_the_delimiter_is_the_one_met_most(row: str, delimiter: str) -> None:
    assert detected(f"{row}\n", column="1").delimiter == delimiter


@pytest.mark.parametrize("magic", list(FOREIGN), ids=[name.replace(" ", "-") for name in FOREIGN.values()])
def test_what_is_no_text_is_refused_by_its_first_bytes(magic: bytes) -> None:
    with pytest.raises(UnreadableFile, match=FOREIGN[magic]) as caught:
        detected(magic + b"192.0.2.1\n")
    assert caught.value.hint is not None


def test_an_array_is_refused_and_json_has_no_columns() -> None:
    with pytest.raises(UnreadableFile, match="JSON array"):
        detected('[{"record": "enr:x"}]')
    with pytest.raises(NoColumns):
        detected("{}", column="ip")


def test_comments_longer_than_a_chunk_hide_the_form_and_lines_are_assumed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(node_forms, "CHUNK_BYTES", 100)
    assert detected("#" * 90 + "\nip,org\n").form is Form.CSV
    assert detected("#" * 101 + "\nip,org\n").form is Form.LINES


# Addresses in cells


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (V4, V4),
        (f"{V4}:0", V4),
        (f"{V4}:30303", V4),
        (V6, V6),
        (f"[{V6}]", V6),
        (f"[{V6}]:30303", V6),
        (f"[{V4}]:1", V4),
        (f"::ffff:{V4}", f"::ffff:{V4}"),
    ],
)
def test_an_address_with_or_without_a_port(text: str, address: str) -> None:
    assert bare_address(text) == ip_address(address)
    assert is_address(text)
    assert is_address(f' "{text}" ')


@pytest.mark.parametrize(
    "text",
    [
        "",
        "node.example",
        "192.0.2",
        "192.0.2.01",
        "192.0.2.256",
        "192.0.2.0/24",
        f"{V4}:",
        f"{V4}:eth",
        f"{V4}:-1",
        f"{V4}:30303:1",
        f"[{V6}",
        f"{V6}]",
        f"[{V6}]30303",
        f"[{V6}]:",
        f"[{V6}]:eth",
        "[]",
        "[]:1",
        f" {V4}",
    ],
)
def test_what_is_no_address(text: str) -> None:
    assert bare_address(text) is None


def test_a_cell_may_hold_a_url_or_a_record() -> None:
    assert is_address('"enode://x"')
    assert is_address("enr:x")
    assert not is_address("http://x")


@given(st.integers(0, 2**128 - 1).map(IPv6Address), st.integers(0, 65535))
def test_every_ipv6_address_is_read_with_and_without_its_port(address: IPv6Address, port: int) -> None:
    assert bare_address(str(address)) == bare_address(f"[{address}]:{port}") == address


# Bytes


@given(st.binary(max_size=60), st.integers(0, 80), st.integers(1, 20))
def test_a_full_read_is_short_at_the_end_only(data: bytes, size: int, step: int) -> None:
    stream = Trickle(data, step)
    assert read_full(stream, size) == data[:size]
    assert stream.read() == data[size:]


texts = st.text(st.sampled_from("ab\n\r "), max_size=300).map(str.encode)


@given(texts, st.integers(1, 40), st.integers(1, 40))
def test_chunks_end_with_a_line_end_and_together_are_the_file(data: bytes, chunk: int, step: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(node_forms, "CHUNK_BYTES", chunk)
        file = detect(Trickle(data, step), "nodes")
        chunks = list(whole_lines(file))
    assert all(part.endswith(b"\n") for part in chunks)
    assert b"".join(chunks) == (data if data.endswith(b"\n") or not data else data + b"\n")


@pytest.mark.parametrize("mark", [b"x", b"#"], ids=["row", "comment"])
def test_of_a_line_without_end_no_more_is_kept_than_tells_that_it_is_too_long(
    mark: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node_forms, "CHUNK_BYTES", 2 * MAX_ROW_BYTES)
    lines = b"".join(whole_lines(detected(b"192.0.2.1\n" + mark * (20 * MAX_ROW_BYTES) + b"\n192.0.2.2\n")))
    first, long, last = lines.splitlines()
    assert (first, last) == (b"192.0.2.1", b"192.0.2.2")
    assert MAX_ROW_BYTES < len(long) <= 3 * MAX_ROW_BYTES
    assert long.startswith(mark)


# Cells of a CSV


def test_cells_of_the_column_and_its_name() -> None:
    read, texts = cells(f'org, "ip" \n"a, b",{V4}\nc,\n')
    assert (read.column, texts) == ("ip", [V4, ""])
    read, texts = cells(f"a,{V4}\n")
    assert (read.column, texts) == ("2", [V4])


def test_rows_of_another_number_of_columns_are_counted_and_told_with_their_number() -> None:
    told: list[tuple[int, str]] = []
    file = detected(f"ip,org\n{V4},a\n\nb\n{V4},c,d\n{V4},e\nf\n")
    read = CsvCells(file, refused=lambda number, text: told.append((number, text)))
    assert sum(len(bounds) - 1 for _, bounds in read) == 2
    assert read.ragged == 3
    assert told == [(2, "b"), (3, f"{V4},c,d"), (5, "f")]


def test_lines_within_a_quoted_cell_are_counted() -> None:
    read, texts = cells(f'ip,org\n{V4},"a\nb\nc"\n{V4},d\n')
    assert (texts, read.ragged, read.swallowed) == ([V4, V4], 0, 2)


def chunked(data: str, chunk: int) -> Iterator[int]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(node_forms, "CHUNK_BYTES", chunk)
        for _, bounds in CsvCells(detected(data)):
            yield len(bounds) - 1


def test_cells_come_chunk_by_chunk() -> None:
    counts = list(chunked("ip,org\n" + f"{V4},x\n" * 1000, 400))
    assert sum(counts) == 1000
    assert max(counts) <= 2 * 400 // len(f"{V4},x\n")


def test_a_column_that_cannot_be_told_is_named_with_those_that_there_are() -> None:
    with pytest.raises(NoAddressColumn, match="country, port") as caught:
        CsvCells(detected("country,port\nDE,1\n"))
    assert caught.value.columns == ("country", "port")


# geth's nodes.json


def test_records_in_their_order_and_keys_given_again() -> None:
    entry = json.dumps({"record": "enr:x"})
    found = nodes_json(detected(f'{{"a": {entry}, "b": {{}}, "a": {entry}, "c": {{"record": "x"}}}}'))
    assert (found.records, found.repeated) == (("enr:x", None, None), 1)


def test_json_of_another_form_is_refused() -> None:
    for data, found in (('{"a": 1}', "an object of objects"), ('{"a": {}}', "no entry"), ("{", "not JSON")):
        with pytest.raises(UnreadableFile, match=found):
            nodes_json(detected(data))
    assert nodes_json(detected("{}")).records == ()
