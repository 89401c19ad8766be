"""What the README shows is what the program prints."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"
BLOCK = re.compile(r"^```console\n\$ (?P<command>.+)\n(?P<output>(?:(?!```).*\n)*)```$", re.MULTILINE)
BLOCKS = list(BLOCK.finditer(README.read_text(encoding="utf-8")))


def printed_by(command: str) -> str:
    """Return what a shell shows after `command`, with concentra on the path and 120 columns."""
    done = subprocess.run(
        ["bash", "-c", command],
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=README.parent,
        env={
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "COLUMNS": "120",
            "NO_COLOR": "1",
        },
        timeout=120,
        check=True,
    )
    return done.stdout


def test_the_readme_shows_output() -> None:
    assert len(BLOCKS) >= 3


@pytest.mark.parametrize("number", range(len(BLOCKS)), ids=[block["command"][:40] for block in BLOCKS])
def test_a_console_block_is_what_the_command_prints(number: int, request: pytest.FixtureRequest) -> None:
    block = BLOCKS[number]
    output = "".join(f"{line.rstrip()}\n" for line in printed_by(block["command"]).splitlines())
    if "check" in block["command"]:  # the age of the data grows by a day a day
        output, shown = (re.sub(r"\d+  margin -\d+", "AGE", text) for text in (output, block["output"]))
    else:
        shown = block["output"]
    if request.config.getoption("--update-golden"):
        text = README.read_text(encoding="utf-8")
        fresh = f"```console\n$ {block['command']}\n{printed_by(block['command'])}```"
        README.write_text(text.replace(block[0], fresh), encoding="utf-8")
        return
    assert shown == output


def test_the_commands_for_a_newcomer_stand_where_ci_looks_for_them() -> None:
    text = README.read_text(encoding="utf-8")
    assert re.search(r"^<!-- try -->\n```sh\n.*concentra audit ethereum\n```$", text, re.MULTILINE)
    assert re.search(r"^<!-- test -->\n```sh\n.*python -m pytest\n```$", text, re.MULTILINE)
