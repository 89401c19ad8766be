"""Node files row by row: every row in its place, and the addresses or the reason that it holds."""

import io
import json
from collections.abc import Iterator
from ipaddress import ip_address

import pytest
from coincurve import PrivateKey
from hypothesis import example, given
from hypothesis import strategies as st

from concentra.collect import node_forms
from concentra.collect.address_forms import A_PREFIX, EMPTY_RECORD, NO_ADDRESS, IPAddress, addresses_in
from concentra.collect.errors import NoAddressColumn, NoColumns
from concentra.collect.node_files import read_node_file
from concentra.collect.node_forms import MAX_ROW_BYTES
from concentra.collect.node_rows import row_texts
from concentra.errors import UnreadableFile
from concentra.wire import enode, enr
from concentra.wire.enode import Enode
from concentra.wire.rlp import Item

V4, V6 = "192.0.2.1", "2001:db8::1"


def key(number: int) -> bytes:
    return number.to_bytes(32, "big")


def url(number: int, address: str = V4) -> str:
    point = PrivateKey(key(number)).public_key.format(compressed=False)[1:]
    return enode.to_url(Enode(public_key=point, address=ip_address(address), tcp=30303, udp=30303))


def record(number: int, *addresses: str) -> str:
    pairs: dict[bytes, Item] = {}
    for address in map(ip_address, addresses):
        pairs[b"ip" if address.version == 4 else b"ip6"] = address.packed
    return enr.to_text(enr.sign(key(number), seq=1, pairs=pairs))


def rows(data: str | bytes, *, column: str | None = None) -> list[str]:
    encoded = data.encode() if isinstance(data, str) else data
    return [text for texts in row_texts(io.BytesIO(encoded), "nodes", column=column) for text in texts]


# Rows


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        pytest.param("", [], id="empty"),
        pytest.param("\n\r\n \t\n", [], id="blank-lines-only"),
        pytest.param("# nothing\n  # here", [], id="comments-only"),
        pytest.param(f"{V4}\n{V6}", [V4, V6], id="no-final-newline"),
        pytest.param(f"\ufeff{V4}\r\n\r\n{V6}\r\n", [V4, V6], id="mark-and-carriage-returns"),
        pytest.param(f"{V4}\n# more\n\nnode\n{V4}\n", [V4, "node", V4], id="comments-blanks-and-a-name"),
        pytest.param(f' \'{V4}\' \n"{V6}"\n""\n', [V4, V6, ""], id="quotes"),
        pytest.param(f"{V4}\n\x1b[31m\n=cmd()\n", [V4, "\x1b[31m", "=cmd()"], id="as-they-are"),
        pytest.param(b"192.0.2.1\n\xff\n", [V4, "\N{REPLACEMENT CHARACTER}"], id="broken-utf-8"),
    ],
)
def test_every_line_that_is_neither_blank_nor_a_comment_is_a_row(
    data: str | bytes, wanted: list[str]
) -> None:
    assert rows(data) == wanted


@pytest.mark.parametrize(
    ("data", "column", "wanted"),
    [
        pytest.param(f"org,ip\na,{V4}\n\nb,{V6}\n", None, [V4, V6], id="found-by-its-name"),
        pytest.param(f"a,{V4}\nb,{V6}\n", None, [V4, V6], id="without-a-header"),
        pytest.param(f"x;y\n{V4};1\n{V6};2\n", "x", [V4, V6], id="named"),
        pytest.param(f"ip,x\n1,{V4}\n2,{V6}\n", "2", [V4, V6], id="by-number"),
        pytest.param(f'ip,org\n"{V4}","a, b"\n,c\n" {V6} ",d\n', None, [V4, "", V6], id="empty-cell"),
        pytest.param("ip,org\n", None, [], id="header-only"),
        pytest.param(
            f"ip,org\n{V4},a\n{V6}\n# no comment\n{V4},b,c\n{V6},d\n",
            None,
            [V4, V6, "# no comment", f"{V4},b,c", V6],
            id="rows-of-another-number-of-columns",
        ),
        pytest.param("ip,org\na\nb\n", None, ["a", "b"], id="no-row-like-the-header"),
    ],
)
def test_every_row_of_a_csv_has_its_place(data: str, column: str | None, wanted: list[str]) -> None:
    assert rows(data, column=column) == wanted


def test_every_entry_of_geth_s_file_has_its_place() -> None:
    entries = {"aa": {"record": record(1, V4)}, "bb": {"seq": 1}, "cc": {"record": record(2, V6)}}
    assert rows(json.dumps(entries)) == [record(1, V4), "", record(2, V6)]


def test_errors_are_those_of_the_file() -> None:
    with pytest.raises(NoAddressColumn):
        rows("country,port\nDE,1\n")
    with pytest.raises(NoAddressColumn):
        rows(f"ip,port\n{V4},1\n", column="adress")
    with pytest.raises(NoColumns):
        rows("{}", column="ip")
    with pytest.raises(UnreadableFile):
        rows("[1, 2]")


def test_a_row_is_cut_where_no_address_can_be() -> None:
    long = "x" * (3 * MAX_ROW_BYTES)
    assert [len(text) for text in rows(f"{V4}\n{long}\n{V6}\n")] == [len(V4), MAX_ROW_BYTES, len(V6)]
    assert [len(text) for text in rows(f"ip,x\n{V4},1\n{long}\n")] == [len(V4), MAX_ROW_BYTES]


class Endless:
    """A head, and a line again and again; remembers how much was read."""

    def __init__(self, head: bytes, line: bytes) -> None:
        self._left = head
        self._lines = line * 10_000
        self.given = 0

    def read(self, size: int = -1, /) -> bytes:
        assert size > 0, "all of it would be read"
        while len(self._left) < size:
            self._left += self._lines
        data, self._left = self._left[:size], self._left[size:]
        self.given += size
        return data


@pytest.mark.parametrize(
    ("head", "line", "ahead"),
    [
        pytest.param(b"", b"192.0.2.1\n", 3, id="lines"),
        pytest.param(b"ip,org\n", b"192.0.2.1,x\n", 64, id="csv"),  # Arrow reads some 40 blocks ahead
    ],
)
def test_rows_come_while_the_file_is_read(head: bytes, line: bytes, ahead: int) -> None:
    stream = Endless(head, line)
    texts: Iterator[list[str]] = row_texts(stream, "nodes")
    for number in range(1, 5):
        assert next(texts)[0].endswith(V4)
        assert stream.given <= (number + ahead) * node_forms.CHUNK_BYTES


# What is in a row


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (V4, [V4]),
        (f"{V4}:30303", [V4]),
        (V6, [V6]),
        (f"[{V6}]", [V6]),
        (f"[{V6}]:30303", [V6]),
        (url(1), [V4]),
        (url(1, V6), [V6]),
        (record(1, V4), [V4]),
        (record(1, V6), [V6]),
        (record(1, V4, V6), [V4, V6]),
        pytest.param(record(1, V4, f"::ffff:{V4}"), [V4], id="record-that-names-one-address-twice"),
        pytest.param(record(1, f"::ffff:{V4}"), [V4], id="record-of-a-mapped-address"),
        pytest.param(f"::ffff:{V4}", [V4], id="mapped-address"),
        pytest.param(f"[::ffff:{V4}]:30303", [V4], id="mapped-address-with-a-port"),
        pytest.param(f"{V6}%\x1b[31m", [V6], id="zone"),
        pytest.param("fe80::1%eth0", ["fe80::1"], id="link-local-zone"),
        pytest.param(url(1).replace("enode", "ENODE"), [V4], id="capital-enode"),
        pytest.param(record(1, V4).replace("enr:", "Enr:"), [V4], id="capital-enr"),
    ],
)
def test_addresses_of_a_row(text: str, wanted: list[str]) -> None:
    assert addresses_in(text) == tuple(map(ip_address, wanted))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", NO_ADDRESS),
        ("node.example", NO_ADDRESS),
        ("192.0.2.0/24", A_PREFIX),
        (f"{V4}/16", A_PREFIX),
        ("2001:db8::/32", A_PREFIX),
        ("192.0.2.0/33", NO_ADDRESS),
        ("192.0.2.0/24:30303", NO_ADDRESS),
        ("node.example:30303", NO_ADDRESS),
        ("192.0.2.010", NO_ADDRESS),
        (f"{V4}:port", NO_ADDRESS),
        ("enode://", "public key has 0 characters, wanted 128 hex digits"),
        ("enr:-", "text of a node record is not base64url"),
        (record(1), EMPTY_RECORD),
    ],
)
def test_why_a_row_has_none(text: str, reason: str) -> None:
    assert addresses_in(text) == reason


@pytest.mark.parametrize("place", range(4, len(record(1, V4)), 9))
def test_a_record_that_was_changed_has_a_reason(place: int) -> None:
    text = record(1, V4)
    damaged = text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]
    assert isinstance(addresses_in(damaged), str)


# Laws: beside what counts the rows of a file

POOL = [
    V4,
    "198.51.100.7",
    V6,
    f"::ffff:{V4}",
    f"{V4}:30303",
    f"[{V6}]:9000",
    "192.0.2.0/24",
    "node.example",
    "# comment",
    "",
    "   ",
    '""',
    "\x1b[31m",
    "\0",
    url(1),
    record(2, V4, V6),
    record(3),
    record(4, V4)[:-1],
    "é",
]
line_ends = st.sampled_from(["\n", "\r\n"])
lines = st.lists(st.tuples(st.sampled_from(POOL), line_ends), max_size=25).map(
    lambda pairs: V4 + "\n" + "".join(text + end for text, end in pairs)
)
cells = st.sampled_from([entry for entry in POOL if len(entry) < 60] + [f'"{V4}"', '"a, b"'])
whole_rows = st.lists(cells, min_size=2, max_size=2)
csvs = st.lists(st.tuples(whole_rows, line_ends), max_size=30).map(
    lambda pairs: "ip,org\n" + "".join(",".join(row) + end for row, end in pairs)
)
ragged_csvs = st.lists(
    st.tuples(whole_rows | st.lists(cells, min_size=1, max_size=3), line_ends), max_size=30
).map(lambda pairs: "ip,org\n" + "".join(",".join(row) + end for row, end in pairs))


def plain(address: IPAddress) -> IPAddress:
    return address if address.version == 4 else address.ipv4_mapped or address


@given(lines | csvs)
@example("ip,org\n#,\n ,\n")
def test_rows_hold_what_is_counted_in_the_file(text: str) -> None:
    sightings = read_node_file(io.BytesIO(text.encode()), "nodes")
    found = [addresses_in(row) for row in rows(text)]
    assert len(found) == sightings.rows
    assert sum(isinstance(entry, str) for entry in found) == sum(sightings.dropped.values())
    addresses = [plain(address) for entry in found if not isinstance(entry, str) for address in entry]
    counted = [ip_address(int(number)) for column in sightings.v4 for number in column]
    counted_v6 = [ip_address(bytes(row).ljust(16, b"\0")) for column in sightings.v6 for row in column]
    assert sorted(map(int, addresses)) == sorted(map(int, [*counted, *counted_v6]))


@given(ragged_csvs)
def test_no_row_of_a_csv_is_left_out(text: str) -> None:
    sightings = read_node_file(io.BytesIO(text.encode()), "nodes")
    assert len(rows(text)) == sightings.rows


@given(lines | ragged_csvs, st.integers(256, 700))
def test_where_a_chunk_ends_does_not_change_the_rows(text: str, chunk: int) -> None:
    whole = rows(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(node_forms, "CHUNK_BYTES", chunk)
        assert rows(text) == whole


def test_lines_that_a_quote_takes_in_are_told_and_not_lost() -> None:
    rows = row_texts(io.BytesIO(b'ip,org\n192.0.2.1,"a\n192.0.2.2,b\n192.0.2.3,c\n'), "nodes")
    assert next(rows) == ["192.0.2.1"]
    with pytest.raises(UnreadableFile, match="2 lines stand inside a quoted cell"):
        list(rows)
