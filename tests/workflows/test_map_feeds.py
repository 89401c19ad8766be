"""The feeds file: what is shipped can be used, and what is misspelt is refused before anything is fetched."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from concentra.adapters.data_files import maps_directory
from concentra.attribution.errors import MalformedSource
from concentra.attribution.map_profile import Distance
from concentra.attribution.origin_readers import ORIGIN_READERS
from concentra.attribution.published_ranges import GENERIC_READERS, READERS
from concentra.errors import UnreadableFile
from concentra.model.axes import Kind
from concentra.workflows.map_feeds import read_feeds
from concentra.workflows.maps import Input, check_sources, listed_sources

CHECKS = """[checks]
announced_ipv4 = { fall = 5, rise = 6 }
announced_48s = { fall = 5, rise = 6 }
provider_share = { fall = 5, rise = 6 }
largest = 20
published_ranges = { fall = 5, rise = 6 }
listed_as_numbers = { fall = 5, rise = 6 }
"""
FEED = """
[[feed]]
name = "one"
url = "https://example.net/one"
reader = "cidr-list"
provider = "example"
kind = "edge"
publisher = "Example"
licence = "MIT"
max_megabytes = 1
limits = ["made up"]
"""
PACKAGED = f"""
[[packaged]]
name = "two"
file = "package:example/two.json"
sha256 = "{"0a" * 32}"
as_of = 2026-10-26
reader = "aws"
publisher = "Example"
url = "https://example.net/two"
licence = "MIT"
without = "without it"
"""
WHOLE = CHECKS + FEED + PACKAGED
REFERENCE = (Path(__file__).parents[2] / "docs" / "reference" / "maps.md").read_text(encoding="utf-8")
EXAMPLE = Input(
    name="example", file="", reader="", publisher="", licence="", as_of=date(2026, 11, 22), url=""
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "feeds.toml"


def test_a_feeds_file_is_read(file: Path) -> None:
    file.write_text(WHOLE, encoding="utf-8")
    feeds = read_feeds(file)
    assert (feeds.file, feeds.allowed.largest) == ("feeds.toml", 20)
    assert feeds.allowed.announced_ipv4 == Distance(fall=5, rise=6)
    [feed], [packaged] = feeds.feeds, feeds.packaged
    assert (feed.provider, feed.kind, feed.max_megabytes, feed.limits) == (
        "example",
        Kind.EDGE,
        1,
        ("made up",),
    )
    assert (packaged.file, packaged.without) == ("package:example/two.json", "without it")


def test_the_shipped_feeds_cover_every_provider_that_the_shipped_maps_read() -> None:
    feeds = read_feeds(None)
    shipped = listed_sources((maps_directory() / "sources.toml").read_bytes())
    ranges = {source.reader for source in shipped if source.reader in READERS}
    assert ranges <= {entry.reader for entry in (*feeds.feeds, *feeds.packaged)}
    assert all(feed.url.startswith("https://") for feed in feeds.feeds)
    assert feeds.feeds[0].reader == "libloc"


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        pytest.param("[checks]", "[check]", "unknown field `check`", id="table"),
        pytest.param(CHECKS, "", "missing required field `checks`", id="no-checks"),
        pytest.param("largest", "biggest", "missing required field `largest`", id="check-misspelt"),
        pytest.param("fall = 5", "fall = -5", ">= 0", id="below-zero"),
        pytest.param("fall = 5", "fall = 101", "<= 100", id="falls-below-nothing"),
        pytest.param("rise = 6", "rise = 0.5", "Expected `int`", id="no-whole-percent"),
        pytest.param("largest = 20", "largest = 0", ">= 1", id="of-none"),
        pytest.param(FEED, "", "missing required field `feed`", id="no-feeds"),
        pytest.param("max_megabytes", "max_bytes", "unknown field `max_bytes`", id="field-misspelt"),
        pytest.param("max_megabytes = 1", "max_megabytes = 0", ">= 1", id="nothing-may-come"),
        pytest.param("max_megabytes = 1", "max_megabytes = 9999", "<= 536", id="more-than-is-read"),
        pytest.param('licence = "MIT"\nmax', "max", "missing required field `licence`", id="no-licence"),
        pytest.param('licence = "MIT"', 'licence = ""', "length >= 1", id="empty-licence"),
        pytest.param('name = "one"', 'name = "../one"', "matching regex", id="name-is-a-path"),
        pytest.param('name = "one"', 'name = "one.fetched.json"', "matching regex", id="name-of-a-note"),
        pytest.param('name = "one"', 'name = "one\\n"', "matching regex", id="name-with-line-end"),
        pytest.param('kind = "edge"', 'kind = "cdn"', "Invalid enum value 'cdn'", id="kind"),
        pytest.param("package:example/", "/etc/", "matching regex", id="file-of-no-package"),
        pytest.param("0a" * 32, "0a", "matching regex", id="digest"),
        pytest.param('without = "without it"', "", "missing required field `without`", id="no-words"),
        pytest.param(WHOLE, "[checks\n", "Expected ']'", id="not-toml"),
    ],
)
def test_a_feeds_file_of_another_form_is_refused(file: Path, old: str, new: str, found: str) -> None:
    assert old in WHOLE
    file.write_text(WHOLE.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(UnreadableFile, match=re.escape(found)) as caught:
        read_feeds(file)
    assert str(caught.value).startswith("feeds.toml: ")


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ('reader = "aws"', 'reader = "azur"', "feeds.toml: two: no reader is called 'azur'"),
        ('name = "two"', 'name = "one"', "feeds.toml: two sources are called 'one'"),
    ],
    ids=["reader", "name"],
)
def test_entries_that_cannot_be_read_together_are_refused(file: Path, old: str, new: str, found: str) -> None:
    file.write_text(WHOLE.replace(old, new), encoding="utf-8")
    with pytest.raises(MalformedSource, match=re.escape(found)):
        read_feeds(file)


@pytest.mark.parametrize("data", [None, b"\xff"], ids=["missing", "not-text"])
def test_a_file_that_cannot_be_read_is_named(file: Path, data: bytes | None) -> None:
    if data is not None:
        file.write_bytes(data)
    with pytest.raises(UnreadableFile, match=r"feeds\.toml"):
        read_feeds(file)


# The reference.


def test_the_reference_names_every_reader_with_an_example_of_a_file() -> None:
    rows = dict(re.findall(r"^\| `([\w-]+)` \| `([^`]+)`", REFERENCE, re.MULTILINE))
    others = {"libloc", "libloc-deb", "as-names-parquet", "hosting-lines", "hosting-csv"}
    assert rows.keys() >= {*READERS, *GENERIC_READERS, *ORIGIN_READERS, *others}
    for reader in {*READERS, *GENERIC_READERS, *ORIGIN_READERS, *others}:
        check_sources([replace(EXAMPLE, reader=reader)])


def test_the_examples_of_the_reference_can_be_read(file: Path) -> None:
    feed, packaged, sources = re.findall(r"^```toml\n(.*?)^```$", REFERENCE, re.MULTILINE | re.DOTALL)
    file.write_text(CHECKS + feed + packaged, encoding="utf-8")
    feeds = read_feeds(file)
    assert feeds.packaged == read_feeds(None).packaged
    assert [one.reader for one in listed_sources(sources.encode())] == [
        "ris-whois",
        "iptoasn-tsv",
        "aws",
        "cidr-list",
    ]


def test_the_reference_states_the_shipped_distances() -> None:
    allowed = read_feeds(None).allowed
    rows = re.findall(r"^\| `(\w+)` \| .* \| (\d+) % \| (\d+) % \|$", REFERENCE, re.MULTILINE)
    assert {name: Distance(fall=int(fall), rise=int(rise)) for name, fall, rise in rows} == {
        name: getattr(allowed, name)
        for name in (
            "announced_ipv4",
            "announced_48s",
            "provider_share",
            "published_ranges",
            "listed_as_numbers",
        )
    }
    assert f"each of the `largest` ({allowed.largest}) providers" in REFERENCE
