from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.made_crawls import manifest
from tests.workflows.made_peers import DEFINITION, NAME, NETWORK

from concentra.adapters.crawl_store import CrawlStore
from concentra.errors import UnreadableFile
from concentra.model.crawl import CrawlState
from concentra.workflows.network_choice import (
    UnknownNetwork,
    chosen_network,
    network_of,
    shipped_networks,
)

NOW = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> CrawlStore:
    return CrawlStore(tmp_path / "crawls")


def keep(store: CrawlStore, definition: str, *, network: str = NAME, started: datetime = NOW) -> None:
    with store.begin(manifest(network=network, started=started, definition=definition)) as crawl:
        crawl.finish(CrawlState.COMPLETE, started, {})


@pytest.mark.parametrize("name", sorted(shipped_networks()))
def test_a_shipped_network_is_chosen_by_its_name_and_needs_no_definition(
    name: str, store: CrawlStore
) -> None:
    assert chosen_network(name, store) == (shipped_networks()[name], "")


@pytest.mark.parametrize("name", ["net.toml", "Net.TOML"])
def test_a_file_defines_a_network_of_its_own(name: str, store: CrawlStore, tmp_path: Path) -> None:
    (tmp_path / name).write_text(DEFINITION, encoding="utf-8")
    assert chosen_network(str(tmp_path / name), store) == (NETWORK, DEFINITION)


def test_a_path_is_a_file_whatever_its_name(store: CrawlStore, tmp_path: Path) -> None:
    (tmp_path / "ethereum").write_text(DEFINITION, encoding="utf-8")
    assert chosen_network(str(tmp_path / "ethereum"), store).network == NETWORK


def test_a_network_that_was_crawled_from_a_file_is_known_by_its_name(store: CrawlStore) -> None:
    older = DEFINITION.replace("Made network", "Older")
    keep(store, older, started=NOW - timedelta(days=1))
    keep(store, DEFINITION)
    assert chosen_network(NAME, store) == (NETWORK, DEFINITION)


def test_a_shipped_network_goes_before_one_of_the_users_own(store: CrawlStore) -> None:
    keep(store, DEFINITION.replace(f'name = "{NAME}"', 'name = "hoodi"'), network="hoodi")
    assert chosen_network("hoodi", store).definition == ""


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("etherium", "did you mean ethereum"),
        ("Ethereum", "did you mean ethereum"),
        ("made-nets", f"did you mean {NAME}?"),
        ("zzz", "networks: bnb, classic, ethereum, "),
        ("", "networks: "),
    ],
)
def test_of_an_unknown_name_the_near_ones_are_offered(name: str, hint: str, store: CrawlStore) -> None:
    keep(store, DEFINITION)
    keep(store, "", network="gone")  # of a version that shipped it
    with pytest.raises(UnknownNetwork, match=f"no network is called '{name}'") as error:
        chosen_network(name, store)
    assert error.value.hint is not None
    assert hint in error.value.hint
    assert "gone" not in error.value.hint


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(None, "No such file", id="no file"),
        pytest.param(b"", "name", id="empty"),
        pytest.param(b"\xff\xfe", "", id="no text"),
        pytest.param(b"name = ", "", id="no TOML"),
        pytest.param(DEFINITION.encode() + b"colour = 1", "colour", id="an unknown key"),
        pytest.param(
            DEFINITION.replace("Made network", "x").encode() + b"[consensus]\n", "", id="two chains"
        ),
        pytest.param(DEFINITION.replace("[]", '["enr:-x"]').encode(), "boot node", id="a damaged boot node"),
    ],
)
def test_a_file_that_defines_no_network_is_named_with_the_reason(
    content: bytes | None, reason: str, store: CrawlStore, tmp_path: Path
) -> None:
    path = tmp_path / "net.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UnreadableFile) as error:
        chosen_network(str(path), store)
    assert "net.toml: " in str(error.value)
    assert reason in str(error.value)


@pytest.mark.parametrize("name", ["\0.toml", "x" * 5000 + ".toml", "."])
def test_a_name_that_no_file_can_have_is_an_error_like_any_other(name: str, store: CrawlStore) -> None:
    with pytest.raises((UnreadableFile, UnknownNetwork)):
        chosen_network(name, store)


def test_a_directory_is_no_file(store: CrawlStore, tmp_path: Path) -> None:
    (tmp_path / "net.toml").mkdir()
    with pytest.raises(UnreadableFile, match="directory"):
        chosen_network(str(tmp_path / "net.toml"), store)


def test_the_network_of_a_crawl_is_the_one_that_it_keeps_else_the_shipped_one() -> None:
    assert network_of(manifest(network="ethereum")) == shipped_networks()["ethereum"]
    assert network_of(manifest(network="ethereum", definition=DEFINITION)) == NETWORK
    assert network_of(manifest(network="gone")) is None


def test_a_damaged_definition_of_a_crawl_is_an_error() -> None:
    with pytest.raises(UnreadableFile):
        network_of(manifest(network=NAME, definition="name = 1"))
