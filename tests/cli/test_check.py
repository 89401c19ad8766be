from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from concentra.report.schemas import load_schema

Run = Callable[..., "CompletedProcess[str]"]

# Two addresses of public resolvers, since those of the documentation blocks are not counted: two
# providers, whatever the maps say of them.
NODES = b"8.8.8.8\n1.1.1.1\n"


@pytest.fixture
def nodes(tmp_path: Path) -> str:
    (tmp_path / "nodes.txt").write_bytes(NODES)
    return "nodes.txt"


def verdicts(done: CompletedProcess[str]) -> list[str]:
    return [line.split("  ")[0] for line in done.stdout.splitlines()[1:-1]]


def last_line(done: CompletedProcess[str]) -> str:
    return done.stdout.splitlines()[-1]


def document(done: CompletedProcess[str]) -> Any:
    assert done.stderr == ""
    made = json.loads(done.stdout)
    validator = Draft202012Validator(load_schema("check"), format_checker=Draft202012Validator.FORMAT_CHECKER)
    assert list(validator.iter_errors(made)) == []
    return made


def test_a_kept_policy_exits_with_0(nodes: str, concentra: Run) -> None:
    done = concentra("check", nodes, "--max-share", "0.5", "--min-nakamoto", "asn=2", "--min-coverage", "1")
    assert (done.returncode, done.stderr) == (0, "")
    assert verdicts(done) == ["kept", "kept", "kept"]
    assert last_line(done) == "kept: 3 kept"
    assert "policy: the command line" in done.stdout


def test_a_broken_policy_exits_with_10(nodes: str, concentra: Run) -> None:
    done = concentra("check", nodes, "--max-share", "0.49", "--max-hhi", "0.5")
    assert (done.returncode, done.stderr) == (10, "")
    assert verdicts(done) == ["BROKEN", "kept"]
    assert "margin -1.0 pp" in done.stdout
    assert last_line(done) == "broken: 1 kept, 1 broken"


def test_a_threshold_within_the_bounds_exits_with_3(concentra: Run) -> None:
    """Most providers publish no regions, so the bounds along that axis are wide, whatever the maps."""
    wide = document(concentra("check", "ethereum", "--max-share", "region=1", "--format", "json"))["checks"][
        0
    ]
    assert wide["upper"] - wide["lower"] > 0.01
    limit = (wide["lower"] + wide["upper"]) / 2
    done = concentra("check", "ethereum", "--max-share", f"region={limit}")
    assert done.returncode == 3
    assert verdicts(done) == ["undetermined"]
    assert "the bounds lie on both sides of the limit" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        pytest.param(("--min-coverage", "region=1"), "too little is attributed", id="coverage too low"),
        pytest.param(
            ("--as-of", "2020-01-01", "--max-age", "90d"), "the data are too old", id="data too old"
        ),
    ],
)
def test_data_that_do_not_suffice_exit_with_3(
    arguments: tuple[str, ...], reason: str, tmp_path: Path, concentra: Run
) -> None:
    (tmp_path / "nodes.txt").write_bytes(b"1.1.1.1\n")
    done = concentra("check", "nodes.txt", *arguments)
    assert (done.returncode, done.stderr) == (3, "")
    assert reason in done.stdout


@pytest.mark.parametrize("text", [None, "", "# nothing yet\n"], ids=["no policy", "empty", "only a comment"])
def test_a_gate_with_nothing_to_check_exits_with_3(
    text: str | None, nodes: str, tmp_path: Path, concentra: Run
) -> None:
    if text is not None:
        (tmp_path / "concentra.toml").write_text(text, encoding="utf-8")
    done = concentra("check", nodes)
    assert (done.returncode, done.stderr) == (3, "")
    assert last_line(done) == "undetermined: the policy has no rules, so there is nothing to check"
    assert f"policy: {'no ' if text is None else ''}concentra.toml" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param(("--max-hhi", "provider=18"), "18 points are 0.0018", id="value out of range"),
        pytest.param(("--max-share", "providr=0.3"), "did you mean provider?", id="unknown axis"),
        pytest.param(("--max-share", "asn:hosed=0.3"), "did you mean hosted?", id="unknown denominator"),
        pytest.param(("--max-shares", "0.3"), "--max-shares", id="unknown option"),
        pytest.param(("--max-age", "soon"), "wanted days, like 90d", id="no age"),
        pytest.param(("--max-age", ""), "wanted days, like 90d", id="an age from an unset variable"),
        pytest.param(("--max-share", ""), "wanted a number", id="a share from an unset variable"),
        pytest.param(("--policy", "missing.toml"), "missing.toml: No such file", id="no such policy"),
        pytest.param(("--policy", "."), "directory", id="policy is a directory"),
        pytest.param(("--policy", "typo.toml"), "did you mean axis?", id="typo in the policy"),
        pytest.param(("--max-share", "0.3", "--unit", "node"), "cannot count by node", id="no such unit"),
        pytest.param(("--max-share", "0.3", "--format", "xml"), "xml", id="no such format"),
    ],
)
def test_a_wrong_command_or_policy_exits_with_2(
    arguments: tuple[str, ...], says: str, nodes: str, tmp_path: Path, concentra: Run
) -> None:
    (tmp_path / "typo.toml").write_text(
        '[[rule]]\naxs = "asn"\nmetric = "hhi"\nmax = 0.2\n', encoding="utf-8"
    )
    done = concentra("check", nodes, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_network_exits_with_2(concentra: Run) -> None:
    done = concentra("check", "etherium", "--max-share", "0.3")
    assert (done.returncode, done.stdout) == (2, "")
    assert "did you mean ethereum?" in done.stderr


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(gzip.compress(b"1.1.1.1\n" * 1000)[:-9], id="cut off"),
        pytest.param(b"# concentra-snapshot = 1\nprefix,addresses\nnonsense\n", id="a damaged snapshot"),
    ],
)
def test_damaged_input_exits_with_1(data: bytes, tmp_path: Path, concentra: Run) -> None:
    (tmp_path / "nodes.gz").write_bytes(data)
    done = concentra("check", "nodes.gz", "--max-share", "0.3")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("concentra: nodes.gz: ")


def test_concentra_toml_of_the_working_directory_is_the_policy(
    nodes: str, tmp_path: Path, concentra: Run
) -> None:
    (tmp_path / "concentra.toml").write_text(
        '[[rule]]\nmetric = "share"\nmax = "49%"\n\n[[rule]]\nmetric = "hhi"\nmax = 0.1\nlevel = "warn"\n',
        encoding="utf-8",
    )
    done = concentra("check", nodes)
    assert done.returncode == 10
    assert verdicts(done) == ["BROKEN", "BROKEN (warn)"]
    assert "policy: concentra.toml" in done.stdout
    # Limits on the command line stand in its place, and beside a policy that is named.
    assert concentra("check", nodes, "--max-share", "0.5").returncode == 0
    both = concentra("check", nodes, "--max-share", "0.5", "--policy", "concentra.toml")
    assert both.returncode == 10
    assert verdicts(both) == ["BROKEN", "BROKEN (warn)", "kept"]
    assert "policy: concentra.toml and the command line" in both.stdout


def test_rules_of_level_warn_are_printed_and_do_not_count(nodes: str, concentra: Run) -> None:
    done = concentra("check", nodes, "--max-share", "0.1:warn", "--max-top3", "1")
    assert done.returncode == 0
    assert verdicts(done) == ["BROKEN (warn)", "kept"]
    assert "(rules of level warn do not count)" in last_line(done)


def test_several_limits_on_any_axis_and_denominator_print_as_one_document(concentra: Run) -> None:
    done = concentra(
        *("check", "-", "--format", "json", "--as-of", "2026-01-02"),
        *("--max-share", "asn=0.5", "--max-share", "country:attributed=100%", "--max-share", "0.1:warn"),
        *("--max-top3", "1", "--max-hhi", "kind=1", "--min-effective", "2", "--min-nakamoto", "3"),
        *("--min-coverage", "asn=0.5", "--max-age", "36500d"),
        stdin=NODES,
    )
    made = document(done)
    assert done.returncode == 10
    assert (made["overall"], made["policy"], made["n"]) == ("broken", "the command line", 2)
    assert made["population"]["as_of"] == "2026-01-02"
    assert [(c["metric"], c["axis"], c["denominator"], c["outcome"]) for c in made["checks"]] == [
        ("share", "asn", "all", "kept"),
        ("share", "country", "attributed", "kept"),
        ("share", "provider", "all", "broken"),
        ("top3", "provider", "all", "kept"),
        ("hhi", "kind", "all", "kept"),
        ("effective", "provider", "all", "kept"),
        ("nakamoto", "provider", "all", "broken"),
        ("coverage", "asn", "all", "kept"),
        ("age", "provider", "all", "kept"),
    ]
    assert made["command"].startswith("concentra check - --format json")


@pytest.mark.parametrize(
    ("limit", "code", "overall"),
    [("0.5", 0, "kept"), ("0.4", 10, "broken"), (None, 3, "undetermined")],
    ids=["kept", "broken", "undetermined"],
)
def test_json_has_the_same_exit_codes(
    limit: str | None, code: int, overall: str, nodes: str, concentra: Run
) -> None:
    arguments = ("--max-share", limit) if limit is not None else ()
    done = concentra("check", nodes, "--format", "json", *arguments)
    assert done.returncode == code
    assert document(done)["overall"] == overall


def test_the_answer_is_about_the_unit_that_was_asked_for(concentra: Run) -> None:
    stdin = b"8.8.8.8\n8.8.8.9\n1.1.1.1\n"
    by_address = concentra("check", "-", "--max-share", "0.5", stdin=stdin)
    by_prefix = concentra("check", "-", "--max-share", "0.5", "--unit", "prefix", stdin=stdin)
    assert (by_address.returncode, by_prefix.returncode) == (10, 0)
    assert "2 units (prefix)" in by_prefix.stdout
