from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from concentra.gate.judge import Outcome
from concentra.gate.policy import PRECONDITIONS, Level, decode_policy

EXAMPLES = Path(__file__).parents[1] / "examples"
POLICIES = sorted(EXAMPLES.glob("*.toml"))
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
    assert files == {path.name for path in POLICIES}
    assert all(f"]({name})" in readme for name in files)


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
