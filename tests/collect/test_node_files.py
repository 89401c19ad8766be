"""Node files of every form: what is found in them, and that every row ends as addresses or as a reason."""

import io
import json
import random
import re
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from coincurve import PrivateKey
from hypothesis import example, given
from hypothesis import strategies as st

from concentra.collect import node_files, node_forms
from concentra.collect.errors import NoAddressColumn
from concentra.collect.node_files import NodeSighting, Sightings, read_node_file
from concentra.collect.node_forms import ADDRESS_COLUMNS, MAX_ROW_BYTES
from concentra.errors import UnreadableFile, UsageProblem
from concentra.wire import enode, enr
from concentra.wire.enode import Enode
from concentra.wire.rlp import Item

V4 = "192.0.2.1"
V6 = "2001:db8::1"


def key(number: int) -> bytes:
    return number.to_bytes(32, "big")


def url(number: int, address: str = V4) -> str:
    point = PrivateKey(key(number)).public_key.format(compressed=False)[1:]
    return enode.to_url(Enode(public_key=point, address=ip_address(address), tcp=30303, udp=30303))


def record(number: int, *addresses: str, seq: int = 1) -> str:
    pairs: dict[bytes, Item] = {}
    for address in map(ip_address, addresses):
        pairs[b"ip" if address.version == 4 else b"ip6"] = address.packed
    return enr.to_text(enr.sign(key(number), seq=seq, pairs=pairs))


class Trickle:
    """A stream that gives a few bytes at a time, as a pipe may."""

    def __init__(self, data: bytes, step: int) -> None:
        self._source = io.BytesIO(data)
        self._step = step

    def read(self, size: int = -1, /) -> bytes:
        return self._source.read() if size < 0 else self._source.read(min(size, self._step))


def read(data: bytes | str, *, column: str | None = None) -> Sightings:
    encoded = data.encode() if isinstance(data, str) else data
    return read_node_file(io.BytesIO(encoded), "nodes", column=column)


def addresses(sightings: Sightings) -> list[str]:
    """Return IPv4 addresses in the order of the rows, then IPv6 ones."""
    v4 = [str(IPv4Address(int(number))) for column in sightings.v4 for number in column]
    return v4 + [str(IPv6Address(bytes(row).ljust(16, b"\0"))) for column in sightings.v6 for row in column]


def summary(sightings: Sightings) -> tuple[object, ...]:
    """Return everything that was read; of IPv4 addresses without the order, which chunks may change."""
    found = addresses(sightings)
    return sightings.format, sightings.rows, sorted(found), sightings.nodes, dict(sightings.dropped)


def is_accounted(sightings: Sightings) -> bool:
    """Tell whether every row ended as one address, as a node (of one or two addresses), or as a reason."""
    of_nodes = sum(len(node.addresses) for node in sightings.nodes)
    bare = len(addresses(sightings)) - of_nodes
    return sightings.rows == bare + len(sightings.nodes) + sum(sightings.dropped.values())


ONE_V4, BOTH, NONE = [V4], [V4, V6], list[str]()

LINES: list[tuple[str, bytes, list[str], Mapping[str, int]]] = [
    ("one", b"192.0.2.1\n", ONE_V4, {}),
    ("no-final-newline", b"192.0.2.1\n2001:db8::1", BOTH, {}),
    ("byte-order-mark", b"\xef\xbb\xbf192.0.2.1\n", ONE_V4, {}),
    ("carriage-returns", b"192.0.2.1\r\n2001:db8::1\r\n", BOTH, {}),
    ("comments-and-blanks", b"# seen today\n\n192.0.2.1\n  \n\t\n  # more\n2001:db8::1\n\n", BOTH, {}),
    ("comment-of-100-kB-first", b"#" + b"c" * 100_000 + b"\n192.0.2.1\n", ONE_V4, {}),
    ("comment-of-3-MB-later", b"192.0.2.1\n#" + b"c" * 3_000_000 + b"\n2001:db8::1\n", BOTH, {}),
    ("spaces-and-quotes-around", b' 192.0.2.1 \n"2001:db8::1"\n', BOTH, {}),
    ("same-twice", b"192.0.2.1\n192.0.2.1\n", [V4, V4], {}),
    ("v4-with-port", b"192.0.2.1:30303\n", ONE_V4, {}),
    ("v6-in-brackets", b"[2001:db8::1]\n", [V6], {}),
    ("v6-with-port", b"[2001:db8::1]:30303\n", [V6], {}),
    ("mapped", b"::ffff:192.0.2.1\n[::ffff:c000:201]:30303\n", [V4, V4], {}),
    ("port-of-no-digits", b"192.0.2.1:eth\n192.0.2.1:\n[2001:db8::1]30303\n", NONE, {"not an address": 3}),
    ("host-name", b"192.0.2.1\nnode.example\n", ONE_V4, {"not an address": 1}),
    ("leading-zeros", b"192.0.2.1\n192.0.2.010\n", ONE_V4, {"not an address": 1}),
    ("prefixes", b"192.0.2.1\n192.0.2.0/24\n2001:db8::/32\n", ONE_V4, {"a prefix, not an address": 2}),
    ("nul-bytes", b"192.0.2.1\n192.0.2.1\0\n\0\n", ONE_V4, {"not an address": 2}),
    ("quotes-around-nothing", b'192.0.2.1\n""\n', ONE_V4, {"not an address": 1}),
    ("broken-utf-8", b"192.0.2.1\n\xff\xc3\n", ONE_V4, {"not an address": 1}),
    ("terminal-escapes", b"192.0.2.1\n\x1b[2J192.0.2.1\n", ONE_V4, {"not an address": 1}),
    ("csv-row-among-lines", b"192.0.2.1\n192.0.2.2,eth\n", ONE_V4, {"not an address": 1}),
    ("empty-enode", b"192.0.2.1\nenode://\nenode:\n", ONE_V4, {"bad enode URL": 2}),
    ("empty-enr", b"192.0.2.1\nenr:\nenr:-IS4QH\n", ONE_V4, {"bad ENR": 2}),
    ("empty", b"", NONE, {}),
    ("mark-only", b"\xef\xbb\xbf", NONE, {}),
    ("blank-lines-only", b"\n\r\n  \n", NONE, {}),
    ("comments-only", b"# nothing\n# here", NONE, {}),
]


@pytest.mark.parametrize(
    ("data", "wanted", "dropped"), [row[1:] for row in LINES], ids=[row[0] for row in LINES]
)
def test_lines(data: bytes, wanted: list[str], dropped: Mapping[str, int]) -> None:
    sightings = read(data)
    assert sightings.format == "one record a line"
    assert addresses(sightings) == wanted
    assert dict(sightings.dropped) == dropped
    assert sightings.nodes == []
    assert is_accounted(sightings)


def test_an_enode_url_is_a_node_at_an_address() -> None:
    sightings = read(f"{url(1)}\n{url(2, V6)}\n{url(3)}?discport=0\n")
    assert [(node.seq, list(map(str, node.addresses))) for node in sightings.nodes] == [
        (0, [V4]),
        (0, [V6]),
        (0, [V4]),
    ]
    assert len({node.node_id for node in sightings.nodes}) == 3
    assert addresses(sightings) == [V4, V4, V6]


def test_a_signed_record_names_a_node_with_its_sequence_number_and_up_to_two_addresses() -> None:
    sightings = read(f"{record(1, V4, seq=7)}\n{record(2, V4, V6)}\n{record(3, V6)}\n")
    assert [(node.seq, list(map(str, node.addresses))) for node in sightings.nodes] == [
        (7, [V4]),
        (1, [V4, V6]),
        (1, [V6]),
    ]
    assert sightings.nodes[0].node_id == enr.from_text(record(1, V4)).node_id
    assert addresses(sightings) == [V4, V4, V6, V6]
    assert sightings.rows == 3
    assert is_accounted(sightings)


def test_an_enode_url_and_a_record_of_one_key_are_one_node() -> None:
    sightings = read(f"{url(9)}\n{record(9, V4)}\n")
    assert len({node.node_id for node in sightings.nodes}) == 1


def test_a_record_whose_ip6_maps_its_ip_names_one_address() -> None:
    mapped = record(1, V4, f"::ffff:{V4}")
    alone = record(2, f"::ffff:{V4}")
    sightings = read(f"{mapped}\n{alone}\n")
    assert [node.addresses for node in sightings.nodes] == [(IPv4Address(V4),)] * 2
    assert addresses(sightings) == [V4, V4]


def test_a_record_without_an_address_is_counted_as_such() -> None:
    assert read(record(1)).dropped == {"ENR without an address": 1}


@pytest.mark.parametrize("place", [10, 60, 100, -1])
def test_a_record_that_was_changed_is_refused(place: int) -> None:
    text = record(1, V4)
    other = "B" if text[place] == "A" else "A"
    damaged = text[:place] + other + (text[place + 1 :] if place >= 0 else "")
    sightings = read(damaged + "\n")
    assert sightings.dropped == {"bad ENR": 1}
    assert addresses(sightings) == []


def test_a_record_with_the_signature_of_another_is_refused() -> None:
    mine, other = enr.from_text(record(1, V4)), enr.from_text(record(2, V4))
    forged = enr.NodeRecord(
        seq=mine.seq,
        node_id=mine.node_id,
        public_key=mine.public_key,
        signature=other.signature,
        pairs=mine.pairs,
    )
    assert read(enr.to_text(forged)).dropped == {"bad ENR": 1}


def test_forms_may_be_mixed_line_by_line() -> None:
    sightings = read(f"{V6}\n{url(1)}\n{record(2, V4, V6)}\n{V4}:30303\nwhat?\n10.0.0.0/8\n")
    assert sightings.rows == 6
    assert sorted(addresses(sightings)) == sorted([V6, V4, V4, V6, V4])
    assert len(sightings.nodes) == 2
    assert sightings.dropped == {"not an address": 1, "a prefix, not an address": 1}
    assert is_accounted(sightings)


# CSV


@pytest.mark.parametrize("name", [*ADDRESS_COLUMNS, "IP", "Ip_Address"])
def test_a_column_is_found_by_its_name(name: str) -> None:
    sightings = read(f"country,{name},port\nDE,192.0.2.1,30303\nFR,2001:db8::1,30303\n")
    assert sightings.format == f"CSV, column {name}"
    assert addresses(sightings) == BOTH


def test_the_best_of_several_known_names_is_taken() -> None:
    assert addresses(read("node,host,ip\na,192.0.2.9,192.0.2.1\n")) == ONE_V4


def test_of_two_columns_with_one_name_the_first_is_taken() -> None:
    assert addresses(read("ip,ip\n192.0.2.1,192.0.2.9\n")) == ONE_V4


def test_a_header_longer_than_what_tells_a_snapshot_is_read_whole() -> None:
    header = "latitude,longitude,city,autonomous system,first seen,ip\n"
    assert addresses(read_node_file(Trickle(f"{header}1,2,x,y,z,192.0.2.1\n".encode(), 7), "nodes")) == ONE_V4


CSVS: list[tuple[str, str, str | None, list[str], Mapping[str, int]]] = [
    ("by-name", "a,b\nx,192.0.2.1\n", "b", ONE_V4, {}),
    ("by-number", "a,b\nx,192.0.2.1\n", "2", ONE_V4, {}),
    ("a-name-beats-a-number", "2,b\n192.0.2.1,x\n", "2", ONE_V4, {}),
    ("named-against-the-known-one", "ip,old\n192.0.2.9,192.0.2.1\n", "old", ONE_V4, {}),
    ("number-without-header", "192.0.2.9,192.0.2.1\n192.0.2.9,2001:db8::1\n", "2", BOTH, {}),
    ("without-header", "eth,192.0.2.1\neth,2001:db8::1\n", None, BOTH, {}),
    ("one-column", "ip\n192.0.2.1\n2001:db8::1\n", None, BOTH, {}),
    ("one-quoted-column", '"address"\n"192.0.2.1"\n', None, ONE_V4, {}),
    ("semicolons", "ip;port\n192.0.2.1;30303\n", None, ONE_V4, {}),
    ("tabs", "port\tip\n30303\t192.0.2.1\n", None, ONE_V4, {}),
    ("the-commonest-separator", "name, of node;ip;port\na, b;192.0.2.1;1\n", None, ONE_V4, {}),
    ("spaces-around-names", "port , ip \n1, 192.0.2.1 \n", None, ONE_V4, {}),
    ("quoted-cells", 'ip,org\n"192.0.2.1","Example, Inc."\n', None, ONE_V4, {}),
    ("quoted-header", '"city, country",ip\n"Bonn, DE",192.0.2.1\n', None, ONE_V4, {}),
    ("v6-in-brackets-first", "[2001:db8::1]:30303,eth\n[2001:db8::1],eth\n", None, [V6, V6], {}),
    ("doubled-quotes", 'ip,org\n192.0.2.1,"the ""Org"""\n', None, ONE_V4, {}),
    ("carriage-returns", "ip,org\r\n192.0.2.1,a\r\n2001:db8::1,b", None, BOTH, {}),
    ("old-line-ends", "ip,org\r192.0.2.1,a\r2001:db8::1,b\r", None, BOTH, {}),
    ("byte-order-mark", "\ufeffip,org\n192.0.2.1,a\n", None, ONE_V4, {}),
    ("comment-and-blanks-first", "# nodes\n\nip,org\n192.0.2.1,a\n\n\n2001:db8::1,b\n", None, BOTH, {}),
    (
        "too-few-and-too-many",
        "ip,a\n192.0.2.1,x\n192.0.2.2\n192.0.2.3,x,y\n",
        None,
        ONE_V4,
        {"wrong number of columns": 2},
    ),
    ("comment-within", "ip,a\n192.0.2.1,x\n# so,far,good\n", None, ONE_V4, {"wrong number of columns": 1}),
    ("comment-in-a-cell", "ip,a\n#192.0.2.2,x\n192.0.2.1,x\n", None, ONE_V4, {"not an address": 1}),
    ("empty-cells", 'ip,a\n,x\n"",x\n   ,x\n192.0.2.1,x\n', None, ONE_V4, {"empty cell": 3}),
    ("formula", "ip,a\n=cmd(),x\n192.0.2.1,x\n", None, ONE_V4, {"not an address": 1}),
    (
        "unclosed-quote",
        'ip,a\n192.0.2.1,"x\n192.0.2.2,x\n192.0.2.3,x\n',
        None,
        ONE_V4,
        {"line inside a quoted cell": 2},
    ),
    (
        "line-end-in-quotes",
        'ip,a\n192.0.2.1,"x\ny"\n2001:db8::1,z\n',
        None,
        BOTH,
        {"line inside a quoted cell": 1},
    ),
    ("header-only", "ip,a\n", None, NONE, {}),
    ("header-without-line-end", "ip,a", None, NONE, {}),
    ("header-and-blank-lines", "ip,a\n\n\n", None, NONE, {}),
    ("wrong-column", "ip,a\n192.0.2.1,eth\n", "a", NONE, {"not an address": 1}),
]


@pytest.mark.parametrize(
    ("text", "column", "wanted", "dropped"), [row[1:] for row in CSVS], ids=[row[0] for row in CSVS]
)
def test_csv(text: str, column: str | None, wanted: list[str], dropped: Mapping[str, int]) -> None:
    sightings = read(text, column=column)
    assert sightings.format.startswith("CSV, column ")
    assert addresses(sightings) == wanted
    assert dict(sightings.dropped) == dropped
    assert is_accounted(sightings)


def test_a_column_may_hold_enode_urls_and_records() -> None:
    sightings = read(f"enode,client\n{url(1)},geth\n{record(2, V4, V6)},reth\nenode://x,?\n")
    assert len(sightings.nodes) == 2
    assert sightings.dropped == {"bad enode URL": 1}
    assert is_accounted(sightings)


NO_COLUMN: list[tuple[str, str, str | None, str]] = [
    (
        "none-known",
        "country,port\nDE,1\n",
        None,
        "no column is known to hold addresses; the columns are country, port",
    ),
    ("wrong-name", "ip,port\n192.0.2.1,1\n", "adress", "no column 'adress'; the columns are ip, port"),
    ("number-zero", "ip,port\n192.0.2.1,1\n", "0", "no column '0'"),
    ("number-too-high", "ip,port\n192.0.2.1,1\n", "3", "no column '3'"),
    ("superscript", "ip,port\n192.0.2.1,1\n", "²", "no column '²'"),
    ("5000-digits", "ip,port\n192.0.2.1,1\n", "9" * 5000, "no column '999"),
    ("empty-name", "ip,port\n192.0.2.1,1\n", "", "no column ''"),
    ("of-lines", "192.0.2.1\n", "ip", "no column 'ip'; the columns are 1"),
    ("of-nothing", "", "ip", "no column 'ip'"),
]


@pytest.mark.parametrize(
    ("text", "column", "message"), [row[1:] for row in NO_COLUMN], ids=[row[0] for row in NO_COLUMN]
)
def test_a_column_that_is_not_there_is_a_usage_problem_with_the_columns_named(
    text: str, column: str | None, message: str
) -> None:
    with pytest.raises(NoAddressColumn, match=re.escape(message)) as caught:
        read(text, column=column)
    assert isinstance(caught.value, UsageProblem)
    assert caught.value.hint == "name it with --column"


def test_a_message_about_columns_stays_short_however_many_and_long_they_are() -> None:
    with pytest.raises(NoAddressColumn, match="and 980 more") as caught:
        read(",".join("c" * 50 for _ in range(1000)) + "\n")
    assert len(str(caught.value)) < 1000
    assert len(caught.value.columns) == 1000


def test_a_row_beyond_all_bounds_is_a_clear_error_in_a_csv() -> None:
    long = "x" * (2 * node_forms.CHUNK_BYTES)
    with pytest.raises(UnreadableFile, match=r"a row has more than [\d,]+ bytes"):
        read(f"ip,a\n192.0.2.1,{long}\n")


# geth's nodes.json


def geth(entries: object) -> bytes:
    return json.dumps(entries).encode()


def test_geth_nodes_json() -> None:
    sightings = read(
        geth({"aa": {"seq": 7, "record": record(1, V4, seq=7), "score": 1}, "bb": {"record": record(2, V6)}})
    )
    assert sightings.format == "geth nodes.json"
    assert [(node.seq, list(map(str, node.addresses))) for node in sightings.nodes] == [(7, [V4]), (1, [V6])]
    assert addresses(sightings) == BOTH
    assert is_accounted(sightings)


def test_an_indented_file_with_a_mark_is_the_same() -> None:
    entries = {"aa": {"record": record(1, V4)}}
    indented = b"\xef\xbb\xbf\n  " + json.dumps(entries, indent=2).encode()
    assert summary(read(indented)) == summary(read(geth(entries)))


def test_entries_without_a_usable_record_are_counted() -> None:
    entries = {
        "aa": {"record": record(1, V4)},
        "bb": {"seq": 1},
        "cc": {"record": 7},
        "dd": {"record": None},
        "ee": {"record": V4},
        "ff": {"record": "enr:broken"},
        "gg": {"record": record(2)},
        "hh": {"record": {"record": record(3, V4)}},
    }
    sightings = read(geth(entries))
    assert sightings.rows == 8
    assert sightings.dropped == {"no record": 5, "bad ENR": 1, "ENR without an address": 1}
    assert is_accounted(sightings)


def test_a_key_given_twice_is_counted() -> None:
    entry = json.dumps({"record": record(1, V4), "seq": 1})
    sightings = read(f'{{"aa": {entry}, "aa": {entry}, "bb": {entry}}}')
    assert (sightings.rows, len(sightings.nodes), dict(sightings.dropped)) == (3, 2, {"key given again": 1})


def test_an_empty_object_has_no_rows() -> None:
    assert read(b"{}").rows == 0


BAD_JSON: list[tuple[str, bytes, str]] = [
    ("array", b'[{"record": "enr:"}]', "a JSON array is none of the forms"),
    ("cut-short", geth({"aa": {"record": record(1, V4)}})[:-9], "not JSON"),
    ("cut-in-a-character", b'{"a": "\xc3', "not JSON"),
    ("two-documents", b'{"a": {"record": 1}} {}', "not JSON"),
    ("deep", b'{"a":' * 100_000, "not JSON"),
    ("deep-list", b'{"a":' + b"[" * 100_000, "not JSON"),
    ("integer-of-5000-digits", b'{"a": {"seq": ' + b"9" * 5000 + b"}}", "not JSON"),
    ("values-are-no-objects", b'{"a": 1}', "an object of objects"),
    ("no-record-anywhere", b'{"a": {"b": {"record": 1}}}', "no entry has an ENR"),
    ("one-object", b'{"record": "enr:x"}', "an object of objects"),
]


@pytest.mark.parametrize(("data", "message"), [row[1:] for row in BAD_JSON], ids=[row[0] for row in BAD_JSON])
def test_other_json_is_refused_with_what_was_wanted(data: bytes, message: str) -> None:
    with pytest.raises(UnreadableFile, match=message):
        read(data)


def test_json_beyond_the_bound_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    data = geth({"aa": {"record": record(1, V4)}})
    monkeypatch.setattr(node_forms, "MAX_JSON_BYTES", len(data))
    assert read(data).rows == 1
    monkeypatch.setattr(node_forms, "MAX_JSON_BYTES", len(data) - 1)
    with pytest.raises(UnreadableFile, match="bytes of JSON"):
        read(data)


def test_huge_integers_below_the_limit_do_no_harm() -> None:
    sightings = read(b'{"a": {"seq": ' + b"9" * 4000 + b', "record": "' + record(1, V4).encode() + b'"}}')
    assert addresses(sightings) == ONE_V4


# What is no text at all


FOREIGN: list[tuple[str, bytes, str]] = [
    ("utf-16-little", "192.0.2.1\n".encode("utf-16-le"), "UTF-16"),
    ("utf-16-big", "192.0.2.1\n".encode("utf-16-be"), "UTF-16"),
    ("gzip", b"\x1f\x8b\x08\0", "gzip inside gzip"),
    ("zip", b"PK\x03\x04\x14", "a zip archive"),
    ("xz", b"\xfd7zXZ\0", "xz"),
    ("zstd", b"\x28\xb5\x2f\xfd\0", "zstd"),
    ("parquet", b"PAR1\x15", "Parquet"),
]


@pytest.mark.parametrize(("data", "found"), [row[1:] for row in FOREIGN], ids=[row[0] for row in FOREIGN])
def test_a_file_of_a_foreign_kind_is_named(data: bytes, found: str) -> None:
    if found == "UTF-16":
        data = (b"\xff\xfe" if data[1] == 0 else b"\xfe\xff") + data
    with pytest.raises(UnreadableFile, match=f"^nodes: {found}.* wanted text") as caught:
        read(data)
    assert caught.value.hint is not None


def test_binary_garbage_is_counted_row_by_row() -> None:
    sightings = read(bytes(range(256)) * 200)
    assert addresses(sightings) == []
    assert sightings.rows == sum(sightings.dropped.values()) > 200


def test_a_line_of_a_megabyte_is_one_row_and_the_next_is_read() -> None:
    for data in (b"x" * 1_000_000, b"192.0.2.1\n" + b"x" * 1_000_000 + b"\n2001:db8::1\n"):
        sightings = read(data)
        assert sightings.dropped == {"longer than any record": 1}
        assert addresses(sightings) == ([] if data.startswith(b"x") else BOTH)
        assert is_accounted(sightings)


class Endless:
    """A line of `total` bytes, made as it is read; remembers the most that was asked for at once."""

    def __init__(self, total: int) -> None:
        self.left = total
        self.most = 0

    def read(self, size: int = -1, /) -> bytes:
        self.most = max(self.most, size)
        given = min(size, self.left)
        self.left -= given
        return b"x" * given


def test_a_line_without_end_is_read_in_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_forms, "CHUNK_BYTES", 256 * 1024)
    carried: list[int] = []
    parse_lines = node_files._parse_lines

    def spy(chunk: bytes) -> node_files._Rows:
        carried.append(len(chunk))
        return parse_lines(chunk)

    monkeypatch.setattr(node_files, "_parse_lines", spy)
    stream = Endless(8 * 1024 * 1024)
    sightings = read_node_file(stream, "nodes")
    assert sightings.dropped == {"longer than any record": 1}
    assert stream.left == 0
    assert stream.most <= 256 * 1024
    assert max(carried) <= 256 * 1024 + MAX_ROW_BYTES + 2


# Laws: nothing is lost, and where a chunk ends does not matter


POOL = [
    V4,
    "198.51.100.7",
    "192.0.2.256",
    V6,
    f"::ffff:{V4}",
    f"{V4}:30303",
    f"[{V6}]:9000",
    "192.0.2.0/24",
    "node.example",
    "# comment",
    "#",
    "",
    "   ",
    '"',
    '""',
    "\x1b[31m",
    "\0",
    url(1),
    url(2, V6),
    record(3, V4, V6, seq=5),
    record(4),
    record(5, V4)[:-1],
    "enode://",
    "é",
    "=cmd()",
]
line_ends = st.sampled_from(["\n", "\r\n"])
lines = st.lists(st.tuples(st.sampled_from(POOL), line_ends), max_size=25).map(
    lambda pairs: V4 + "\n" + "".join(text + end for text, end in pairs)
)
cells = st.sampled_from([*POOL, f'"{V4}"', '"a, b"', '"a\nb"', 'un"closed', '"open'])
csv_rows = st.lists(
    st.tuples(st.lists(cells, min_size=2, max_size=2) | st.lists(cells, max_size=4), line_ends), max_size=25
)
csvs = csv_rows.map(lambda rows: "ip,org\n" + "".join(",".join(row) + end for row, end in rows))


@given(lines | csvs | st.text(max_size=60))
@example('ip,org\n192.0.2.1,"x\n192.0.2.2,x\n')
@example("ip,org\n#,\n ,\n")
def test_every_row_of_every_file_ends_as_addresses_or_as_a_reason(text: str) -> None:
    try:
        sightings = read(text)
    except UnreadableFile:
        return  # all or nothing: refused as a whole, with a reason
    assert is_accounted(sightings)
    if sightings.format.startswith("one record"):
        rows = text.removeprefix("\ufeff").split("\n")
        meant = [row for row in rows if row.strip(" \t\r") and not row.strip(" \t\r").startswith("#")]
        assert sightings.rows == len(meant)
    else:
        body = re.split(r"[\r\n]+", text[text.index("\n") :]) if "\n" in text else []
        assert sightings.rows >= sum(line != "" for line in body) - (0 if text.startswith("ip,org") else 1)


@given(st.binary(max_size=300))
@example(b"\xef\xbb\xbf,\n\0,\n")
def test_any_bytes_are_read_or_refused_with_a_reason(data: bytes) -> None:
    try:
        assert is_accounted(read(data))
    except UnreadableFile as refusal:
        assert str(refusal).startswith("nodes: ")


@given(lines, st.integers(10, 400), st.integers(1, 50))
def test_where_a_chunk_ends_does_not_change_what_lines_hold(text: str, chunk: int, step: int) -> None:
    whole = summary(read(text))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(node_forms, "CHUNK_BYTES", chunk)
        assert summary(read(text)) == whole
        assert summary(read_node_file(Trickle(text.encode(), step), "nodes")) == whole


plain_cells = st.sampled_from(
    [entry for entry in POOL if len(entry) < 60 and '"' not in entry] + [f'"{V4}"', '"a, b"']
)
plain_csvs = st.lists(
    st.tuples(st.lists(plain_cells, min_size=1, max_size=3), line_ends), min_size=1, max_size=40
).map(lambda rows: "ip,org\n" + "".join(",".join(row) + end for row, end in rows))


@given(plain_csvs, st.integers(256, 700), st.integers(1, 50))
def test_where_a_chunk_ends_does_not_change_what_a_csv_holds(text: str, chunk: int, step: int) -> None:
    whole = summary(read(text))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(node_forms, "CHUNK_BYTES", chunk)
        assert summary(read(text)) == whole
        assert summary(read_node_file(Trickle(text.encode(), step), "nodes")) == whole


def test_unclosed_quotes_lose_no_line_at_any_chunk_size(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(64501)
    rows = [f'192.0.2.{n},"open' if rng.random() < 0.2 else f"192.0.2.{n},shut" for n in range(200)]
    for chunk in (64, 100, 333, 1000, 1 << 20):
        monkeypatch.setattr(node_forms, "CHUNK_BYTES", chunk)
        try:
            sightings = read("ip,org\n" + "\n".join(rows) + "\n")
        except UnreadableFile:
            continue  # Arrow says that the quotes do not add up
        assert sightings.rows == 200, chunk
        assert is_accounted(sightings)


def test_nodes_keep_the_order_of_their_rows() -> None:
    numbers = list(range(1, 20))
    random.Random(64502).shuffle(numbers)
    sightings = read("\n".join(record(number, V4, seq=number) for number in numbers))
    assert [node.seq for node in sightings.nodes] == numbers
    assert all(isinstance(node, NodeSighting) for node in sightings.nodes)
