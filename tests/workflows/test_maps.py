"""Building maps out of a tiny set of sources, each as its publisher serves it."""

import bz2
import gzip
import hashlib
import io
import ipaddress
import json
import lzma
import os
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.attribution.made_maps import weighted

from concentra.adapters import map_files
from concentra.adapters.data_files import maps_directory
from concentra.adapters.input_files import InputMissing
from concentra.adapters.output_files import NotWritable
from concentra.attribution.attribute import attribute
from concentra.attribution.errors import MalformedSource
from concentra.attribution.evidence import Attribution, Contradiction
from concentra.attribution.map_tables import MapTables
from concentra.attribution.origin_readers import ORIGIN_READERS
from concentra.attribution.published_ranges import GENERIC_READERS, READERS
from concentra.errors import ConcentraError
from concentra.model.axes import Basis, Kind
from concentra.workflows.maps import LIBLOC_PATH, Provenance, build_maps

Run = Callable[..., "subprocess.CompletedProcess[str]"]

LOCATION = (Path(__file__).parents[1] / "data" / "location.db").read_bytes()
"""Written by tests/attribution/test_libloc.py, which says what is in it."""

PROVIDERS = """
[[provider]]
id = "cloud"
name = "Cloud"
kind = "hosting"
country = "DE"
asns = [64496, 64497]
holders = ["Beispiel GmbH"]
evidence = "made up"

[[provider]]
id = "aws"
name = "AWS"
kind = "hosting"
country = "US"
asns = [64499]
holders = ["Example Inc"]
evidence = "made up"
"""
REGIONS = """[aws]
DE = ["eu-central-1"]
US = ["us-east-1", "us-east-2"]
"""


def source(name: str, file: str, reader: str, licence: str = "CC0-1.0", limits: str = "") -> str:
    return (
        f'[[source]]\nname = "{name}"\nfile = "{file}"\nreader = "{reader}"\npublisher = "Example"\n'
        f'url = "https://example.net/{name}"\nlicence = "{licence}"\nas_of = 2026-01-02\n{limits}\n'
    )


SOURCES = [
    source("where", "asn/location_*.deb", "libloc-deb", "CC-BY-SA-4.0", 'limits = ["made up"]'),
    source("names", "asn/names.parquet", "as-names-parquet", "CC-BY-4.0"),
    source("list-b", "asn/hosting.txt", "hosting-lines", "MIT"),
    source("list-a", "asn/hosting.csv", "hosting-csv", "MIT"),
    source("amazon", "ranges/aws.json", "aws", "in words"),
    source("feed", "ranges/feed.csv", "digitalocean", "in words"),
]
AWS = {
    "prefixes": [
        {"ip_prefix": "198.51.100.0/25", "region": "eu-central-1", "service": "AMAZON"},
        {"ip_prefix": "198.51.100.0/25", "region": "eu-central-1", "service": "EC2"},
        {"ip_prefix": "198.51.100.0/28", "region": "GLOBAL", "service": "CLOUDFRONT"},
    ],
    "ipv6_prefixes": [{"ipv6_prefix": "2001:db8::/36", "region": "us-east-1", "service": "EC2"}],
}


def package(path: str = LIBLOC_PATH) -> bytes:
    """Return a .deb that installs the location database."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as members:
        member = tarfile.TarInfo(f"./{path}")
        member.size = len(LOCATION)
        members.addfile(member, io.BytesIO(LOCATION))
    data = lzma.compress(archive.getvalue())
    header = f"{'data.tar.xz':<16}{0:<12}{0:<6}{0:<6}{0o100644:<8o}{len(data):<10}`\n"
    return b"!<arch>\n" + header.encode() + data + b"\n" * (len(data) % 2)


def parquet(names: dict[int, str]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table({"asn": list(names), "name": list(names.values())}), out)
    return out.getvalue()


NAMES = {64499: "Example Inc", 64496: "Beispiel GmbH", 64497: "Beispiel GmbH", 64500: "例え株式会社"}
INPUTS: dict[str, bytes] = {
    "asn/location_2026.deb": package(),
    "asn/names.parquet": parquet(NAMES),
    "asn/hosting.txt": b"AS64500 # one\nAS64501 # two\n",
    "asn/hosting.csv": b"ASN,Entity\n64500,one\n64502,three\n",
    "ranges/aws.json": json.dumps(AWS).encode(),
    "ranges/feed.csv": b"192.0.2.192/26,NL,NL-NH,,\n",
}


def write(directory: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(data)


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    write(tmp_path / "inputs", INPUTS)
    return tmp_path / "inputs"


@pytest.fixture
def curated(tmp_path: Path) -> Path:
    by_hand = {"providers.toml": PROVIDERS, "regions.toml": REGIONS, "sources.toml": "".join(SOURCES)}
    write(tmp_path / "curated", {name: text.encode() for name, text in by_hand.items()})
    return tmp_path / "curated"


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def provenance(directory: Path) -> Provenance:
    return msgspec.toml.decode((directory / map_files.PROVENANCE).read_bytes(), type=Provenance)


def of(address: str, directory: Path) -> Attribution:
    """Return what the maps in the directory know of an address."""
    tables = map_files.open_tables(directory)
    parsed = ipaddress.ip_address(address)
    return tables.attribution(tables.row(parsed.version, int(parsed)).evidence)


def test_built_maps_attribute_what_the_sources_say(inputs: Path, curated: Path, tmp_path: Path) -> None:
    built = build_maps(inputs, curated, tmp_path / "maps")
    maps = map_files.load(built.directory)
    hosts = ["192.0.2.1", "192.0.2.193", "198.51.100.1", "198.51.100.17", "203.0.113.1", "2001:db8:0:1::1"]
    attributed = attribute(weighted(dict.fromkeys(hosts, 1)), maps)
    found = [attributed.attributions[key] for key in attributed.key.tolist()]
    assert [(one.asn, one.provider, one.region, one.country, one.kind) for one in found] == [
        (64496, "cloud", None, "DE", Kind.HOSTING),
        (64496, "digitalocean", "digitalocean/NL-NH", "NL", Kind.HOSTING),
        (64499, "aws", None, None, Kind.EDGE),
        (64499, "aws", "aws/eu-central-1", "DE", Kind.HOSTING),
        (None, None, None, None, None),
        (64500, "aws", "aws/us-east-1", "US", Kind.HOSTING),
    ]
    assert found[3].service == "ec2"
    facts = {asn: maps.tables.facts_of(asn) for asn in (64500, 64501, 64502)}
    assert {asn: known.lists for asn, known in facts.items()} == {
        64500: ("list-a", "list-b"),
        64501: ("list-b",),
        64502: ("list-a",),
    }
    assert facts[64500].name == "例え株式会社"
    assert str(maps.as_of) == "2026-01-02"


def test_the_same_inputs_give_the_same_bytes(inputs: Path, curated: Path, tmp_path: Path) -> None:
    build_maps(inputs, curated, tmp_path / "one")
    again = tmp_path / "again"
    write(again, dict(reversed(INPUTS.items())))
    for number, path in enumerate(sorted(again.rglob("*"))):
        os.utime(path, (number * 1000, number * 1000))
    build_maps(again, curated, tmp_path / "two")
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_a_process_with_another_hash_seed_gives_the_same_bytes(
    inputs: Path, curated: Path, tmp_path: Path, concentra: Run
) -> None:
    build_maps(inputs, curated, tmp_path / "here")
    for seed in ("1", "2"):
        done = concentra(
            "maps",
            "build",
            "--from",
            str(inputs),
            "--curated",
            str(curated),
            "--out",
            f"there-{seed}",
            PYTHONHASHSEED=seed,
        )
        assert (done.returncode, done.stdout) == (0, f"wrote 4 files from 6 sources to there-{seed}\n")
        assert done.stderr.splitlines() == [
            f"reading {name}" for name in ("where", "names", "list-b", "list-a", "amazon", "feed")
        ]
        assert contents(tmp_path / f"there-{seed}") == contents(tmp_path / "here")


def answers(tables: MapTables) -> list[object]:
    """Return every range with the lengths, the evidence and the attribution of its addresses."""
    columns = tables.sections
    v6 = [high << 64 | low for high, low in zip(columns["v6.high"], columns["v6.low"], strict=True)]
    rows = [tables.row(4, start) for start in columns["v4.start"]] + [tables.row(6, start) for start in v6]
    return [
        list(columns["v4.start"]),
        v6,
        [(row[1:], tables.evidence(row.evidence), tables.attribution(row.evidence)) for row in rows],
        [tables.facts_of(asn) for asn in columns["as.number"]],
    ]


def test_the_order_of_sources_changes_no_answer(inputs: Path, curated: Path, tmp_path: Path) -> None:
    """Where one table of origins is; the order of several is that of precedence."""
    build_maps(inputs, curated, tmp_path / "one")
    (curated / "sources.toml").write_text("".join(reversed(SOURCES)), encoding="utf-8")
    build_maps(inputs, curated, tmp_path / "two")
    one, two = (map_files.open_tables(tmp_path / name) for name in ("one", "two"))
    assert answers(one) == answers(two)
    assert [source.name for source in two.sources] == [source.name for source in reversed(one.sources)]


def test_maps_may_be_built_where_the_curated_files_lie(inputs: Path, curated: Path, tmp_path: Path) -> None:
    build_maps(inputs, curated, tmp_path / "maps")
    build_maps(inputs, curated, curated)
    assert contents(curated) == contents(tmp_path / "maps")


def test_every_file_is_in_provenance_with_its_digest_rows_and_licence(
    inputs: Path, curated: Path, tmp_path: Path
) -> None:
    built = build_maps(inputs, curated, tmp_path / "maps")
    found = provenance(tmp_path / "maps")
    files = contents(tmp_path / "maps")
    assert found.output == built.outputs
    assert {output.file for output in found.output} == files.keys() - {map_files.PROVENANCE}
    assert [output.file for output in found.output] == [
        "concentra.map", "providers.toml", "regions.toml", "sources.toml",
    ]  # fmt: skip
    for output in found.output:
        assert output.sha256 == hashlib.sha256(files[output.file]).hexdigest(), output.file
    assert [(output.rows, output.licence) for output in found.output] == [
        (8 + 4 + 2 + 2 + 4 + 1, "CC-BY-SA-4.0 AND CC-BY-4.0 AND MIT AND in words"),
        (2, "Apache-2.0"),
        (3, "Apache-2.0"),
        (6, "Apache-2.0"),
    ]
    assert (found.as_of.isoformat(), found.built_by.split()[0]) == ("2026-01-02", "concentra")


def test_every_source_is_in_provenance_as_it_was_read(inputs: Path, curated: Path, tmp_path: Path) -> None:
    build_maps(inputs, curated, tmp_path / "maps")
    found = provenance(tmp_path / "maps").source
    assert [(one.name, one.rows) for one in found] == [
        ("where", 8), ("names", 4), ("list-b", 2), ("list-a", 2), ("amazon", 4), ("feed", 1),
    ]  # fmt: skip
    assert found[4].sha256 == hashlib.sha256(INPUTS["ranges/aws.json"]).hexdigest()
    assert (found[0].limits, found[1].limits) == (("made up",), ())
    assert map_files.load(tmp_path / "maps").sources == found
    assert [one.use for one in map_files.open_tables(tmp_path / "maps").sources] == [
        "origins", "names", "hosting", "hosting", "ranges", "ranges",
    ]  # fmt: skip


def test_progress_names_each_source(inputs: Path, curated: Path, tmp_path: Path) -> None:
    told: list[str] = []
    build_maps(inputs, curated, tmp_path / "maps", progress=told.append)
    assert told == ["where", "names", "list-b", "list-a", "amazon", "feed"]


@pytest.mark.parametrize("name", sorted(INPUTS))
def test_a_missing_input_is_named_and_nothing_is_written(
    inputs: Path, curated: Path, tmp_path: Path, name: str
) -> None:
    (inputs / name).unlink()
    with pytest.raises(InputMissing, match="wanted one file, found 0"):
        build_maps(inputs, curated, tmp_path / "maps")
    assert not (tmp_path / "maps").exists()


@pytest.mark.parametrize("name", ["providers.toml", "regions.toml", "sources.toml"])
def test_a_missing_curated_file_is_named(inputs: Path, curated: Path, tmp_path: Path, name: str) -> None:
    (curated / name).unlink()
    with pytest.raises(InputMissing, match=f"{name}: wanted one file, found none in") as caught:
        build_maps(inputs, curated, tmp_path / "maps")
    assert (
        caught.value.hint
        == "--curated names the directory that holds providers.toml, regions.toml, sources.toml"
    )


def test_two_inputs_for_one_source_are_not_decided(inputs: Path, curated: Path, tmp_path: Path) -> None:
    (inputs / "asn" / "location_2027.deb").write_bytes(package())
    with pytest.raises(InputMissing, match="found 2"):
        build_maps(inputs, curated, tmp_path / "maps")


@pytest.mark.parametrize("name", sorted(INPUTS))
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"<!DOCTYPE html><title>503</title>\n", id="error-page"),
        pytest.param(b"\xff\xfe\x00", id="not-text"),
    ],
)
def test_a_damaged_input_is_refused_and_nothing_is_written(
    inputs: Path, curated: Path, tmp_path: Path, name: str, data: bytes
) -> None:
    (inputs / name).write_bytes(data)
    with pytest.raises(MalformedSource):
        build_maps(inputs, curated, tmp_path / "maps")
    assert not (tmp_path / "maps").exists()


def test_a_package_without_the_database_is_refused(inputs: Path, curated: Path, tmp_path: Path) -> None:
    (inputs / "asn" / "location_2026.deb").write_bytes(package(f"../{LIBLOC_PATH}"))
    with pytest.raises(MalformedSource, match=f"installs no {LIBLOC_PATH}"):
        build_maps(inputs, curated, tmp_path / "maps")


def test_tables_of_origins_spell_names_otherwise_and_contradict_no_curated_holder(
    inputs: Path, curated: Path, tmp_path: Path
) -> None:
    (curated / "sources.toml").write_text("".join(SOURCES[:1] + SOURCES[2:]))
    build_maps(inputs, curated, tmp_path / "out")
    assert map_files.load(tmp_path / "out").tables.facts_of(64499).provider == "aws"


@pytest.mark.parametrize(
    ("sources", "reason"),
    [
        pytest.param("", "source", id="nothing"),
        pytest.param("[[source]\n", "line 1", id="not-toml"),
        pytest.param('[[source]]\nname = "where"\n', "file", id="field-missing"),
        pytest.param(source("x", "x", "no-such"), "x: no reader is called 'no-such'", id="unknown-reader"),
        pytest.param("".join(SOURCES[1:]), "no source tells the origin AS", id="no-origins"),
        pytest.param("".join([*SOURCES, SOURCES[4]]), "two sources are called 'amazon'", id="same-name"),
        pytest.param(
            "".join([*SOURCES, source("other", "asn/names.parquet", "as-names-parquet")]),
            "two sources have the reader 'as-names-parquet'",
            id="two-name-tables",
        ),
    ],
)
def test_malformed_source_list(
    inputs: Path, curated: Path, tmp_path: Path, sources: str, reason: str
) -> None:
    (curated / "sources.toml").write_text(sources, encoding="utf-8")
    with pytest.raises(MalformedSource, match=reason):
        build_maps(inputs, curated, tmp_path / "maps")
    assert not (tmp_path / "maps").exists()


def test_an_unknown_reader_is_refused_before_anything_is_read(curated: Path, tmp_path: Path) -> None:
    (curated / "sources.toml").write_text("".join([*SOURCES, source("x", "x", "no-such")]), encoding="utf-8")
    with pytest.raises(MalformedSource, match="no reader is called 'no-such'"):
        build_maps(tmp_path / "empty", curated, tmp_path / "maps")


@pytest.mark.parametrize("name", ["providers.toml", "regions.toml", "sources.toml"])
def test_a_curated_file_that_is_not_text_is_refused(
    inputs: Path, curated: Path, tmp_path: Path, name: str
) -> None:
    (curated / name).write_bytes(b"\xff\xfe")
    with pytest.raises(MalformedSource, match=name):
        build_maps(inputs, curated, tmp_path / "maps")


def test_holders_that_the_registry_no_longer_names_stop_the_build(
    inputs: Path, curated: Path, tmp_path: Path
) -> None:
    (inputs / "asn" / "names.parquet").write_bytes(parquet({**NAMES, 64497: "Sold Ltd"}))
    with pytest.raises(MalformedSource, match="cloud: the holders listed and registered differ: 'Sold Ltd'"):
        build_maps(inputs, curated, tmp_path / "maps")
    assert not (tmp_path / "maps").exists()


def test_an_output_directory_that_cannot_be_made_is_said(inputs: Path, curated: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NotWritable) as caught:
        build_maps(inputs, curated, tmp_path / "file" / "maps")
    assert isinstance(caught.value, ConcentraError)


def test_a_failed_build_leaves_the_old_maps_alone(inputs: Path, curated: Path, tmp_path: Path) -> None:
    build_maps(inputs, curated, tmp_path / "maps")
    before = contents(tmp_path / "maps")
    (inputs / "ranges" / "feed.csv").write_bytes(b"")
    with pytest.raises(MalformedSource):
        build_maps(inputs, curated, tmp_path / "maps")
    assert contents(tmp_path / "maps") == before


# Other sources of origins than libloc's package, and of ranges than a provider's own format.

IPTOASN = (
    "192.0.2.0\t192.0.2.255\t64496\tDE\tBEISPIEL\n"
    "198.51.100.0\t198.51.100.127\t64499\tUS\tEXAMPLE-INC\n"
    "203.0.113.0\t203.0.113.255\t0\tNone\tNot routed\n"
    "2001:db8::\t2001:db8:ffff:ffff:ffff:ffff:ffff:ffff\t64497\tDE\tBEISPIEL-2\n"
)
UNNAMED = """
[[provider]]
id = "cloud"
name = "Cloud"
kind = "hosting"
country = "DE"
asns = [64496, 64497]
holders = ["BEISPIEL", "BEISPIEL-2"]
evidence = "made up"
"""


def build(tmp_path: Path, files: dict[str, bytes], *sources: str, providers: str = UNNAMED) -> Path:
    """Build maps of these sources alone."""
    by_hand = {"providers.toml": providers, "regions.toml": "", "sources.toml": "".join(sources)}
    write(tmp_path / "by-hand", {name: text.encode() for name, text in by_hand.items()})
    write(tmp_path / "files", files)
    return build_maps(tmp_path / "files", tmp_path / "by-hand", tmp_path / "maps").directory


@pytest.mark.parametrize(
    ("reader", "data", "rows"),
    [
        pytest.param("libloc", LOCATION, 8, id="libloc"),
        pytest.param("libloc", lzma.compress(LOCATION), 8, id="libloc-compressed-with-xz"),
        pytest.param("libloc-deb", package(), 8, id="libloc-in-a-package"),
        pytest.param("iptoasn-tsv", IPTOASN.encode(), 3, id="iptoasn"),
        pytest.param("iptoasn-tsv", gzip.compress(IPTOASN.encode()), 3, id="iptoasn-compressed-with-gzip"),
        pytest.param("caida-pfx2as", b"192.0.2.0\t24\t64496\n", 1, id="caida"),
        pytest.param("ris-whois", b"64496\t192.0.2.0/24\t300\n", 1, id="ris-whois"),
        pytest.param("ip-location-db-asn", b"192.0.2.0,192.0.2.255,64496,Beispiel\n", 1, id="ip-location-db"),
    ],
)
def test_any_table_of_origins_may_be_the_only_source(
    reader: str, data: bytes, rows: int, tmp_path: Path
) -> None:
    maps = build(tmp_path, {"origins": data}, source("where", "origins", reader), providers="provider = []")
    known = of("192.0.2.1", maps)
    assert (known.origins, known.provider, known.provider_basis) == ((64496,), "AS64496", Basis.BGP_ORIGIN)
    (described,) = map_files.load(maps).sources
    assert (described.name, described.rows) == ("where", rows)
    assert described.sha256 == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("reader", sorted({*ORIGIN_READERS, *READERS, *GENERIC_READERS}))
def test_every_reader_that_there_is_may_stand_in_the_list_of_sources(reader: str, tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    with pytest.raises(InputMissing, match="some-file: wanted one file, found 0"):
        build(tmp_path, {}, source("where", "some-file", reader))


def test_without_a_table_of_names_those_of_the_origins_are_used_and_the_first_comes_first(
    tmp_path: Path,
) -> None:
    second = b"192.0.2.0\t192.0.2.255\t64496\tDE\tOTHER\n198.51.100.0\t198.51.100.255\t64500\tNL\tFURTHER\n"
    maps = build(
        tmp_path,
        {"one.tsv": IPTOASN.encode(), "two.tsv": second},
        source("one", "one.tsv", "iptoasn-tsv"),
        source("two", "two.tsv", "iptoasn-tsv"),
    )
    tables = map_files.open_tables(maps)
    assert [tables.facts_of(asn).name for asn in (64496, 64497, 64499, 64500)] == [
        "BEISPIEL", "BEISPIEL-2", "EXAMPLE-INC", "FURTHER",
    ]  # fmt: skip


def test_names_of_the_origins_give_way_to_a_table_of_names(tmp_path: Path) -> None:
    maps = build(
        tmp_path,
        {
            "one.tsv": IPTOASN.encode(),
            "names.parquet": parquet({64496: "Beispiel GmbH", 64497: "Beispiel GmbH"}),
        },
        source("one", "one.tsv", "iptoasn-tsv"),
        source("names", "names.parquet", "as-names-parquet"),
        providers=PROVIDERS[: PROVIDERS.index("[[provider]]", 20)],
    )
    tables = map_files.open_tables(maps)
    assert [tables.facts_of(asn).name for asn in (64496, 64499)] == ["Beispiel GmbH", None]


def test_of_several_tables_of_origins_the_first_that_announces_is_followed(tmp_path: Path) -> None:
    files = {
        "country.csv": b"192.0.2.0,192.0.2.255,NL\n",
        "caida.txt": b"192.0.2.0\t24\t64496_64497\n",
        "iptoasn.tsv": IPTOASN.encode(),
    }
    maps = build(
        tmp_path,
        files,
        source("countries", "country.csv", "ip-location-db-country"),
        source("caida", "caida.txt", "caida-pfx2as"),
        source("iptoasn", "iptoasn.tsv", "iptoasn-tsv"),
    )
    known = of("192.0.2.1", maps)
    assert (known.origins, known.provider, known.country) == ((64496, 64497), "cloud", "NL")
    assert known.contradictions == (
        Contradiction("asn", "AS64496+AS64497", "caida", "AS64496", "iptoasn"),
        Contradiction("country", "NL", "countries", "DE", "iptoasn"),
    )
    beyond = of("198.51.100.1", maps)
    assert (beyond.origins, beyond.country, beyond.contradictions) == ((64499,), "US", ())


RIS = b"% This file was generated at Sat Aug 22 00:12:34 UTC 2026\n64496\t192.0.2.0/24\t300\n"


@pytest.mark.parametrize(
    ("sources", "as_of"),
    [
        pytest.param(["ris"], "2026-08-22", id="the-files-own-date"),
        pytest.param(["caida"], "2026-01-02", id="else-that-of-its-entry"),
        pytest.param(["caida", "ris"], "2026-01-02", id="of-the-first-table"),
        pytest.param(["countries", "ris"], "2026-08-22", id="of-the-first-that-names-an-origin"),
    ],
)
def test_maps_are_as_of_the_table_that_is_followed(sources: list[str], as_of: str, tmp_path: Path) -> None:
    readers = {"ris": "ris-whois", "caida": "caida-pfx2as", "countries": "ip-location-db-country"}
    files = {"ris": RIS, "caida": b"192.0.2.0\t24\t64496\n", "countries": b"192.0.2.0,192.0.2.255,NL\n"}
    entries = [source(name, name, readers[name]) for name in sources]
    maps = build(tmp_path, {name: files[name] for name in sources}, *entries, providers="provider = []")
    assert map_files.load(maps).as_of.isoformat() == provenance(maps).as_of.isoformat() == as_of
    dates = {"ris": "2026-08-22", "caida": "2026-01-02", "countries": "2026-01-02"}
    assert [one.as_of for one in map_files.open_tables(maps).sources] == [dates[name] for name in sources]


def test_a_table_of_countries_alone_tells_no_origin(tmp_path: Path) -> None:
    with pytest.raises(MalformedSource, match="no source tells the origin AS"):
        build(
            tmp_path,
            {"countries": b"192.0.2.0,192.0.2.255,NL\n"},
            source("countries", "countries", "ip-location-db-country"),
        )


CIDR_LIST = b"# ours\n192.0.2.0/25\n2001:db8::/33 ; v6\n"


@pytest.mark.parametrize(
    ("reader", "data", "further", "expected"),
    [
        pytest.param("cidr-list", CIDR_LIST, "", (Kind.HOSTING, None, "DE"), id="list"),
        pytest.param("cidr-list", bz2.compress(CIDR_LIST), 'kind = "edge"', (Kind.EDGE, None, "DE"), id="list-of-edges"),
        pytest.param("geofeed", b"192.0.2.0/25,NL,NL-NH,Amsterdam,\n2001:db8::/33,NL,,,\n", "",
                     (Kind.HOSTING, "host/NL-NH", "NL"), id="geofeed"),
    ],
)  # fmt: skip
def test_ranges_of_any_provider_are_read_with_its_name(
    reader: str, data: bytes, further: str, expected: tuple[Kind, str | None, str], tmp_path: Path
) -> None:
    maps = build(
        tmp_path,
        {"iptoasn.tsv": IPTOASN.encode(), "ranges": data},
        source("iptoasn", "iptoasn.tsv", "iptoasn-tsv"),
        source("host-ranges", "ranges", reader, limits=f'provider = "host"\n{further}'),
    )
    known = of("192.0.2.1", maps)
    assert (known.provider, known.provider_basis) == ("host", Basis.PUBLISHED_RANGE)
    assert (known.kind, known.region, known.country) == expected
    assert of("2001:db8::1", maps).provider == "host"
    assert of("192.0.2.129", maps).provider == "cloud"
    assert [(one.name, one.use, one.rows) for one in map_files.open_tables(maps).sources] == [
        ("iptoasn", "origins", 3),
        ("host-ranges", "ranges", 2),
    ]


@pytest.mark.parametrize(
    ("reader", "further", "reason"),
    [
        pytest.param("cidr-list", "", "told which", id="of-nobody"),
        pytest.param(
            "cloudflare", 'provider = "host"', "knows provider and kind itself", id="of-somebody-else"
        ),
        pytest.param("cloudflare", 'kind = "edge"', "knows provider and kind itself", id="of-another-kind"),
        pytest.param("cidr-list", 'provider = "host"\nkind = "cloud"', "kind", id="of-no-kind"),
    ],
)
def test_ranges_whose_provider_is_not_clear_are_refused_and_nothing_is_written(
    reader: str, further: str, reason: str, tmp_path: Path
) -> None:
    with pytest.raises(ConcentraError, match=reason):
        build(
            tmp_path,
            {"iptoasn.tsv": IPTOASN.encode(), "ranges": CIDR_LIST},
            source("iptoasn", "iptoasn.tsv", "iptoasn-tsv"),
            source("host-ranges", "ranges", reader, limits=further),
        )
    assert not (tmp_path / "maps").exists()


def test_front_ends_of_a_provider_are_edges_where_no_range_lists_them(tmp_path: Path) -> None:
    maps = build(
        tmp_path,
        {"iptoasn.tsv": IPTOASN.encode(), "ranges": b"2001:db8::/33\n"},
        source("iptoasn", "iptoasn.tsv", "iptoasn-tsv"),
        source("ranges", "ranges", "cidr-list", limits='provider = "cloud"'),
        providers=UNNAMED + "edge_asns = [64497]\n",
    )
    assert [of(address, maps).kind for address in ("192.0.2.1", "2001:db8::1", "2001:db8:8000::")] == [
        Kind.HOSTING, Kind.HOSTING, Kind.EDGE,
    ]  # fmt: skip
    assert of("2001:db8:8000::", maps).kind_basis == "curated"


def test_the_command_line_says_what_is_wrong_and_what_to_do(
    inputs: Path, curated: Path, concentra: Run
) -> None:
    (inputs / "asn" / "names.parquet").unlink()
    done = concentra("maps", "build", "--from", str(inputs), "--curated", str(curated), "--quiet")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"concentra: asn/names.parquet: wanted one file, found 0 below {inputs}",
        "  hint: --from names the directory that holds the inputs",
    ]
    assert done.stdout == ""


def test_the_shipped_source_list_names_readers_that_exist() -> None:
    """Building the shipped maps needs inputs that do not ship; their list must still be sound."""
    with pytest.raises(InputMissing, match="libloc-database"):
        build_maps(Path("/nonexistent"), maps_directory(), Path("/nonexistent/maps"))
