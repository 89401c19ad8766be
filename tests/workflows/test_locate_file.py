"""Node files → located addresses: every form, every row in its place, and rows before the whole file is read."""

import gzip
import io
import json
import sys
from collections.abc import Iterator
from ipaddress import ip_address
from itertools import islice
from pathlib import Path

import pytest
from coincurve import PrivateKey
from tests.attribution.made_maps import Announced, made, map_inputs

from concentra.attribution.explain import Explainer
from concentra.collect.errors import NoAddressColumn, NoColumns
from concentra.collect.node_forms import CHUNK_BYTES
from concentra.errors import UnreadableFile
from concentra.wire import enode, enr
from concentra.wire.enode import Enode
from concentra.wire.rlp import Item
from concentra.workflows.locate import Located
from concentra.workflows.locate_file import locate_file

HOME, HOST = 64496, 64497
V4, V6 = "11.1.0.1", "2600:abcd::1"  # documentation addresses are refused here
MAPS = made(map_inputs([Announced("11.1.0.0/16", (HOME,)), Announced("2600:abcd::/32", (HOST,))]))
EXPLAINER = Explainer(MAPS.tables)

Row = tuple[str, str | None]
"""The text of a row, and the origin ASes of its address or why it has none."""


def key(number: int) -> bytes:
    return number.to_bytes(32, "big")


def url(address: str) -> str:
    point = PrivateKey(key(1)).public_key.format(compressed=False)[1:]
    return enode.to_url(Enode(public_key=point, address=ip_address(address), tcp=30303, udp=30303))


def record(*addresses: str) -> str:
    pairs: dict[bytes, Item] = {}
    for address in map(ip_address, addresses):
        pairs[b"ip" if address.version == 4 else b"ip6"] = address.packed
    return enr.to_text(enr.sign(key(1), seq=1, pairs=pairs))


def told(rows: Iterator[Located]) -> list[Row]:
    return [
        (row.query, row.refused or (row.known.parts["origins"].value if row.known else None)) for row in rows
    ]


def located(path: Path, data: str | bytes, *, column: str | None = None) -> list[Row]:
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return told(locate_file(str(path), EXPLAINER, column=column))


HERE, THERE = f"AS{HOME}", f"AS{HOST}"
FORMS: list[tuple[str, str, str | None, list[Row]]] = [
    (
        "lines",
        f"# seen today\n{V6}\n\n{V4}:30303\nnode.example\n10.0.0.1\n11.2.0.1\n{V6}\n",
        None,
        [
            (V6, THERE),
            (f"{V4}:30303", HERE),
            ("node.example", "not an address"),
            ("10.0.0.1", "private"),
            ("11.2.0.1", None),
            (V6, THERE),
        ],
    ),
    (
        "nodes",
        f"{url(V4)}\n{record(V6)}\n{record(V4, V6)}\n{record()}\nenode://\n",
        None,
        [
            (url(V4), HERE),
            (record(V6), THERE),
            (record(V4, V6), HERE),
            (record(V4, V6), THERE),
            (record(), "ENR without an address"),
            ("enode://", "public key has 0 characters, wanted 128 hex digits"),
        ],
    ),
    (
        "csv",
        f'org,ip\n"a, b",{V4}\nc\nd,\ne,{V6}\n',
        None,
        [(V4, HERE), ("c", "not an address"), ("", "not an address"), (V6, THERE)],
    ),
    ("column", f"x;y\n{V4};{V6}\n{V6};x\n", "y", [(V6, THERE), ("x", "not an address")]),
    (
        "geth",
        json.dumps({"a": {"record": record(V6)}, "b": {"seq": 1}, "c": {"record": record(V4)}}),
        None,
        [(record(V6), THERE), ("", "not an address"), (record(V4), HERE)],
    ),
    ("empty", "", None, []),
]


@pytest.mark.parametrize(
    ("text", "column", "wanted"), [row[1:] for row in FORMS], ids=[row[0] for row in FORMS]
)
def test_every_row_has_its_place_whether_plain_gzip_or_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, column: str | None, wanted: list[Row]
) -> None:
    assert located(tmp_path / "nodes", text, column=column) == wanted
    assert located(tmp_path / "nodes.gz", gzip.compress(text.encode()), column=column) == wanted
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert told(locate_file("-", EXPLAINER, column=column)) == wanted


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="No such file"):
        told(locate_file(str(tmp_path / "none"), EXPLAINER))
    with pytest.raises(UnreadableFile, match="JSON array"):
        located(tmp_path / "array", "[1]")
    with pytest.raises(NoAddressColumn, match="the columns are country, port"):
        located(tmp_path / "csv", "country,port\nDE,1\n")
    with pytest.raises(NoAddressColumn, match="no column 'adress'"):
        located(tmp_path / "csv", "ip,port\n11.1.0.1,1\n", column="adress")
    with pytest.raises(NoColumns):
        located(tmp_path / "json", "{}", column="ip")


def test_rows_before_damage_are_told(tmp_path: Path) -> None:
    """What was written is right; the error comes where the damage is."""
    filling = b"#" * 1000 + b"\n"
    data = gzip.compress(f"{V4}\n".encode() * 1000 + filling * (4 * CHUNK_BYTES // 1000))
    (tmp_path / "nodes.gz").write_bytes(data[: len(data) * 3 // 4])
    rows = locate_file(str(tmp_path / "nodes.gz"), EXPLAINER)
    assert told(islice(rows, 1000)) == [(V4, HERE)] * 1000
    with pytest.raises(UnreadableFile, match="damaged gzip"):
        told(rows)


@pytest.mark.parametrize(
    ("head", "line", "chunks"),
    [
        pytest.param("", f"{V4}\n", 3, id="lines"),
        pytest.param("ip,org\n", f"{V4},x\n", 64, id="csv"),  # Arrow reads some 40 ahead
    ],
)
def test_rows_come_before_the_whole_file_is_read(tmp_path: Path, head: str, line: str, chunks: int) -> None:
    size = 100 * CHUNK_BYTES
    repeated = line * (CHUNK_BYTES // len(line))
    with (
        (tmp_path / "nodes.gz").open("wb") as raw,
        gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=1) as file,
    ):
        file.write(head.encode())
        for _ in range(size // len(repeated)):
            file.write(repeated.encode())
    read: list[int] = []
    rows = locate_file(str(tmp_path / "nodes.gz"), EXPLAINER, progress=read.append)
    assert read == []
    assert next(rows).query == V4
    assert 0 < sum(read) <= chunks * CHUNK_BYTES < size / 1.5
    rows.close()  # type: ignore[attr-defined] # it is a generator
