import dataclasses
import hashlib
import ipaddress
import re
import subprocess
from collections import Counter
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.attribution.made_maps import weighted

from concentra.adapters import map_files
from concentra.adapters.data_files import maps_directory, snapshots_directory
from concentra.attribution.attribute import attribute
from concentra.attribution.map_tables import NO_LENGTH
from concentra.collect.snapshots import AggregationCost, SnapshotHeader, decode, encode, is_snapshot
from concentra.errors import UnreadableFile, UsageProblem
from concentra.model.axes import Axis, Unit
from concentra.model.population import FunnelStep
from concentra.model.provenance import Source
from concentra.workflows.snapshot import BadNetworkName, make_snapshot
from concentra.workflows.subjects import UnknownSubject

Run = Callable[..., "subprocess.CompletedProcess[str]"]

SOURCE = Source(
    name="example",
    publisher='Beispiel, "quoted" & Söhne',
    as_of=date(2026, 1, 2),
    licence="CC0-1.0",
    url="https://example.net/#fragment",
    sha256="0" * 64,
    rows=9,
    limits=("one # in a limit", "prefix,addresses"),
)
HEADER = SnapshotHeader(
    network="example",
    title="Example network",
    source=SOURCE,
    funnel=(
        FunnelStep(name="read", unit="rows", left=9),
        FunnelStep(name="answering", unit="addresses", note="not recorded"),
        FunnelStep(name="routable", unit="addresses", left=7, dropped={"private": 2}),
    ),
    cost=AggregationCost(addresses=7, maps_as_of=date(2026, 1, 2), moved={"provider": 0, "country": 1}),
    notes=("a note",),
)
HOSTS = {
    "192.0.2.1": 1,
    "192.0.2.255": 2,
    "198.51.100.0": 1,
    "2001:db8::1": 1,
    "2001:db8:0:ffff::1": 1,
    "2001:db8:1::": 1,
}
ROWS = "192.0.2.0/24,3\n198.51.100.0/24,1\n2001:db8::/48,2\n2001:db8:1::/48,1\n"


addresses = st.dictionaries(
    st.ip_addresses(network="192.0.2.0/24").map(str)
    | st.ip_addresses(network="198.51.100.0/24").map(str)
    | st.ip_addresses(network="2001:db8::/44").map(str),
    st.integers(1, 9),
    min_size=1,
    max_size=12,
)


def prefix_of(address: str) -> str:
    length = 24 if ipaddress.ip_address(address).version == 4 else 48
    return str(ipaddress.ip_network(f"{address}/{length}", strict=False))


@given(addresses)
def test_counts_come_back_by_prefix(counted: dict[str, int]) -> None:
    header, population = decode(encode(HEADER, weighted(counted)), "example")
    expected: Counter[str] = Counter()
    for address, weight in counted.items():
        expected[prefix_of(address)] += weight
    units = population.units[Unit.ADDRESS]
    found = {
        str(ipaddress.ip_network((int(first), 24))): count
        for first, count in zip(units.v4, units.v4_weight.tolist(), strict=True)
    }
    found |= {
        str(ipaddress.ip_network((bytes(first).ljust(16, b"\0"), 48))): count
        for first, count in zip(units.v6, units.v6_weight.tolist(), strict=True)
    }
    assert found == expected
    assert units.total == sum(counted.values())
    assert population.units[Unit.PREFIX].total == len(expected)
    assert header == HEADER


@given(addresses)
def test_no_row_tells_an_address(counted: dict[str, int]) -> None:
    lines = encode(HEADER, weighted(counted)).decode().rpartition("prefix,addresses\n")[2].splitlines()
    assert len(lines) == len({prefix_of(address) for address in counted})
    for line in lines:
        assert re.fullmatch(r"\d+\.\d+\.\d+\.0/24,\d+|[0-9a-f]+(:[0-9a-f]+){1,2}::/48,\d+", line), line


def test_snapshot_by_hand() -> None:
    data = encode(HEADER, weighted(HOSTS))
    assert data.endswith(b"\nprefix,addresses\n" + ROWS.encode())
    assert is_snapshot(data)
    assert data.startswith(b'# concentra-snapshot = 1\n# network = "example"\n# title = "Example network"\n')
    assert all(line.startswith("#") for line in data.decode().splitlines()[:-5])


def test_encoding_a_decoded_snapshot_gives_its_bytes() -> None:
    data = encode(HEADER, weighted(HOSTS))
    header, population = decode(data, "example")
    assert encode(header, population.units[Unit.ADDRESS]) == data


def test_the_population_says_what_it_cannot_tell() -> None:
    _, population = decode(encode(HEADER, weighted(HOSTS)), "example")
    assert population.unavailable == {Unit.NODE: "the source carries no node identities"}
    assert (population.subject, population.title, population.source) == ("example", "Example network", SOURCE)
    assert population.funnel == HEADER.funnel
    assert population.notes[0] == "a note"
    assert (
        "of 7, attributing the prefix instead of the address moves provider 0, country 1"
        in population.notes[1]
    )


GOOD = encode(HEADER, weighted(HOSTS))
HEAD = GOOD.removesuffix(ROWS.encode())

DAMAGED: list[tuple[str, bytes]] = [
    ("nothing", b""),
    ("magic-only", b"# concentra-snapshot = 1\n"),
    ("version-2", GOOD.replace(b"snapshot = 1", b"snapshot = 2", 1)),
    ("version-10", GOOD.replace(b"snapshot = 1", b"snapshot = 10", 1)),
    ("no-column-names", HEAD.removesuffix(b"prefix,addresses\n")),
    ("no-rows", HEAD),
    ("header-without-a-source", GOOD.replace(b"# [source]", b"# [origin]")),
    ("header-no-toml", GOOD.replace(b'# title = "', b"# title = ")),
    ("header-not-text", GOOD.replace(b"Example network", b"\xff\xfe")),
    ("row-not-text", HEAD + b"\xff,1\n"),
    ("row-without-count", HEAD + b"192.0.2.0/24\n"),
    ("row-without-prefix", HEAD + b"3\n"),
    ("empty-row", HEAD + b"192.0.2.0/24,1\n\n"),
    ("count-of-nothing", HEAD + b"192.0.2.0/24,0\n"),
    ("count-negative", HEAD + b"192.0.2.0/24,-1\n"),
    ("count-a-fraction", HEAD + b"192.0.2.0/24,1.5\n"),
    ("count-a-word", HEAD + b"192.0.2.0/24,many\n"),
    ("count-beyond-64-bits", HEAD + b"192.0.2.0/24,99999999999999999999\n"),
    ("host-bits", HEAD + b"192.0.2.1/24,1\n"),
    ("host-bits-of-ipv6", HEAD + b"2001:db8::1/48,1\n"),
    ("an-address", HEAD + b"192.0.2.0,1\n"),
    ("an-ipv6-address", HEAD + b"2001:db8::1,1\n"),
    ("length-25", HEAD + b"192.0.2.0/25,1\n"),
    ("length-64", HEAD + b"2001:db8::/64,1\n"),
    ("leading-zero", HEAD + b"192.0.02.0/24,1\n"),
    ("out-of-range", HEAD + b"192.0.256.0/24,1\n"),
    ("twice", HEAD + b"192.0.2.0/24,1\n192.0.2.0/24,1\n"),
    ("descending", HEAD + b"198.51.100.0/24,1\n192.0.2.0/24,1\n"),
    ("ipv6-twice", HEAD + b"2001:db8::/48,1\n2001:db8::/48,1\n"),
    ("ipv6-descending", HEAD + b"2001:db8:1::/48,1\n2001:db8::/48,1\n"),
]


@pytest.mark.parametrize("data", [pytest.param(data, id=name) for name, data in DAMAGED])
def test_a_damaged_snapshot_is_unreadable(data: bytes) -> None:
    with pytest.raises(UnreadableFile):
        decode(data, "example")


@given(st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=3))
def test_damaged_bytes_are_decoded_or_unreadable(damage: list[tuple[int, int]]) -> None:
    data = bytearray(GOOD)
    for at, value in damage:
        data[at] = value
    try:
        _, population = decode(bytes(data), "example")
    except UnreadableFile as error:
        assert error.name == "example"
    else:
        assert population.units[Unit.ADDRESS].total > 0


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_any_title_comes_back(title: str) -> None:
    header, _ = decode(encode(dataclasses.replace(HEADER, title=title), weighted(HOSTS)), "example")
    assert header.title == title


# Making one out of a node file. Documentation addresses are nobody's, so these are public ones; which hosts
# they belong to is in tests/data/attribution_vectors.json.

PUBLIC = ["1.1.1.1", "1.1.1.2", "1.1.1.2", "3.8.101.76", "54.254.244.105", "2400:cb00::1", "127.0.0.1", "::1"]


@pytest.fixture
def node_file(tmp_path: Path) -> Path:
    path = tmp_path / "nodes.txt"
    path.write_text("\n".join(PUBLIC) + "\n", encoding="utf-8")
    return path


def test_a_node_file_becomes_a_snapshot(node_file: Path) -> None:
    name, data, cost = make_snapshot(str(node_file), SOURCE, network="test-net", title="Test")
    header, population = decode(data, "test-net")
    assert name == "test-net-2026-01-02.csv"
    assert data.decode().rpartition("prefix,addresses\n")[2] == (
        "1.1.1.0/24,2\n3.8.101.0/24,1\n54.254.244.0/24,1\n2400:cb00::/48,1\n"
    )
    assert (header.network, header.title, header.cost) == ("test-net", "Test", cost)
    assert cost.addresses == population.units[Unit.ADDRESS].total == 5
    assert header.source == dataclasses.replace(
        SOURCE, sha256=hashlib.sha256(node_file.read_bytes()).hexdigest(), rows=8
    )


def test_what_was_dropped_on_the_way_is_in_the_snapshot(node_file: Path) -> None:
    header, _ = decode(make_snapshot(str(node_file), SOURCE, network="net", title="T")[1], "net")
    dropped = {reason: count for step in header.funnel for reason, count in step.dropped.items()}
    assert dropped == {"loopback": 2, "seen again": 1}


def test_no_address_of_the_node_file_is_in_the_snapshot(node_file: Path) -> None:
    text = make_snapshot(str(node_file), SOURCE, network="net", title="T")[1].decode()
    literals = set(re.findall(r"(?<![\d.])\d+\.\d+\.\d+\.\d+(?:/\d+)?", text))
    assert literals == {"1.1.1.0/24", "3.8.101.0/24", "54.254.244.0/24"}
    assert not any(address in text for address in PUBLIC)


def test_cost_counts_the_addresses_whose_prefix_belongs_to_another(tmp_path: Path) -> None:
    """Published ranges are often longer than a /24, whose first address then speaks for others."""
    maps = map_files.load(maps_directory())
    start = maps.column("v4.start").astype(np.int64)
    listed = maps.column("v4.listed_length") != NO_LENGTH
    inside = start[(start & 0xFF != 0) & listed][::150]
    hosts = [ipaddress.IPv4Address(int(number)) for first in inside for number in (first, first & ~0xFF | 1)]
    path = tmp_path / "nodes.txt"
    path.write_text("".join(f"{host}\n" for host in hosts), encoding="utf-8")
    _, data, cost = make_snapshot(str(path), SOURCE, network="net", title="T")
    expected = Counter({axis.value: 0 for axis in Axis})
    for host in set(hosts):
        first = ipaddress.IPv4Address(int(host) & ~0xFF)
        own, other = (attribute(weighted({str(one): 1}), maps).attributions[0] for one in (host, first))
        expected.update(axis.value for axis in Axis if own.entity(axis) != other.entity(axis))
    assert cost.addresses == decode(data, "net")[1].units[Unit.ADDRESS].total == len(set(hosts))
    assert cost.moved == expected
    assert 0 < expected[Axis.COUNTRY.value] < expected[Axis.REGION.value] < len(set(hosts))


@pytest.mark.parametrize(
    "network", ["", "Net", "a b", "../up", "net/work", "-net", "net-", "net--work", "nät", "net\n"]
)
def test_a_network_name_that_is_no_plain_file_name_is_refused(network: str, node_file: Path) -> None:
    with pytest.raises(BadNetworkName) as caught:
        make_snapshot(str(node_file), SOURCE, network=network, title="T")
    assert isinstance(caught.value, UsageProblem)


def test_a_missing_node_file_is_an_unknown_subject(tmp_path: Path) -> None:
    with pytest.raises(UnknownSubject):
        make_snapshot(str(tmp_path / "none.txt"), SOURCE, network="net", title="T")


def test_a_shipped_network_is_a_snapshot_already() -> None:
    with pytest.raises(UsageProblem, match="ethereum is a snapshot already"):
        make_snapshot("ethereum", SOURCE, network="net", title="T")


def test_snapshot_on_the_command_line(node_file: Path, concentra: Run) -> None:
    done = concentra(
        "snapshot", str(node_file), "--network", "net", "--title", "T", "--as-of", "2026-01-02", "--publisher",
        SOURCE.publisher, "--licence", "CC0-1.0", "--limit", "made up", "--out", "out",
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(
        r"wrote out/net-2026-01-02\.csv: 5 addresses; attributing prefixes instead moves .*\n", done.stdout
    )
    header, _ = decode((node_file.parent / "out" / "net-2026-01-02.csv").read_bytes(), "net")
    assert (header.source.publisher, header.source.limits) == (SOURCE.publisher, ("made up",))


def test_a_bad_network_name_is_a_mistake_of_usage(node_file: Path, concentra: Run) -> None:
    done = concentra(
        "snapshot", str(node_file), "--network", "../net", "--title", "T", "--as-of", "2026-01-02", "--publisher", "x",
        "--licence", "x",
    )  # fmt: skip
    assert done.returncode == 2
    assert "got '../net'" in done.stderr
    assert "Traceback" not in done.stderr


# The snapshot that ships with concentra.

SHIPPED = snapshots_directory() / "ethereum-2025-11-22.csv"


def test_shipped_snapshot_holds_17356_addresses_on_14190_prefixes() -> None:
    header, population = decode(SHIPPED.read_bytes(), "ethereum")
    assert {unit: counted.total for unit, counted in population.units.items()} == {
        Unit.ADDRESS: 17_356,
        Unit.PREFIX: 14_190,
    }
    assert header.cost.addresses == header.source.rows == 17_356
    assert (header.network, header.source.as_of) == ("ethereum", date(2025, 11, 22))
    assert set(header.cost.moved) == {axis.value for axis in Axis}


def test_shipped_snapshot_tells_no_address() -> None:
    text = SHIPPED.read_text(encoding="utf-8")
    literals = re.findall(r"(?<![\d.])\d+\.\d+\.\d+\.\d+(?:/\d+)?", text)
    assert len(literals) > 14_000
    assert all(literal.endswith(".0/24") for literal in literals)
    assert [
        line
        for line in text.partition("prefix,addresses\n")[2].splitlines()
        if not re.fullmatch(r"[0-9a-f.:]+/(24|48),\d+", line)
    ] == []


def test_shipped_snapshot_is_what_encode_writes() -> None:
    header, population = decode(SHIPPED.read_bytes(), "ethereum")
    assert encode(header, population.units[Unit.ADDRESS]) == SHIPPED.read_bytes()


def test_a_snapshot_of_a_snapshot_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "example-2025-11-22.csv"
    file.write_bytes(encode(HEADER, weighted({"8.8.8.8": 2})))
    with pytest.raises(UsageProblem, match="is a snapshot already"):
        make_snapshot(str(file), SOURCE, network="example", title="Example")
