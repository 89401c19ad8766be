from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from datetime import UTC, datetime, time
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from concentra.collect.belonging import Membership, NetworkTable
from concentra.collect.networks import decode_network
from concentra.gate.judge import Outcome
from concentra.gate.policy import PRECONDITIONS, Level, decode_policy
from concentra.model.networks import ExecutionChain
from concentra.wire.fork_id import fork_schedule
from concentra.wire.record_entries import entries_of
from concentra.workflows.network_choice import shipped_networks

EXAMPLES = Path(__file__).parents[1] / "examples"
NETWORKS = [EXAMPLES / "private-network.toml"]
POLICIES = sorted(set(EXAMPLES.glob("*.toml")) - set(NETWORKS))
EXIT_OF = {"kept": 0, "broken": 10, "undetermined": 3}

Run = Callable[..., "CompletedProcess[str]"]


def outcome_of(done: CompletedProcess[str]) -> str:
    assert done.stderr == ""
    return done.stdout.splitlines()[-1].partition(":")[0]


@pytest.mark.parametrize("policy", POLICIES, ids=lambda path: path.name)
def test_a_policy_is_judged_with_the_exit_code_of_its_outcome(policy: Path, concentra: Run) -> None:
    done = concentra("check", "ethereum", "--policy", str(policy))
    outcome = outcome_of(done)
    assert outcome in {outcome.value for outcome in Outcome}
    assert done.returncode == EXIT_OF[outcome]
    rules = decode_policy(policy.read_bytes(), policy.name)
    lines = done.stdout.splitlines()[1:-1]
    assert len(lines) == len(rules)
    for rule, line in zip(rules, lines, strict=True):
        assert str(rule) in line


@pytest.mark.parametrize("policy", POLICIES, ids=lambda path: path.name)
def test_every_rule_of_a_policy_is_explained(policy: Path) -> None:
    text = policy.read_text(encoding="utf-8")
    paragraphs = re.split(r"\n\n", text)
    rules = [part for part in paragraphs if "[[rule]]" in part]
    assert len(rules) == len(decode_policy(policy.read_bytes(), policy.name)) > 0
    assert all(part.startswith("# ") for part in rules)


def test_the_policy_shows_preconditions_warnings_and_a_named_entity() -> None:
    rules = decode_policy((EXAMPLES / "concentra.toml").read_bytes(), "concentra.toml")
    assert {rule.metric for rule in rules} >= PRECONDITIONS
    assert {rule.level for rule in rules} == set(Level)
    assert any(rule.entity for rule in rules)
    assert len({rule.axis for rule in rules}) == 3


def test_every_example_is_listed_and_run() -> None:
    files = {path.name for path in EXAMPLES.iterdir()} - {"README.md"}
    readme = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert files == {path.name for path in [*POLICIES, *NETWORKS]}
    assert all(f"]({name})" in readme for name in files)


@pytest.mark.parametrize("path", NETWORKS, ids=lambda path: path.name)
def test_a_network_is_one_that_nobody_has_and_that_a_node_of_its_own_is_told_by(path: Path) -> None:
    network = decode_network(path.read_bytes(), path.name)
    shipped = shipped_networks()
    assert f"{network.name}.toml" == path.name
    assert network.name not in shipped
    assert isinstance(network.chain, ExecutionChain)
    *_, present = fork_schedule(network.chain).ids
    found = NetworkTable({**shipped, network.name: network}).belonging(
        network.name,
        record=entries_of({b"eth": [[present.hash, b""]]}),
        status=None,
        at=datetime.combine(network.read_on, time(), UTC),
    )
    assert (found.network, found.membership) == (network.name, Membership.RIGHT)


@pytest.mark.parametrize("path", NETWORKS, ids=lambda path: path.name)
def test_a_crawl_takes_a_network_by_its_file_and_begins_at_its_boot_nodes(path: Path, concentra: Run) -> None:
    done = concentra("crawl", str(path), "--loopback")  # where none of them is: nobody is sent a packet
    assert (done.returncode, done.stdout) == (1, "")
    assert "of its boot nodes 1 outside this machine" in done.stderr


@pytest.mark.parametrize("path", NETWORKS, ids=lambda path: path.name)
def test_every_part_of_a_network_is_explained(path: Path) -> None:
    parts = path.read_text(encoding="utf-8").split("\n\n")
    assert [part for part in parts if not part.startswith("# ")] == []


def commands() -> list[str]:
    readme = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    return re.findall(r"^\$ concentra (.*)$", readme, re.MULTILINE)


@pytest.mark.parametrize("command", commands())
def test_the_commands_of_the_readme_run(command: str, concentra: Run) -> None:
    arguments = shlex.split(command.replace("examples/", f"{EXAMPLES}/"))
    done = concentra(*arguments)
    assert done.returncode == EXIT_OF[outcome_of(done)]


def test_the_readme_has_commands() -> None:
    assert len(commands()) == 2
