import hashlib
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.attribution.made_maps import Announced, Listed, map_inputs

from concentra.adapters import map_files
from concentra.adapters.data_files import maps_directory
from concentra.adapters.map_files import MapsUnreadable, load, open_tables
from concentra.attribution.compile_maps import compile_map
from concentra.attribution.disjoint import halves
from concentra.attribution.evidence import Evidence
from concentra.attribution.map_layout import MAGIC, decode, encode
from concentra.attribution.map_tables import NO_LENGTH, MapTables
from concentra.attribution.maps import Maps
from concentra.attribution.providers import decode_providers, decode_regions
from concentra.model.axes import Kind
from concentra.workflows.map_feeds import FEEDS
from concentra.workflows.maps import CURATED, Output, Provenance

INPUTS = map_inputs(
    [
        Announced("192.0.2.0/24", (64496,), "DE"),
        Announced("2001:db8::/32", (64496,), "DE"),
        Announced("2001:db8::1/128", (64497,)),
    ],
    listed={
        "cloud-file": [
            Listed("192.0.2.0/25", "cloud", Kind.HOSTING, "eu-1", "vm, large", "DE"),
            Listed("2001:db8::/36", "cloud", Kind.EDGE),
        ]
    },
    as_names={64496: "Beispiel", 64497: "例え株式会社"},
    hosting_lists={64511: ("list-b",), 64496: ("list-a", "list-b")},
)
DATA = compile_map(INPUTS)
ADDRESSES = [
    (4, 0),
    (4, 0xC0000201),
    (4, 0xC00002FF),
    (6, 0),
    (6, 0x20010DB8 << 96),
    (6, (0x20010DB8 << 96) + 1),
]


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    (tmp_path / map_files.MAP).write_bytes(DATA)
    return tmp_path


def known(tables: MapTables) -> list[Evidence]:
    return [tables.evidence(tables.row(*address).evidence) for address in ADDRESSES]


def test_maps_come_back_as_they_were_compiled(saved: Path) -> None:
    maps, tables, compiled = load(saved), open_tables(saved), MapTables(decode(DATA))
    for other in (maps.tables, tables):
        assert {name: list(column) for name, column in other.sections.items()} == {
            name: list(column) for name, column in compiled.sections.items()
        }
        assert known(other) == known(compiled)
        assert other.facts_of(64497).name == "例え株式会社"
    assert maps.sources == tuple(source for source, _ in INPUTS.sources)
    assert maps.as_of == INPUTS.as_of


def test_columns_are_mapped_and_cannot_be_written(saved: Path) -> None:
    column = load(saved).column("v4.start")
    assert not column.flags.writeable
    assert not column.flags.owndata
    with pytest.raises(TypeError):
        open_tables(saved).sections["v4.start"][0] = 1


def test_nothing_but_the_map_file_is_read(saved: Path) -> None:
    (saved / map_files.PROVENANCE).write_bytes(b"\xff")
    (saved / map_files.PROVIDERS).write_bytes(b"\xff")
    assert known(load(saved).tables) == known(open_tables(saved))


def test_maps_that_are_replaced_stay_as_they_were_opened(saved: Path) -> None:
    before = open_tables(saved)
    (saved / "new").write_bytes(compile_map(map_inputs()))
    (saved / "new").replace(saved / map_files.MAP)
    assert known(before)[1].listed is not None
    assert known(open_tables(saved))[1] == Evidence((), None)


@pytest.mark.parametrize("small", [False, True])
def test_small_maps_find_the_same(saved: Path, small: bool) -> None:
    maps = load(saved, small=small)
    v4 = np.array([number for version, number in ADDRESSES if version == 4], np.uint32)
    found = [maps.tables.evidence(number) for number in maps.evidence_v4(v4).tolist()]
    assert found == known(maps.tables)[: len(v4)]


@pytest.fixture(params=[load, open_tables], ids=["load", "open_tables"])
def opened(request: pytest.FixtureRequest) -> Callable[[Path], object]:
    way: Callable[[Path], object] = request.param
    return way


def test_a_missing_map_file_is_named(tmp_path: Path, opened: Callable[[Path], object]) -> None:
    with pytest.raises(MapsUnreadable) as caught:
        opened(tmp_path)
    wanted = f"the maps in {tmp_path} cannot be read: {map_files.MAP}: No such file or directory"
    assert str(caught.value) == wanted
    assert caught.value.directory == tmp_path


def test_the_hint_is_true_of_maps_that_are_named_and_of_those_in_use(
    tmp_path: Path, opened: Callable[[Path], object]
) -> None:
    with pytest.raises(MapsUnreadable) as caught:
        opened(tmp_path)
    assert caught.value.hint == (
        "if an update installed these maps, `concentra maps rollback` returns to those before; "
        "`concentra maps build` makes new ones"
    )


def test_a_map_of_no_day_is_refused(tmp_path: Path, opened: Callable[[Path], object]) -> None:
    """Which maps are used is decided by their days."""
    at = DATA.index(b"2026-01-02")
    (tmp_path / map_files.MAP).write_bytes(DATA[:at] + b"2026-13-02" + DATA[at + 10 :])
    with pytest.raises(MapsUnreadable, match=r"concentra\.map: wanted a date like"):
        opened(tmp_path)


def test_maps_of_before_are_refused_with_what_to_do(tmp_path: Path, opened: Callable[[Path], object]) -> None:
    """They had one .npy file for each column."""
    np.save(tmp_path / "origin.v4.start.npy", np.zeros(1, np.uint32))
    with pytest.raises(MapsUnreadable) as caught:
        opened(tmp_path)
    assert "maps build" in str(caught.value.hint)


def without(name: str) -> bytes:
    sections = {
        other: (column.format, bytes(column)) for other, column in decode(DATA).items() if other != name
    }
    return encode(sections)


DAMAGE = [
    ("empty", b"", "empty"),
    ("one-byte", b"c", "starts with"),
    ("magic-alone", MAGIC, "starts with"),
    (
        "an-npy-file",
        b"\x93NUMPY\x01\x00v\x00{'descr': '<u4', 'fortran_order': False, 'shape': (3,), }",
        "starts with",
    ),
    ("an-error-page", b"<!DOCTYPE html><title>503</title>" * 9, "starts with"),
    ("another-version", b"concmap\x01" + DATA[8:], "starts with"),
    ("half", DATA[: len(DATA) // 2], "cut off"),
    ("directory-cut-off", DATA[:200], "do not fit"),
    ("a-column-less", without("v6.low"), "column v6.low is missing"),
    ("no-columns", encode({}), "is missing"),
]


@pytest.mark.parametrize(
    ("data", "reason"), [pytest.param(data, reason, id=name) for name, data, reason in DAMAGE]
)
def test_a_file_that_is_no_map_is_refused(
    tmp_path: Path, opened: Callable[[Path], object], data: bytes, reason: str
) -> None:
    (tmp_path / map_files.MAP).write_bytes(data)
    with pytest.raises(MapsUnreadable, match=reason) as caught:
        opened(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_a_directory_in_its_place_is_refused(tmp_path: Path, opened: Callable[[Path], object]) -> None:
    (tmp_path / map_files.MAP).mkdir()
    with pytest.raises(MapsUnreadable):
        opened(tmp_path)


def test_a_map_that_is_cut_anywhere_is_refused_or_whole(tmp_path: Path) -> None:
    whole = known(MapTables(decode(DATA)))
    refused = 0
    for cut in {*range(0, len(DATA), 97), *range(len(DATA) - 130, len(DATA))}:
        (tmp_path / f"{cut}").mkdir()
        (tmp_path / f"{cut}" / map_files.MAP).write_bytes(DATA[:cut])
        try:
            tables = open_tables(tmp_path / f"{cut}")
        except MapsUnreadable:
            refused += 1
        else:
            assert cut > len(DATA) - 64  # padding alone is missing
            assert known(tables) == whole
    assert refused > len(DATA) // 97 - 2


DIRECTORY_END = 16 + 56 * len(decode(DATA))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(0, DIRECTORY_END - 1), st.integers(0, 255)), min_size=1, max_size=3),
    st.sampled_from([load, open_tables]),
)
def test_a_damaged_directory_is_opened_or_refused(
    tmp_path: Path, damage: list[tuple[int, int]], way: Callable[[Path], Maps | MapTables]
) -> None:
    data = bytearray(DATA)
    for at, value in damage:
        data[at] = value
    path = tmp_path / map_files.MAP
    path.unlink(missing_ok=True)  # the old bytes may still be mapped: they are never written over
    path.write_bytes(data)
    try:
        found = way(tmp_path)
    except MapsUnreadable as error:
        assert error.hint
    else:
        tables = found.tables if isinstance(found, Maps) else found
        assert {name: column.format for name, column in tables.sections.items()}.items() >= {
            name: column.format for name, column in decode(DATA).items()
        }.items()  # fmt: skip


PROBE = """
import sys
from pathlib import Path
from concentra.adapters.map_files import open_tables
tables = open_tables(Path(sys.argv[1]))
known = tables.attribution(tables.row(4, 0xC0000201).evidence)
assert tables.row(6, 0x20010DB8 << 96).listed_length == 36
assert (known.provider, known.region, tables.as_of) == ("cloud", "cloud/eu-1", "2026-01-02"), known
print(*sorted({name.partition(".")[0] for name in sys.modules} & {"numpy", "pandas", "pyarrow", "msgspec"}))
"""


def test_a_single_lookup_imports_no_numpy(saved: Path) -> None:
    """Importing it takes longer than everything else that a single lookup does."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE, str(saved)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "\n")


# The maps that ship with concentra.


@pytest.fixture(scope="module")
def shipped() -> Maps:
    return load(maps_directory())


@pytest.fixture(scope="module")
def provenance() -> Provenance:
    return msgspec.toml.decode((maps_directory() / map_files.PROVENANCE).read_bytes(), type=Provenance)


def rows_of(path: Path, provenance: Provenance) -> int:
    """Return how many rows a file of the maps has, counted without the code that wrote it."""
    if path.name == map_files.MAP:
        return sum(source.rows or 0 for source in provenance.source)
    if path.name == map_files.REGIONS:
        return len(decode_regions(path.read_bytes()))
    return len(re.findall(r"^\[\[(provider|source)\]\]$", path.read_text(encoding="utf-8"), re.MULTILINE))


def test_shipped_files_are_those_in_provenance(provenance: Provenance) -> None:
    present = {path.name for path in maps_directory().iterdir() if path.is_file()}
    assert {output.file for output in provenance.output} == present - {map_files.PROVENANCE, FEEDS}
    assert len(provenance.output) == len({map_files.MAP, *CURATED})


def test_shipped_files_have_the_digests_that_provenance_states(provenance: Provenance) -> None:
    digests = {
        output.file: hashlib.sha256((maps_directory() / output.file).read_bytes()).hexdigest()
        for output in provenance.output
    }
    assert digests == {output.file: output.sha256 for output in provenance.output}


def test_shipped_files_have_the_rows_that_provenance_states(provenance: Provenance) -> None:
    rows = {output.file: rows_of(maps_directory() / output.file, provenance) for output in provenance.output}
    assert rows == {output.file: output.rows for output in provenance.output}


def test_every_source_of_the_shipped_map_is_described_alike_in_both_places(
    provenance: Provenance, shipped: Maps
) -> None:
    assert shipped.sources == provenance.source
    assert shipped.as_of == provenance.as_of
    names = [source.name for source in provenance.source]
    assert len(names) == len(set(names))
    for source in provenance.source:
        assert re.fullmatch("[0-9a-f]{64}", source.sha256 or ""), source.name
        assert (source.rows or 0) > 0, source.name
        assert source.as_of is not None, source.name
        assert (source.url or "").startswith("https://"), source.name


def licences(expression: str) -> set[str]:
    """Return the SPDX identifiers of an expression; terms in words are none."""
    return {part for part in expression.split(" AND ") if re.fullmatch(r"[A-Za-z0-9.-]+", part)}


def test_every_licence_of_the_shipped_maps_has_its_text(provenance: Provenance) -> None:
    terms = [source.licence for source in provenance.source]
    terms += [output.licence for output in provenance.output]
    named = {name for expression in terms for name in licences(expression)}
    assert named == {"Apache-2.0", "CC-BY-4.0", "CC-BY-SA-4.0", "MIT"}
    texts = {
        path.stem: path.read_text(encoding="utf-8") for path in (maps_directory() / "LICENSES").glob("*.txt")
    }
    assert set(texts) == named
    assert all(len(text) > 500 for text in texts.values())


def test_the_map_carries_the_licences_of_its_sources(provenance: Provenance) -> None:
    terms: dict[str, Output] = {output.file: output for output in provenance.output}
    sources = {name for source in provenance.source for name in licences(source.licence)}
    assert licences(terms[map_files.MAP].licence) == sources
    for source in provenance.source:
        assert source.licence in terms[map_files.MAP].licence
    by_hand = {file: output.licence for file, output in terms.items() if file != map_files.MAP}
    assert by_hand == dict.fromkeys(CURATED, "Apache-2.0")


def pairs_of(shipped: Maps) -> NDArray[np.bytes_]:
    high, low = shipped.column("v6.high"), shipped.column("v6.low")
    return np.stack([high, low], axis=1).astype(">u8").view("S16").ravel()


def test_shipped_ranges_cover_the_whole_space_in_strict_order(shipped: Maps) -> None:
    v4, v6 = shipped.column("v4.start"), pairs_of(shipped)
    assert (int(v4[0]), bytes(v6[0])) == (0, b"")
    assert (v4[1:] > v4[:-1]).all()
    assert (v6[1:] > v6[:-1]).all()
    assert [column.tolist() for column in halves(v6[-2:])] == [
        shipped.column(f"v6.{half}")[-2:].tolist() for half in ("high", "low")
    ]


@pytest.mark.parametrize("family", ["v4", "v6"])
def test_shipped_neighbours_differ(family: str, shipped: Maps) -> None:
    columns = [shipped.column(f"{family}.{name}") for name in ("evidence", "origin_length", "listed_length")]
    assert np.any([column[1:] != column[:-1] for column in columns], axis=0).all()


@pytest.mark.parametrize(("family", "bits"), [("v4", 32), ("v6", 128)])
def test_shipped_lengths_are_there_where_something_is_said(family: str, bits: int, shipped: Maps) -> None:
    evidence = shipped.column(f"{family}.evidence")
    announced = shipped.column(f"{family}.origin_length")
    listed = shipped.column(f"{family}.listed_length")
    count = np.diff(shipped.column("evidence.end"), prepend=0)[evidence]
    assert ((announced != NO_LENGTH) == (count > 0)).all()  # libloc names no country of what nobody announces
    assert ((listed != NO_LENGTH) == (shipped.column("evidence.listed")[evidence] > 0)).all()
    for lengths in (announced, listed):
        assert lengths[lengths != NO_LENGTH].max() <= bits


def test_shipped_evidence_points_to_what_is_there_and_is_all_in_use(shipped: Maps) -> None:
    column = shipped.column
    used = np.union1d(column("v4.evidence"), column("v6.evidence"))
    assert used.tolist() == list(range(len(column("evidence.end"))))
    for end, table in (
        ("evidence.end", "announced.source"),
        ("origins.end", "origin.asn"),
        ("text.end", "text.bytes"),
    ):
        assert (np.diff(column(end).astype(np.int64)) >= 0).all()
        assert int(column(end)[-1]) == len(column(table))
    records = np.unique(column("evidence.listed"))
    assert int(records.max()) <= len(column("listed.provider"))
    assert int(column("announced.origins").max()) < len(column("origins.end"))
    assert int(column("announced.source").max()) < len(column("source.name"))


def test_shipped_countries_are_two_letters_or_none(shipped: Maps) -> None:
    for name in ("announced.country", "evidence.country", "listed.country"):
        codes = {shipped.tables.text(number) for number in np.unique(shipped.column(name)).tolist()}
        assert {code for code in codes if not re.fullmatch("([A-Z]{2})?", code)} == set()
        assert len(codes) > 20


def test_shipped_records_are_distinct(shipped: Maps) -> None:
    records = [shipped.tables.record(number) for number in range(len(shipped.column("listed.provider")))]
    assert len(set(records)) == len(records)
    assert all(record.region is None for record in records if record.kind is Kind.EDGE)


def test_shipped_as_numbers_are_in_order_and_well_known_ones_have_a_name(shipped: Maps) -> None:
    numbers = shipped.column("as.number")
    assert (numbers[1:] > numbers[:-1]).all()
    assert all(shipped.tables.facts_of(asn).name for asn in (13335, 16509))


def test_shipped_as_names_are_of_the_source_of_names(shipped: Maps) -> None:
    (naming,) = (source.name for source in shipped.tables.sources if source.use == "names")
    assert {shipped.tables.name_source(asn) for asn in (13335, 16509)} == {naming}


def test_shipped_values_are_all_in_range(shipped: Maps) -> None:
    shipped.check()


def test_shipped_curated_tables_are_those_that_the_map_was_made_with(shipped: Maps) -> None:
    table = decode_providers((maps_directory() / map_files.PROVIDERS).read_bytes())
    assert shipped.tables.curated.keys() == table.by_id.keys()


def test_shipped_maps_load_from_any_directory(shipped: Maps, tmp_path: Path) -> None:
    shutil.copyfile(maps_directory() / map_files.MAP, tmp_path / map_files.MAP)
    copied = load(tmp_path)
    assert (copied.as_of, copied.sources) == (shipped.as_of, shipped.sources)


def test_encoding_the_shipped_sections_gives_the_shipped_bytes() -> None:
    data = (maps_directory() / map_files.MAP).read_bytes()
    sections = decode(data)
    again = encode({name: (column.format, bytes(column)) for name, column in sections.items()})
    assert hashlib.sha256(again).hexdigest() == hashlib.sha256(data).hexdigest()
