"""Building maps out of a tiny set of sources, each as its publisher serves it."""

import hashlib
import io
import json
import lzma
import os
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from concentra.adapters import map_files
from concentra.adapters.data_files import maps_directory
from concentra.adapters.input_files import InputMissing
from concentra.adapters.output_files import NotWritable
from concentra.attribution.attribute import attribute
from concentra.attribution.errors import MalformedSource
from concentra.errors import ConcentraError
from concentra.model.axes import Kind
from concentra.model.population import IPV6_BYTES, WeightedAddresses
from concentra.workflows.maps import LIBLOC_PATH, build_maps

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


def provenance(directory: Path) -> map_files.Provenance:
    return msgspec.toml.decode((directory / map_files.PROVENANCE).read_bytes(), type=map_files.Provenance)


def test_built_maps_attribute_what_the_sources_say(inputs: Path, curated: Path, tmp_path: Path) -> None:
    built = build_maps(inputs, curated, tmp_path / "maps")
    maps = map_files.load(built.directory)
    hosts = ["192.0.2.1", "192.0.2.193", "198.51.100.1", "198.51.100.17", "203.0.113.1"]
    addresses = WeightedAddresses(
        v4=np.array([int.from_bytes(bytes(map(int, host.split("."))), "big") for host in hosts], np.uint32),
        v4_weight=np.ones(len(hosts), np.int64),
        v6=np.array([bytes.fromhex("20010db8000000010000000000000001")], IPV6_BYTES),
        v6_weight=np.ones(1, np.int64),
    )
    attributed = attribute(addresses, maps)
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
    assert maps.hosting_lists == {64500: ("list-a", "list-b"), 64501: ("list-b",), 64502: ("list-a",)}
    assert maps.as_names.names_of(np.array([64500], np.uint32)) == {64500: "例え株式会社"}
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
        assert (done.returncode, done.stdout) == (0, f"wrote 18 files from 6 sources to there-{seed}\n")
        assert done.stderr.splitlines() == [
            f"reading {name}" for name in ("where", "names", "list-b", "list-a", "amazon", "feed")
        ]
        assert contents(tmp_path / f"there-{seed}") == contents(tmp_path / "here")


def test_the_order_of_sources_changes_no_table(inputs: Path, curated: Path, tmp_path: Path) -> None:
    build_maps(inputs, curated, tmp_path / "one")
    (curated / "sources.toml").write_text("".join(reversed(SOURCES)), encoding="utf-8")
    build_maps(inputs, curated, tmp_path / "two")
    one, two = contents(tmp_path / "one"), contents(tmp_path / "two")
    assert {name for name in one if one[name] != two[name]} == {"PROVENANCE.toml", "sources.toml"}


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
    tables, by_hand = found.output[:-3], found.output[-3:]
    assert [output.file for output in tables] == sorted(output.file for output in tables)
    assert [output.file for output in by_hand] == ["providers.toml", "regions.toml", "sources.toml"]
    for output in found.output:
        assert output.sha256 == hashlib.sha256(files[output.file]).hexdigest(), output.file
    by_file = {output.file: (output.rows, output.sources, output.licence) for output in found.output}
    assert by_file["origin.v4.start.npy"] == (8, ("where",), "CC-BY-SA-4.0")
    assert by_file["origin.v6.country.npy"] == (7, ("where",), "CC-BY-SA-4.0")
    assert by_file["as_names.asn.npy"] == (4, ("names",), "CC-BY-4.0")
    assert by_file["hosting_asns.csv"] == (3, ("list-b", "list-a"), "MIT")
    assert by_file["published.records.csv"] == (5, ("amazon", "feed"), "in words")
    assert by_file["published.v4.start.npy"][1:] == (("amazon", "feed"), "in words")
    assert by_file["providers.toml"] == (2, (), "Apache-2.0")
    assert by_file["regions.toml"] == (3, (), "Apache-2.0")
    assert by_file["sources.toml"] == (6, (), "Apache-2.0")


def test_every_source_is_in_provenance_as_it_was_read(inputs: Path, curated: Path, tmp_path: Path) -> None:
    build_maps(inputs, curated, tmp_path / "maps")
    found = provenance(tmp_path / "maps").source
    assert [(one.name, one.rows) for one in found] == [
        ("where", 15), ("names", 4), ("list-b", 2), ("list-a", 2), ("amazon", 4), ("feed", 1),
    ]  # fmt: skip
    assert found[4].sha256 == hashlib.sha256(INPUTS["ranges/aws.json"]).hexdigest()
    assert (found[0].limits, found[1].limits) == (("made up",), ())


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


@pytest.mark.parametrize(
    ("sources", "reason"),
    [
        pytest.param("", "source", id="nothing"),
        pytest.param("[[source]\n", "line 1", id="not-toml"),
        pytest.param('[[source]]\nname = "where"\n', "file", id="field-missing"),
        pytest.param(source("x", "x", "no-such"), "x: no reader is called 'no-such'", id="unknown-reader"),
        pytest.param("".join(SOURCES[1:]), "no source has the reader libloc-deb", id="no-origins"),
        pytest.param("".join([*SOURCES, SOURCES[4]]), "two sources are called 'amazon'", id="same-name"),
        pytest.param(
            "".join([*SOURCES, source("other", "asn/location_2026.deb", "libloc-deb")]),
            "two sources have the reader 'libloc-deb'",
            id="two-origin-tables",
        ),
        pytest.param(
            "".join([*SOURCES, source("other", "asn/names.parquet", "as-names-parquet")]),
            "two sources have the reader 'as-names-parquet'",
            id="two-name-tables",
        ),
        pytest.param(
            "".join(SOURCES[:1] + SOURCES[2:]), "the holders listed and registered differ", id="no-names"
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
