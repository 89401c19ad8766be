import csv
import hashlib
import io
import ipaddress
import re
import shutil
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from concentra.adapters import map_files
from concentra.adapters.data_files import maps_directory
from concentra.adapters.map_files import MapsUnreadable, Output, Provenance, load
from concentra.attribution.compile_maps import compile_as_names, compile_published
from concentra.attribution.libloc import OriginRanges
from concentra.attribution.maps import Maps
from concentra.attribution.providers import decode_providers, decode_regions
from concentra.attribution.published_ranges import PublishedPrefix
from concentra.model.axes import Kind
from concentra.model.documents import toml_text
from concentra.model.provenance import Source

PROVIDERS = b"""[[provider]]
id = "cloud"
name = "Cloud"
kind = "hosting"
country = "DE"
asns = [64496]
holders = ["Beispiel"]
evidence = "made up"
"""
SOURCE = Source(
    name="example",
    publisher="Example",
    as_of=date(2026, 1, 2),
    licence="CC0-1.0",
    url="https://example.net/",
    sha256="0" * 64,
    rows=3,
    limits=("made up", "in full"),
)


def v6(*addresses: str) -> np.ndarray[Any, np.dtype[np.bytes_]]:
    return np.array([ipaddress.ip_address(address).packed for address in addresses], "S16")


def small_maps() -> Maps:
    published_v4, published_v6, records = compile_published(
        [
            PublishedPrefix(network=ipaddress.ip_network("192.0.2.0/25"), provider="cloud", kind=Kind.HOSTING,
                            region="eu-1", service="vm, large", country="DE"),
            PublishedPrefix(network=ipaddress.ip_network("2001:db8::/36"), provider="cloud", kind=Kind.EDGE),
        ],
        {},
    )  # fmt: skip
    return Maps(
        origin_v4=OriginRanges(
            start=np.array([0, 0xC0000200, 0xC0000300], np.uint32),
            asn=np.array([0, 64496, 0], np.uint32),
            country=np.array([b"", b"DE", b""], "S2"),
        ),
        origin_v6=OriginRanges(
            start=v6("::", "2001:db8::", "2001:db8::1", "2001:db9::"),
            asn=np.array([0, 64496, 64497, 0], np.uint32),
            country=np.array([b"", b"DE", b"", b""], "S2"),
        ),
        published_v4=published_v4,
        published_v6=published_v6,
        records=records,
        as_names=compile_as_names({64496: "Beispiel", 64497: "例え株式会社"}),
        hosting_lists={64511: ("list-b",), 64496: ("list-a", "list-b")},
        providers=decode_providers(PROVIDERS),
        sources=(SOURCE,),
        as_of=date(2026, 1, 2),
    )


def save(maps: Maps, directory: Path) -> None:
    for name, (data, _) in map_files.serialise(maps).items():
        (directory / name).write_bytes(data)
    (directory / map_files.PROVIDERS).write_bytes(PROVIDERS)
    output = Output(file="providers.toml", rows=1, sha256="0" * 64, licence="CC0-1.0")
    provenance = Provenance(as_of=maps.as_of, built_by="a test", source=maps.sources, output=(output,))
    (directory / map_files.PROVENANCE).write_text(toml_text(provenance), encoding="utf-8")


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save(small_maps(), tmp_path)
    return tmp_path


def test_maps_come_back_as_they_were_saved(saved: Path) -> None:
    maps, again = small_maps(), load(saved)
    columns = map_files.map_columns(maps)
    for name, column in map_files.map_columns(again).items():
        assert (column.dtype, column.tolist()) == (columns[name].dtype, columns[name].tolist()), name
    assert again.records == maps.records
    assert again.hosting_lists == maps.hosting_lists
    assert again.providers == maps.providers
    assert (again.sources, again.as_of) == (maps.sources, maps.as_of)
    assert again.as_names.names_of(np.array([64497], np.uint32)) == {64497: "例え株式会社"}


def test_the_same_maps_give_the_same_bytes_with_their_rows_counted() -> None:
    one, two = map_files.serialise(small_maps()), map_files.serialise(small_maps())
    assert one == two
    assert {name: rows for name, (_, rows) in one.items() if not name.startswith("as_names")} == {
        "origin.v4.start.npy": 3, "origin.v4.asn.npy": 3, "origin.v4.country.npy": 3,
        "origin.v6.start.npy": 4, "origin.v6.asn.npy": 4, "origin.v6.country.npy": 4,
        "published.v4.start.npy": 3, "published.v4.record.npy": 3,
        "published.v6.start.npy": 3, "published.v6.record.npy": 3,
        "published.records.csv": 2, "hosting_asns.csv": 2,
    }  # fmt: skip


def test_small_tables_are_written_in_order() -> None:
    files = map_files.serialise(small_maps())
    assert files["hosting_asns.csv"][0] == b"asn,list-a,list-b\n64496,1,1\n64511,0,1\n"
    assert files["published.records.csv"][0] == (
        b'provider,kind,region,service,country\ncloud,edge,,,\ncloud,hosting,eu-1,"vm, large",DE\n'
    )


def test_columns_are_mapped_and_cannot_be_written(saved: Path) -> None:
    column = load(saved).origin_v4.asn
    assert not column.flags.writeable
    assert not column.flags.owndata


def test_maps_without_names_lists_and_ranges_are_maps(tmp_path: Path) -> None:
    maps = small_maps()
    published_v4, published_v6, _ = compile_published([], {})
    bare = {
        "published_v4": published_v4,
        "published_v6": published_v6,
        "records": (),
        "as_names": compile_as_names({}),
        "hosting_lists": {},
    }
    save(Maps(**{name: getattr(maps, name) for name in Maps.__slots__} | bare), tmp_path)
    again = load(tmp_path)
    assert (again.records, again.hosting_lists, len(again.as_names.text)) == ((), {}, 0)


FILES = sorted([*map_files.serialise(small_maps()), map_files.PROVIDERS, map_files.PROVENANCE])


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(saved: Path, name: str) -> None:
    (saved / name).unlink()
    with pytest.raises(MapsUnreadable, match=re.escape(name)) as caught:
        load(saved)
    assert caught.value.directory == saved
    assert "maps build" in str(caught.value.hint)


@pytest.mark.parametrize("name", FILES)
def test_a_directory_in_a_files_place_is_refused(saved: Path, name: str) -> None:
    (saved / name).unlink()
    (saved / name).mkdir()
    with pytest.raises(MapsUnreadable):
        load(saved)


@pytest.mark.parametrize("name", FILES)
def test_an_empty_file_is_refused(saved: Path, name: str) -> None:
    (saved / name).write_bytes(b"")
    if name == map_files.RECORDS:
        with pytest.raises(MapsUnreadable, match="has 0 rows, record 2 is in use"):
            load(saved)
    else:
        with pytest.raises(MapsUnreadable):
            load(saved)


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".npy")])
def test_a_column_that_is_cut_anywhere_is_refused(saved: Path, name: str) -> None:
    whole = (saved / name).read_bytes()
    for cut in {1, 5, 6, 8, 10, 64, 127, 128, len(whole) - 1}:
        (saved / name).write_bytes(whole[: min(cut, len(whole) - 1)])
        with pytest.raises(MapsUnreadable):
            load(saved)


def npy(column: object, *, allow_pickle: bool = False) -> bytes:
    out = io.BytesIO()
    np.save(out, np.asarray(column), allow_pickle=allow_pickle)
    return out.getvalue()


def npz() -> bytes:
    out = io.BytesIO()
    np.savez(out, np.zeros(3, np.uint32))
    return out.getvalue()


class Boom:
    """Fails the test if it is ever unpickled."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return pytest.fail, ("a pickle was read",)


DAMAGE: list[tuple[str, str, bytes, str]] = [
    ("other-type", "origin.v4.asn.npy", npy(np.zeros(3, np.int64)), "wanted one column of uint32, found int64"),
    ("other-byte-order", "origin.v4.asn.npy", npy(np.zeros(3, ">u4")), "wanted one column of uint32, found >u4"),
    ("two-dimensions", "origin.v4.asn.npy", npy(np.zeros((3, 1), np.uint32)), r"shape \(3, 1\)"),
    ("a-number", "origin.v4.asn.npy", npy(np.uint32(5)), r"shape \(\)"),
    ("addresses-of-15-bytes", "origin.v6.start.npy", npy(np.zeros(4, "S15")), "wanted one column of S16"),
    ("pickled-objects", "origin.v4.asn.npy", npy(np.array([Boom()], object), allow_pickle=True), "object"),
    ("a-pickle", "origin.v4.asn.npy", b"\x80\x04cpytest\nfail\n(S'read'\ntR.", "magic"),
    ("an-archive", "origin.v4.asn.npy", npz(), "magic"),
    ("version-9", "origin.v4.asn.npy", b"\x93NUMPY\x09\x00" + bytes(120), "version"),
    ("header-no-dictionary", "origin.v4.asn.npy", b"\x93NUMPY\x01\x00\x10\x00" + b"(((((((((((((((\n", "header"),
    ("fewer-rows", "origin.v4.asn.npy", npy(np.zeros(2, np.uint32)), r"columns of origin.v4 have \[3, 2, 3\] rows"),
    ("fewer-countries", "origin.v6.country.npy", npy(np.zeros(3, "S2")), r"columns of origin.v6 have \[4, 4, 3\] rows"),
    ("more-records", "published.v4.record.npy", npy(np.zeros(9, np.uint16)), r"columns of published.v4 have \[3, 9\] rows"),
    ("no-rows", "published.v4.start.npy", npy(np.zeros(0, np.uint32)), "from the first address on"),
    ("not-from-zero", "origin.v4.start.npy", npy(np.array([1, 2, 3], np.uint32)), "from the first address on"),
    ("not-from-zero-v6", "origin.v6.start.npy", npy(v6("::1", "::2", "::3", "::4")), "from the first address on"),
    ("country-not-ascii", "origin.v4.country.npy", npy(np.array([b"", b"\xc3\xa9", b""], "S2")), "not two capital letters"),
    ("record-out-of-range", "published.v6.record.npy", npy(np.array([0, 3, 0], np.uint16)), "has 2 rows, record 3 is in use"),
    ("fewer-names", "as_names.end.npy", npy(np.zeros(1, np.uint32)), r"columns of as_names have \[2, 1\] rows"),
    ("shorter-text", "as_names.text.npy", npy(np.zeros(3, np.uint8)), "as_names.text.npy has 3 bytes"),
    ("record-without-kind", "published.records.csv", b"provider,region,service,country\ncloud,,,\n", "kind"),
    ("record-of-unknown-kind", "published.records.csv", b"provider,kind,region,service,country\ncloud,cloud,,,\n", "cloud"),
    ("record-cut-short", "published.records.csv", b"provider,kind,region,service,country\ncloud\n", "None"),
    ("records-not-text", "published.records.csv", b"\xff\xfe", "utf-8"),
    ("endless-record", "published.records.csv", b'provider,kind\n"' + b"x" * 200_000, "field"),
    ("asn-no-number", "hosting_asns.csv", b"asn,list-a\nAS64496,1\n", "AS64496"),
    ("list-cut-short", "hosting_asns.csv", b"asn,list-a\n64496\n", "shorter"),
    ("blank-line", "hosting_asns.csv", b"asn,list-a\n\n64496,1\n", "index"),
    ("providers-damaged", "providers.toml", b"[[provider]]\nid = 1\n", "providers.toml"),
    ("provenance-not-toml", "PROVENANCE.toml", b"as_of = ", "end of document"),
    ("provenance-not-text", "PROVENANCE.toml", b"\xff", "utf-8"),
    ("provenance-without-date", "PROVENANCE.toml", b'built_by = "x"\nsource = []\noutput = []\n', "as_of"),
    ("provenance-of-another-type", "PROVENANCE.toml", b'as_of = 5\nbuilt_by = "x"\nsource = []\noutput = []\n', "as_of"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [pytest.param(name, data, reason, id=case) for case, name, data, reason in DAMAGE],
)
def test_damaged_maps_are_refused(saved: Path, name: str, data: bytes, reason: str) -> None:
    (saved / name).write_bytes(data)
    with pytest.raises(MapsUnreadable, match=reason):
        load(saved)


def test_a_damaged_name_is_still_a_name(saved: Path) -> None:
    text = np.load(saved / "as_names.text.npy")
    text[0] = 0xFF
    np.save(saved / "as_names.text.npy", text)
    assert load(saved).as_names.names_of(np.array([64496], np.uint32)) == {
        64496: "\N{REPLACEMENT CHARACTER}eispiel"
    }


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(FILES),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=3),
)
def test_damaged_bytes_are_loaded_or_refused(saved: Path, name: str, damage: list[tuple[int, int]]) -> None:
    whole = (saved / name).read_bytes()
    data = bytearray(whole)
    for at, value in damage:
        data[at % len(data)] = value
    (saved / name).write_bytes(data)
    try:
        maps = load(saved)
    except MapsUnreadable as error:
        assert error.hint
    else:
        assert maps.as_names.names_of(np.array([64496, 64497], np.uint32)).keys() <= {64496, 64497}
    finally:
        (saved / name).unlink()  # the old bytes may still be mapped: they are never written over
        (saved / name).write_bytes(whole)


# The maps that ship with concentra.


@pytest.fixture(scope="module")
def shipped() -> Maps:
    return load(maps_directory())


@pytest.fixture(scope="module")
def provenance() -> Provenance:
    return msgspec.toml.decode((maps_directory() / map_files.PROVENANCE).read_bytes(), type=Provenance)


def rows_of(path: Path) -> int:
    """Return how many rows a file of the maps has, counted without the code that wrote it."""
    if path.suffix == ".npy":
        return len(np.load(path, mmap_mode="r"))
    if path.suffix == ".csv":
        return len(list(csv.reader(path.read_text(encoding="utf-8").splitlines()))) - 1
    if path.name == "regions.toml":
        return len(decode_regions(path.read_bytes()))
    return len(re.findall(r"^\[\[(provider|source)\]\]$", path.read_text(encoding="utf-8"), re.MULTILINE))


def test_shipped_files_are_those_in_provenance(provenance: Provenance) -> None:
    present = {path.name for path in maps_directory().iterdir() if path.is_file()}
    assert {output.file for output in provenance.output} == present - {map_files.PROVENANCE}
    assert len(provenance.output) == len(present) - 1


def test_shipped_files_have_the_digests_that_provenance_states(provenance: Provenance) -> None:
    digests = {
        output.file: hashlib.sha256((maps_directory() / output.file).read_bytes()).hexdigest()
        for output in provenance.output
    }
    assert digests == {output.file: output.sha256 for output in provenance.output}


def test_shipped_files_have_the_rows_that_provenance_states(provenance: Provenance) -> None:
    rows = {output.file: rows_of(maps_directory() / output.file) for output in provenance.output}
    assert rows == {output.file: output.rows for output in provenance.output}


def test_every_source_of_a_shipped_file_is_described(provenance: Provenance) -> None:
    names = [source.name for source in provenance.source]
    assert len(names) == len(set(names))
    assert {name for output in provenance.output for name in output.sources} == set(names)
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


def test_every_output_carries_the_licences_of_its_sources(provenance: Provenance) -> None:
    terms = {source.name: source.licence for source in provenance.source}
    for output in provenance.output:
        assert output.licence, output.file
        assert licences(output.licence) >= {
            name for source in output.sources for name in licences(terms[source])
        }, output.file


def in_order(start: np.ndarray[Any, Any]) -> bool:
    return bool((start[1:] > start[:-1]).all())


def test_shipped_ranges_cover_the_whole_space_in_strict_order(shipped: Maps) -> None:
    for ranges in (shipped.origin_v4, shipped.published_v4):
        assert int(ranges.start[0]) == 0
        assert in_order(ranges.start)
    for ranges in (shipped.origin_v6, shipped.published_v6):
        assert bytes(ranges.start[0]) == b""
        assert in_order(ranges.start)


def test_shipped_neighbours_differ(shipped: Maps) -> None:
    for origin in (shipped.origin_v4, shipped.origin_v6):
        assert ((origin.asn[1:] != origin.asn[:-1]) | (origin.country[1:] != origin.country[:-1])).all()
    for published in (shipped.published_v4, shipped.published_v6):
        assert (published.record[1:] != published.record[:-1]).all()


def test_shipped_countries_are_two_letters_or_none(shipped: Maps) -> None:
    codes = {
        code
        for origin in (shipped.origin_v4, shipped.origin_v6)
        for code in np.unique(origin.country).tolist()
    }
    assert {code for code in codes if not re.fullmatch(b"([A-Z]{2})?", code)} == set()
    assert {
        record.country for record in shipped.records if not re.fullmatch("[A-Z]{2}", record.country or "DE")
    } == set()
    for origin in (shipped.origin_v4, shipped.origin_v6):
        assert (origin.country[origin.asn == 0] == b"").all()


def test_shipped_records_are_distinct_and_all_in_use(shipped: Maps) -> None:
    assert len(set(shipped.records)) == len(shipped.records)
    used = set(np.unique(shipped.published_v4.record).tolist()) | set(
        np.unique(shipped.published_v6.record).tolist()
    )
    assert max(used) <= len(shipped.records)
    assert all(record.region is None for record in shipped.records if record.kind is Kind.EDGE)


def test_shipped_as_names_are_in_order_and_end_with_the_text(shipped: Maps) -> None:
    names = shipped.as_names
    assert in_order(names.asn)
    assert (np.diff(names.end.astype(np.int64)) >= 0).all()
    assert int(names.end[-1]) == len(names.text)
    assert names.names_of(np.array([13335, 16509], np.uint32)).keys() == {13335, 16509}


def test_shipped_maps_load_from_any_directory(shipped: Maps, tmp_path: Path) -> None:
    for path in maps_directory().iterdir():
        if path.is_file():
            shutil.copyfile(path, tmp_path / path.name)
    copied = load(tmp_path)
    assert (copied.as_of, copied.records) == (shipped.as_of, shipped.records)


def test_serialising_the_shipped_maps_gives_their_bytes(shipped: Maps) -> None:
    files: Mapping[str, tuple[bytes, int]] = map_files.serialise(shipped)
    assert {name: hashlib.sha256(data).hexdigest() for name, (data, _) in files.items()} == {
        name: hashlib.sha256((maps_directory() / name).read_bytes()).hexdigest() for name in files
    }


def test_an_output_without_sources_is_written_by_hand(provenance: Provenance) -> None:
    by_hand: list[Output] = [output for output in provenance.output if not output.sources]
    assert {output.file for output in by_hand} == {"providers.toml", "regions.toml", "sources.toml"}
