"""`concentra series`: what ships is listed with its merged labels, and built again from archived rows."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from concentra.cli.series import app
from concentra.errors import UnreadableFile

ARCHIVED = """\
wayback_ts,page,page_total,label,count
20200811060624,network-types,150,Hosting,100
20200811074849,networkType/Hosting,100,Amazon.com,40
20200811074849,networkType/Hosting,100,Amazon,10
20200811074849,networkType/Hosting,100,Example Ltd,30
"""


def test_list_names_publisher_dates_merged_labels_and_what_was_left_out() -> None:
    shown = CliRunner().invoke(app, ["list"])
    assert shown.exit_code == 0
    assert "ethernodes-hosting\n  counts    Ethereum nodes in hosting" in shown.stdout
    assert "  dates     40 days from 2020-08-11 to 2023-10-04\n" in shown.stdout
    assert "  merged    hetzner: Hetzner Online + Hetzner Online GmbH\n" in shown.stdout
    assert "  left out  11 x a later copy of a page of the same day\n" in shown.stdout


def test_build_writes_series_that_list_reads_and_says_what_it_merged(tmp_path: Path) -> None:
    rows = tmp_path / "inputs" / "history" / "ethernodes.csv"
    rows.parent.mkdir(parents=True)
    rows.write_text(ARCHIVED, encoding="utf-8")
    out = tmp_path / "out"
    built = CliRunner().invoke(app, ["build", "--from", str(tmp_path / "inputs"), "--out", str(out)])
    assert built.exit_code == 0
    assert "  merged    aws: Amazon + Amazon.com\n" in built.stdout
    assert "  unmapped  Example Ltd\n" in built.stdout
    shown = CliRunner().invoke(app, ["list", "--file", str(out / "ethernodes-hosting.csv")])
    assert "  dates     1 day, 2020-08-11\n" in shown.stdout


def test_a_file_that_is_no_series_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,b\n", encoding="utf-8")
    refused = CliRunner().invoke(app, ["list", "--file", str(tmp_path / "x.csv")])
    with pytest.raises(UnreadableFile, match=r"x\.csv: wanted a series of version 1"):
        raise refused.exception or AssertionError
