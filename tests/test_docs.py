"""The documents hold: names, links, examples and quoted output agree with the program."""

from __future__ import annotations

import doctest
import ipaddress
import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from concentra.cli import COMMANDS
from concentra.metrics.scores import measure
from concentra.model.audit import Distribution, Entity
from concentra.model.axes import Axis, Denominator

ROOT = Path(__file__).parents[1]
METRICS = ROOT / "docs" / "reference" / "metrics.md"
NOT_OURS = {"build", "dist", "site-packages", "node_modules"}
DOCUMENTS = sorted(
    path
    for path in ROOT.rglob("*.md")
    if not any(part.startswith(".") or part in NOT_OURS for part in path.relative_to(ROOT).parts)
)

DOCUMENTATION = [
    ipaddress.ip_network(block)
    for block in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20")
]
PUBLIC_RESOLVERS = {
    ipaddress.ip_address(address)
    for address in (
        *("1.1.1.1", "1.0.0.1", "2606:4700:4700::1111", "2606:4700:4700::1001"),
        *("8.8.8.8", "8.8.4.4", "2001:4860:4860::8888", "2001:4860:4860::8844"),
        *("9.9.9.9", "149.112.112.112", "2620:fe::fe", "2620:fe::9"),
        "8.8.8.0",  # the prefix of one of them, as `concentra locate` prints it
    )
}

FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*)\n(?P<body>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL
)
LINK = re.compile(r"\]\(([^)\s]+)[^)]*\)|(?:src|href)=\"([^\"]+)\"|^\[[^\]]+\]: (\S+)", re.MULTILINE)
OUR_PATHS = re.compile(r"(?<![\w.])/(?:work|tmp)\b")
ADDRESS_LIKE = re.compile(
    r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)(?![\w:])"
)

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def documents(*, below: str = "") -> pytest.MarkDecorator:
    chosen = [path for path in DOCUMENTS if path.is_relative_to(ROOT / below)]
    return pytest.mark.parametrize("path", chosen, ids=[str(path.relative_to(ROOT)) for path in chosen])


def exported_metrics() -> list[str]:
    entities = tuple(Entity(id=f"AS6450{n}", name="", units=n) for n in (3, 2, 1))
    distribution = Distribution(
        axis=Axis.ASN, denominator=Denominator.ALL, entities=entities, unattributed={"no announced prefix": 1}
    )
    return list(measure(distribution, every_metric=True).scores)


def prose(text: str) -> str:
    """Return a document without code, where brackets mean something else."""
    return re.sub(r"`[^`\n]+`", "", FENCE.sub("", text))


def headings(text: str) -> list[str]:
    return re.findall(r"^#+ (.+?) *$", FENCE.sub("", text), re.MULTILINE)


def anchor(heading: str) -> str:
    """Return the fragment under which forges link to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def addresses(text: str) -> Iterator[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    for match in ADDRESS_LIKE.finditer(text):
        try:
            address = ipaddress.ip_address(match[0].rstrip("."))
        except ValueError:
            continue
        if not address.is_unspecified:
            yield address


def on_one_line(text: str) -> str:
    return " ".join(text.split())


def quotations(text: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each command of ours that a document shows, and the lines quoted below it."""
    for block in FENCE.finditer(text):
        command, quoted = "", list[str]()
        for line in [*block["body"].splitlines(), "$ "]:
            if line.lstrip().startswith("$ "):
                if command.startswith("concentra ") and quoted:
                    yield command, quoted
                command, quoted = line.lstrip()[2:], []
            elif line.strip():
                quoted.append(on_one_line(line))


QUOTED = [
    (path, command, quoted)
    for path in DOCUMENTS
    if path.is_relative_to(ROOT / "docs")
    for command, quoted in quotations(path.read_text(encoding="utf-8"))
]


@pytest.mark.parametrize("metric", exported_metrics())
def test_every_exported_index_has_a_section_that_answers_four_questions(metric: str) -> None:
    sections = re.split(r"^## ", METRICS.read_text(encoding="utf-8"), flags=re.MULTILINE)
    section = next((section for section in sections if section.splitlines()[0] == metric), "")
    for field in ("Definition", "Range", "Question", "Pitfalls"):
        assert f"- **{field}:** " in section


def test_every_column_of_the_scores_is_explained(concentra: Run, tmp_path: Path) -> None:
    concentra("audit", "ethereum", "--quiet", "--axis", "kind", "--csv", "out")
    columns = (tmp_path / "out" / "scores.csv").read_text(encoding="utf-8").splitlines()[0].split(",")
    explained = METRICS.read_text(encoding="utf-8").partition("## Columns of scores.csv")[2]
    assert [column for column in columns if f"`{column}`" not in explained] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_the_readme_names_every_command(command: str) -> None:
    assert f"concentra {command}" in (ROOT / "README.md").read_text(encoding="utf-8")


@documents()
def test_relative_links_lead_to_a_file_and_a_heading(path: Path) -> None:
    for groups in LINK.findall(prose(path.read_text(encoding="utf-8"))):
        link = "".join(groups)
        if re.match(r"[a-z]+:", link):
            continue
        name, _, fragment = link.partition("#")
        target = path.parent / name if name else path
        assert target.exists(), link
        if fragment and target.suffix == ".md":
            known = [anchor(heading) for heading in headings(target.read_text(encoding="utf-8"))]
            assert fragment in known, link


@documents()
def test_no_document_names_a_path_of_our_machines(path: Path) -> None:
    assert OUR_PATHS.findall(path.read_text(encoding="utf-8")) == []


@documents()
def test_addresses_are_those_of_documentation_or_of_public_resolvers(path: Path) -> None:
    strange = [
        str(address)
        for address in addresses(path.read_text(encoding="utf-8"))
        if address not in PUBLIC_RESOLVERS and not any(address in block for block in DOCUMENTATION)
    ]
    assert strange == []


def test_an_address_in_a_document_is_noticed() -> None:
    text = "See 192.0.2.7, [2001:db8::1]:30303 and 10.0.0.1. At 12:30:15 a::b of 1.2.3, `tests/a.py::test_b`."
    assert [str(address) for address in addresses(text)] == ["192.0.2.7", "2001:db8::1", "10.0.0.1", "a::b"]


@documents(below="docs")
def test_python_examples_give_what_they_show(path: Path) -> None:
    blocks = list(FENCE.finditer(path.read_text(encoding="utf-8")))
    examples = "\n".join(dedent(block["body"]) for block in blocks if block["language"] == "pycon")
    runner = doctest.DocTestRunner()
    runner.run(doctest.DocTestParser().get_doctest(examples, {}, path.name, str(path), 0))
    assert runner.failures == 0


@pytest.mark.parametrize("command", sorted({command for _, command, _ in QUOTED}))
def test_quoted_output_is_what_the_command_prints(command: str, concentra: Run) -> None:
    printed = on_one_line(concentra(*shlex.split(command)[1:], COLUMNS="120").stdout)
    stale = [
        f"{path.relative_to(ROOT)}: {line}"
        for path, quoting, quoted in QUOTED
        if quoting == command
        for line in quoted
        if line not in printed
    ]
    assert stale == []
