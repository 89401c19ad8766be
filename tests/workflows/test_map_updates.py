"""Updates from a server on loopback, most of which go wrong: the maps in use must not notice."""

from __future__ import annotations

import json
import lzma
import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from tests.loopback import Reply, answer, endless, ok, redirect, silence
from tests.made_feeds import (
    ASKED,
    FEEDS,
    FILES,
    LIMITS,
    NAMES,
    PACKAGED,
    PROVIDERS,
    READERS,
    ROUTES,
    TODAY,
    World,
    aws,
    names,
    routes,
    world_in,
)

from concentra.adapters import map_files
from concentra.adapters.downloads import (
    AnswerTooLarge,
    AnswerTooSlow,
    AnswerTruncated,
    Limits,
    TargetRefused,
    UnexpectedStatus,
)
from concentra.adapters.map_store import MapStore, StoreDamaged, UpdateRunning, default_root
from concentra.attribution.map_state import InUse, Outcome
from concentra.model.provenance import Source
from concentra.workflows import map_updates
from concentra.workflows.map_sets import MapsDamaged, map_status, maps_in_use, roll_back
from concentra.workflows.map_updates import UNDATED, FeedUnusable, TooFar
from concentra.workflows.maps import build_maps, listed_sources, sha256_of

HASTY = replace(LIMITS, read_timeout_s=0.1)
"""For servers that fall silent."""
BRIEF = replace(LIMITS, total_s=0.2)
"""For servers that keep on sending a little."""


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with world_in(tmp_path, monkeypatch) as made:
        yield made


@pytest.fixture
def updated(world: World) -> World:
    """Install the maps of all feeds."""
    world.update()
    world.asked()
    return world


def sources() -> dict[str, Source]:
    return {source.name: source for source in map_status(today=TODAY).sources}


# What goes well.


def test_an_update_installs_maps_of_what_was_fetched(world: World) -> None:
    told: list[str] = []
    done = world.update(progress=told.append)
    assert (done.outcome, done.as_of, done.feeds, done.changed) == (Outcome.INSTALLED, TODAY, 6, FEEDS)
    assert done.before == InUse(directory=world.shipped, shipped=True, as_of=date(2026, 8, 22))
    installed = default_root() / "2026-11-22"
    assert done.now == maps_in_use() == InUse(directory=installed, shipped=False, as_of=TODAY)
    assert (done.failed, done.warnings, done.skipped) == ((), (), ())
    assert len(done.figures) == 3 + 3 + 2  # two providers and one AS; two providers with ranges
    names = {path.name for path in installed.iterdir()}
    assert names == {"concentra.map", "providers.toml", "regions.toml", "sources.toml", "PROVENANCE.toml"}
    assert told[:2] == ["fetching routes", f"  {len(FILES['routes'])} bytes, changed"]
    assert told[-2:] == ["building", "comparing"]


def test_the_new_maps_say_what_the_feeds_say(world: World) -> None:
    world.serve(routes=routes(ROUTES | {"198.51.100.0/24": 64499}), aws=aws(5))
    world.update(accept=True)
    tables = map_files.open_tables(maps_in_use().directory)
    found = [tables.attribution(tables.row(one.version, int(one)).evidence) for one in ASKED]
    assert [(one.origins, one.provider, one.region) for one in found] == [
        ((64496,), "cloud", "cloud/NL-NH"),
        ((64499,), "aws", None),
        ((64499,), "aws", "aws/us-east-1"),
        ((64499,), "aws", None),
    ]


def test_a_source_has_the_date_of_its_file_else_of_the_server_else_of_the_fetch(world: World) -> None:
    world.server.will("/list-a", ok(FILES["list-a"]))
    world.server.will("/aws", ok(FILES["aws"], "Last-Modified: Mon, 23 Nov 2026 01:00:00 GMT"))
    world.serve(routes=routes(generated="Fri Nov 20 08:00:01 UTC 2026"))
    world.update()
    found = sources()
    assert {name: source.as_of for name, source in found.items()} == {
        "routes": date(2026, 11, 20),
        "names": date(2026, 11, 21),
        "list-a": TODAY,
        "list-b": date(2026, 11, 21),
        "aws": TODAY,  # not of tomorrow
        "cloud": date(2026, 11, 21),
    }
    assert found["list-a"].limits == ("made up", UNDATED)
    assert found["aws"].limits == ("made up",)
    assert found["aws"].rows == 8
    assert maps_in_use().as_of == date(2026, 11, 20)
    listed = listed_sources((maps_in_use().directory / "sources.toml").read_bytes())
    assert {source.name: source.as_of for source in listed} == {
        name: source.as_of for name, source in found.items()
    }


def test_the_installed_set_can_be_built_again_from_what_was_fetched(updated: World) -> None:
    installed = maps_in_use().directory
    again = build_maps(updated.downloads, installed, updated.directory / "again").directory
    for path in installed.iterdir():
        assert (again / path.name).read_bytes() == path.read_bytes()


def test_libloc_is_read_as_ipfire_serves_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    location = bytearray((Path(__file__).parents[1] / "data" / "location.db").read_bytes())
    struct.pack_into(">Q", location, 8, int(datetime(2026, 11, 19, 5, tzinfo=UTC).timestamp()))
    monkeypatch.setitem(READERS, "routes", "libloc")
    world.serve(routes=lzma.compress(bytes(location)))
    assert world.update(accept=True).as_of == date(2026, 11, 19)


def test_nothing_is_installed_if_nothing_changed(updated: World) -> None:
    before = updated.state()
    done = updated.update()
    assert (done.outcome, done.changed, done.figures) == (Outcome.UNCHANGED, (), ())
    assert done.now == done.before == maps_in_use()
    assert updated.state() == before
    assert all(validator is not None for validator in updated.asked().values())


def test_what_says_unchanged_and_what_sends_the_same_again_are_alike(updated: World) -> None:
    updated.server.will(
        "/aws", ok(FILES["aws"], 'ETag: "other"', "Last-Modified: Sat, 21 Nov 2026 10:00:00 GMT")
    )
    assert updated.update().outcome is Outcome.UNCHANGED


def test_one_file_that_changed_is_one_more_set(updated: World) -> None:
    updated.serve(aws=aws(6))
    done = updated.update()
    assert (done.outcome, done.changed) == (Outcome.INSTALLED, ("aws",))
    assert done.now.directory == default_root() / "2026-11-22.2"
    assert [one.name for one in MapStore(default_root()).installed()] == ["2026-11-22", "2026-11-22.2"]
    assert done.before.directory == default_root() / "2026-11-22"


def test_another_version_of_concentra_builds_anew(updated: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(map_updates, "BUILT_BY", "concentra 0.2.0")
    assert updated.update().outcome is Outcome.INSTALLED


def test_other_curated_tables_build_anew(updated: World) -> None:
    updated.ship(PROVIDERS.replace('name = "cloud"', 'name = "Cloud"'))
    assert updated.update().outcome is Outcome.INSTALLED
    assert map_files.open_tables(maps_in_use().directory).names["cloud"] == "Cloud"


def test_another_licence_in_the_feeds_builds_anew(updated: World, monkeypatch: pytest.MonkeyPatch) -> None:
    path = updated.feeds()
    path.write_text(path.read_text(encoding="utf-8").replace("CC0-1.0", "MIT"), encoding="utf-8")
    monkeypatch.setattr(World, "feeds", lambda _: path)
    assert updated.update().outcome is Outcome.INSTALLED
    assert {source.licence for source in sources().values()} == {"MIT"}


def test_what_was_kept_from_an_update_that_failed_is_not_taken_for_installed(updated: World) -> None:
    updated.serve(aws=aws(1))
    with pytest.raises(TooFar):
        updated.update()
    done = updated.update(accept=True)
    assert (done.outcome, done.changed) == (Outcome.INSTALLED, ())


def test_a_provider_that_is_registered_under_another_name_is_a_warning(world: World) -> None:
    world.serve(names=names(NAMES | {64496: "Sold Ltd"}))
    done = world.update()
    assert done.outcome is Outcome.INSTALLED
    assert done.warnings == ("cloud: the holders listed and registered differ: 'Beispiel GmbH', 'Sold Ltd'",)


def test_a_name_that_the_feeds_lack_is_no_other_name(world: World) -> None:
    world.serve(names=names({64497: "Sample Ltd"}))
    assert world.update().warnings == ()
    world.serve(names=names({64497: "Sample Limited"}))
    assert world.update().warnings == ()  # nor where the maps in use lack it too


# Files of Python packages.


@pytest.fixture
def package(world: World, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where the file of an installed package may lie."""
    directory = world.directory / "site" / "concentra_made_up"
    directory.mkdir(parents=True)
    (directory / "__init__.py").write_bytes(b"")
    monkeypatch.syspath_prepend(str(directory.parent))
    return directory / "ranges.json"


RANGES = json.dumps({"addresses": ["198.51.100.0/28"], "ipv6_addresses": []}).encode()


def describe(world: World, data: bytes) -> None:
    world.packaged = PACKAGED.format(sha256=sha256_of(data))


def test_a_file_of_a_package_is_a_source_of_the_day_that_is_stated(world: World, package: Path) -> None:
    package.write_bytes(RANGES)
    describe(world, RANGES)
    assert world.update().skipped == ()
    assert sources()["fastly"].as_of == date(2026, 10, 26)
    assert world.update().outcome is Outcome.UNCHANGED


@pytest.mark.parametrize(
    ("data", "reason"),
    [(None, "none in that package"), (RANGES + b"\n", "is not the file that is dated 2026-10-26")],
    ids=["missing", "another-version"],
)
def test_maps_without_a_file_of_a_package_say_so(
    world: World, package: Path, data: bytes | None, reason: str
) -> None:
    if data is not None:
        package.write_bytes(data)
    describe(world, RANGES)
    done = world.update()
    assert done.outcome is Outcome.INSTALLED
    [sentence] = done.skipped
    assert sentence.startswith("fastly: ")
    assert reason in sentence
    assert sources()["routes"].limits == ("made up", "Fastly's ranges were left out")
    assert "fastly" not in sources()


def test_the_ranges_of_a_package_that_is_gone_are_not_compared(world: World, package: Path) -> None:
    package.write_bytes(RANGES)
    describe(world, RANGES)
    world.update()
    package.unlink()
    done = world.update()
    assert done.outcome is Outcome.INSTALLED
    assert not any("fastly" in figure.name for figure in done.figures)


# What goes wrong.

HTML = b"<!DOCTYPE html><title>503 Service Unavailable</title>\n"
FLIPPED = bytearray(FILES["routes"])
FLIPPED[len(FLIPPED) // 2] ^= 0x10
HUGE = answer("200 OK", "Content-Length: 1000001")
CHUNKED = answer("200 OK", "Transfer-Encoding: chunked")

FAILING: list[tuple[str, str, Reply, Limits, type[Exception], str]] = [
    ("truncated", "aws", ok(aws(7))[:-1], LIMITS, AnswerTruncated, "broke off"),
    ("truncated-at-a-line", "list-a", ok(b"AS64496 # one\n").replace(b": 14", b": 29"), LIMITS, AnswerTruncated, "broke"),
    ("bit-flip", "routes", ok(bytes(FLIPPED)), LIMITS, FeedUnusable, "routes: what was fetched cannot be used"),
    ("cut-before-it-was-sent", "routes", ok(FILES["routes"][:-9]), LIMITS, FeedUnusable, "damaged gzip"),
    ("page-for-json", "aws", ok(HTML), LIMITS, FeedUnusable, "aws: what was fetched cannot be used: aws: not JSON"),
    ("page-for-a-list", "list-a", ok(HTML), LIMITS, FeedUnusable, "wanted lines like"),
    ("page-for-a-table", "cloud", ok(HTML), LIMITS, FeedUnusable, "cloud: what was fetched"),
    ("another-form", "aws", ok(b"{}"), LIMITS, FeedUnusable, "wanted a list under 'prefixes'"),
    ("no-rows", "aws", ok(aws(0)), LIMITS, FeedUnusable, "holds no prefix"),
    ("empty", "cloud", ok(b""), LIMITS, FeedUnusable, "holds no prefix"),
    ("huge", "aws", HUGE, LIMITS, AnswerTooLarge, "found 1000001 bytes, wanted at most 1000000"),
    ("huge-without-end", "aws", endless(CHUNKED, b"2000\r\n" + bytes(8192) + b"\r\n"), LIMITS, AnswerTooLarge, "more than 1000000"),
    ("silent", "aws", silence(ok(aws(7))[:-5]), HASTY, AnswerTooSlow, "was silent for 0.1 s"),
    ("dripping", "cloud", endless(CHUNKED, b"1\r\na\r\n", 0.02), BRIEF, AnswerTooSlow, "not complete after 0.2 s"),
    ("other-scheme", "aws", redirect("ftp://192.0.2.1/ranges"), LIMITS, TargetRefused, "scheme 'ftp'"),
    ("file-of-this-machine", "aws", redirect("file:///etc/hostname"), LIMITS, TargetRefused, "scheme 'file'"),
    ("private-address", "aws", redirect("https://10.0.0.1/ranges"), LIMITS, TargetRefused, "found 10.0.0.1"),
    ("not-found", "cloud", answer("404 Not Found", "Content-Length: 0"), LIMITS, UnexpectedStatus, "HTTP 404"),
    ("server-error", "routes", answer("500 Oh", "Content-Length: 0"), LIMITS, UnexpectedStatus, "HTTP 500"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("feed", "reply", "limits", "error", "reason"),
    [row[1:] for row in FAILING],
    ids=[row[0] for row in FAILING],
)
def test_the_maps_in_use_do_not_notice_a_feed_that_fails(
    updated: World, feed: str, reply: Reply, limits: Limits, error: type[Exception], reason: str
) -> None:
    before = updated.state()
    updated.server.will(f"/{feed}", reply)
    updated.serve(**{"list-b": b"ASN,Entity\n64497,two\n"})
    with pytest.raises(error, match=reason) as caught:
        updated.update(limits=limits)
    assert caught.value.hint  # type: ignore[attr-defined]
    assert updated.state() == before


def test_a_failure_of_the_first_update_leaves_the_shipped_maps_in_use(world: World) -> None:
    world.server.will("/cloud", answer("500 Oh", "Content-Length: 0"))
    with pytest.raises(UnexpectedStatus):
        world.update()
    assert maps_in_use().shipped
    assert MapStore(default_root()).installed() == []


@pytest.mark.parametrize("stage", ["fetching aws", "reading aws", "building", "comparing"])
def test_an_interrupt_leaves_the_maps_in_use_as_they_were(updated: World, stage: str) -> None:
    def interrupt(told: str) -> None:
        if told == stage:
            raise KeyboardInterrupt

    before = updated.state()
    updated.serve(aws=aws(6))
    with pytest.raises(KeyboardInterrupt):
        updated.update(progress=interrupt)
    assert updated.state() == before
    assert updated.update().outcome is Outcome.INSTALLED


def test_what_was_fetched_before_a_failure_is_not_fetched_again(world: World) -> None:
    world.server.will("/aws", answer("503 Busy", "Content-Length: 0"))
    with pytest.raises(UnexpectedStatus):
        world.update()
    assert world.asked() == dict.fromkeys(("routes", "names", "list-a", "list-b", "aws"))
    world.serve(aws=FILES["aws"])
    assert world.update().changed == ("aws", "cloud")
    asked = world.asked()
    assert {name for name, validator in asked.items() if validator is None} == {"aws", "cloud"}
    assert asked.keys() == set(FEEDS)


def test_a_file_that_is_none_is_fetched_anew_even_if_the_server_says_that_it_did_not_change(
    updated: World,
) -> None:
    updated.server.will("/aws", ok(HTML, 'ETag: "1"'))
    with pytest.raises(FeedUnusable):
        updated.update()
    updated.asked()
    updated.server.will("/aws", ok(aws(6), 'ETag: "1"'))
    assert updated.update().outcome is Outcome.INSTALLED
    assert updated.asked()["aws"] is None


def test_two_updates_at_once_are_one(updated: World) -> None:
    def again(_: str) -> None:
        with pytest.raises(UpdateRunning):
            updated.update()

    updated.serve(aws=aws(6))
    assert updated.update(progress=again).outcome is Outcome.INSTALLED
    assert [one.name for one in MapStore(default_root()).installed()] == ["2026-11-22", "2026-11-22.2"]


# What is too far from the maps in use.


def test_figures_beyond_their_distance_are_all_named_and_nothing_is_installed(updated: World) -> None:
    before = updated.state()
    updated.serve(aws=aws(3), routes=routes({"203.0.113.0/24": 64499, "2001:db8::/36": 64496}))
    with pytest.raises(TooFar) as caught:
        updated.update()
    assert caught.value.failed == (
        "announced IPv4 addresses: 768 before, 259 now, allowed -5 % to +5 % of the former",
        "announced IPv6 /48s: 8,192 before, 4,096 now, allowed -25 % to +35 % of the former",
        "share of AS64497 in announced IPv4 addresses: 33.3 % before, 0.0 % now, allowed -30 % to +40 % of the former",
        "share of aws in announced IPv4 addresses: 33.3 % before, 98.8 % now, allowed -30 % to +40 % of the former",
        "share of cloud in announced IPv4 addresses: 33.3 % before, 1.2 % now, allowed -30 % to +40 % of the former",
        "published ranges of aws: 8 before, 3 now, allowed -50 % to +200 % of the former",
    )
    assert str(caught.value).startswith(
        "6 of 9 figures are further from the maps in use than feeds.toml allows: announced IPv4 addresses: 768"
    )
    assert "--accept" in str(caught.value.hint)
    assert updated.state() == before


def test_maps_of_an_earlier_day_are_not_installed(updated: World) -> None:
    before = updated.state()
    updated.serve(routes=routes(generated="Sat Nov 21 08:00:01 UTC 2026"))
    allowed = "allowed from 2026-11-22 to 2026-11-22"
    with pytest.raises(TooFar, match=f"as of: 2026-11-22 before, 2026-11-21 now, {allowed}"):
        updated.update()
    assert updated.state() == before


def test_maps_of_a_day_to_come_are_not_installed(updated: World) -> None:
    before = updated.state()
    updated.serve(routes=routes(generated="Mon Nov 23 08:00:01 UTC 2026"))
    with pytest.raises(TooFar, match="as of: 2026-11-22 before, 2026-11-23 now"):
        updated.update()
    assert updated.state() == before


def test_what_is_accepted_is_installed_however_far_it_is(updated: World) -> None:
    updated.serve(aws=aws(1))
    done = updated.update(accept=True)
    assert [figure.name for figure in done.failed] == ["published ranges of aws"]
    assert done.outcome is Outcome.INSTALLED
    assert done.now.directory == default_root() / "2026-11-22.2"


def test_accepted_maps_that_are_older_than_the_shipped_ones_are_not_used(world: World) -> None:
    world.serve(routes=routes(generated="Fri Aug 21 08:00:01 UTC 2026"))
    done = world.update(accept=True)
    assert (done.outcome, done.now.shipped) == (Outcome.INSTALLED, True)
    assert map_status(today=TODAY).current == "2026-08-21"


def test_a_check_alone_installs_nothing(updated: World) -> None:
    before = updated.state()
    updated.serve(aws=aws(6))
    done = updated.update(check_only=True)
    assert (done.outcome, done.failed, len(done.figures)) == (Outcome.CHECKED, (), 8)
    assert done.now == done.before
    updated.serve(aws=aws(1))
    with pytest.raises(TooFar):
        updated.update(check_only=True)
    assert updated.update(check_only=True, accept=True).failed
    assert updated.state() == before


# The way back.


def test_a_rollback_returns_to_the_maps_before_and_then_to_the_shipped_ones(updated: World) -> None:
    before = updated.state()
    updated.serve(aws=aws(6))
    updated.update()
    assert updated.state()["answers"] == before["answers"]
    assert roll_back() == (True, InUse(directory=default_root() / "2026-11-22", shipped=False, as_of=TODAY))
    assert updated.state()["current"] == before["current"]
    shipped = InUse(directory=updated.shipped, shipped=True, as_of=date(2026, 8, 22))
    assert roll_back() == (True, shipped)
    assert roll_back() == (False, shipped)


def test_an_update_after_a_rollback_installs_again(updated: World) -> None:
    roll_back()
    done = updated.update()
    assert (done.outcome, done.changed) == (Outcome.INSTALLED, ())
    assert done.now.directory == default_root() / "2026-11-22.2"


def test_a_rollback_mends_a_record_that_is_damaged(updated: World) -> None:
    with (default_root() / "current").open("ab") as record:
        record.write(b"2026-1")
    with pytest.raises(StoreDamaged):
        map_status(today=TODAY)
    assert roll_back()[0]
    assert maps_in_use().directory == default_root() / "2026-11-22"


# Damage.


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def unname(directory: Path) -> None:
    path = directory / "PROVENANCE.toml"
    path.write_text(
        path.read_text(encoding="utf-8").replace('"concentra.map"', '"regions.toml"'), encoding="utf-8"
    )


DAMAGE: list[tuple[str, Callable[[Path], object], str]] = [
    ("bit-of-the-map", lambda path: flip(path / "concentra.map"), "concentra.map has another digest"),
    ("map-cut", lambda path: (path / "concentra.map").write_bytes(b"concmap"), "another digest"),
    (
        "map-gone",
        lambda path: (path / "concentra.map").unlink(),
        "concentra.map cannot be read: No such file",
    ),
    ("table-edited", lambda path: flip(path / "providers.toml"), "providers.toml has another digest"),
    ("provenance-gone", lambda path: (path / "PROVENANCE.toml").unlink(), "PROVENANCE.toml cannot be read"),
    ("provenance-cut", lambda path: (path / "PROVENANCE.toml").write_bytes(b"as_of"), "has another form"),
    ("provenance-binary", lambda path: (path / "PROVENANCE.toml").write_bytes(b"\xff"), "has another form"),
    ("map-not-named", unname, "does not name concentra.map"),
]


@pytest.mark.parametrize(("damage", "found"), [row[1:] for row in DAMAGE], ids=[row[0] for row in DAMAGE])
def test_damaged_maps_are_told_and_compared_with_nothing(
    updated: World, damage: Callable[[Path], object], found: str
) -> None:
    damage(default_root() / "2026-11-22")
    status = map_status(today=TODAY)
    assert found in "; ".join(status.in_use.damage)
    assert (status.in_use.as_of, status.profile, status.sources) == (None, None, ())
    assert (status.installed, status.current) == (("2026-11-22",), "2026-11-22")
    with pytest.raises(MapsDamaged, match=found) as caught:
        updated.update()
    assert "concentra maps rollback" in str(caught.value.hint)
    assert roll_back()[1].shipped
    assert updated.update().outcome is Outcome.INSTALLED


def test_maps_of_another_layout_are_told(updated: World) -> None:
    path = default_root() / "2026-11-22"
    old = sha256_of((path / "concentra.map").read_bytes())
    data = b"concmap\x00" + (path / "concentra.map").read_bytes()[8:]
    (path / "concentra.map").write_bytes(data)
    stated = (path / "PROVENANCE.toml").read_text(encoding="utf-8")
    (path / "PROVENANCE.toml").write_text(stated.replace(old, sha256_of(data)), encoding="utf-8")
    assert "wanted a file that starts with" in "; ".join(map_status(today=TODAY).in_use.damage)


def test_damaged_shipped_maps_are_told_though_others_are_in_use(updated: World) -> None:
    flip(updated.shipped / "concentra.map")
    with pytest.raises(MapsDamaged) as caught:
        updated.update()
    assert "install concentra again" in str(caught.value.hint)


def test_a_rollback_to_damaged_maps_says_so(updated: World) -> None:
    updated.serve(aws=aws(6))
    updated.update()
    flip(default_root() / "2026-11-22" / "concentra.map")
    with pytest.raises(MapsDamaged):
        roll_back()
    assert roll_back()[1].shipped


# Status.


def test_status_tells_age_coverage_and_what_is_old(updated: World) -> None:
    status = map_status(today=date(2027, 2, 20))
    assert status.profile is not None
    assert (status.profile.announced_ipv4, status.profile.announced_48s) == (768, 8192)
    assert status.age(TODAY) == 90
    assert status.old == dict.fromkeys(("names", "list-a", "list-b", "aws", "cloud"), 91)
    assert map_status(today=date(2027, 2, 21)).old["the maps"] == 91
    assert map_status(today=TODAY).old == {}


def test_status_of_a_machine_without_an_update_is_that_of_the_shipped_maps(world: World) -> None:
    status = map_status(today=TODAY)
    assert (status.in_use.directory, status.installed, status.current) == (world.shipped, (), None)
    assert not default_root().exists()
