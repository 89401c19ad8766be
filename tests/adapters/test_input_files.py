from pathlib import Path

import pytest

from concentra.adapters import input_files
from concentra.adapters.input_files import InputMissing, read_input


@pytest.fixture
def base(tmp_path: Path) -> Path:
    (tmp_path / "asn").mkdir()
    (tmp_path / "asn" / "location_1.deb").write_bytes(b"one")
    (tmp_path / "names.csv").write_bytes(b"names")
    return tmp_path


@pytest.mark.parametrize(
    ("file", "content"),
    [
        pytest.param("names.csv", b"names", id="name"),
        pytest.param("asn/location_1.deb", b"one", id="path"),
        pytest.param("asn/location_*.deb", b"one", id="pattern"),
        pytest.param("**/location_*.deb", b"one", id="pattern-of-directories"),
    ],
)
def test_input_below_the_base(base: Path, file: str, content: bytes) -> None:
    assert read_input(base, file) == content


@pytest.mark.parametrize(
    ("file", "found"),
    [
        pytest.param("missing.csv", "found 0 below", id="missing"),
        pytest.param("asn/*.csv", "found 0 below", id="pattern-without-match"),
        pytest.param("asn", "found 0 below", id="directory"),
        pytest.param("", "no pattern below", id="empty"),
        pytest.param("/etc/hostname", "no pattern below", id="absolute"),
    ],
)
def test_missing_input(base: Path, file: str, found: str) -> None:
    with pytest.raises(InputMissing, match=found) as caught:
        read_input(base, file)
    assert caught.value.file == file
    assert caught.value.hint == "--from names the directory that holds the inputs"


def test_a_pattern_with_two_matches_is_not_decided(base: Path) -> None:
    (base / "asn" / "location_2.deb").write_bytes(b"two")
    with pytest.raises(InputMissing, match="wanted one file, found 2 below"):
        read_input(base, "asn/location_*.deb")


def test_input_of_a_package(base: Path) -> None:
    schemas = "package:concentra/report/schemas/__init__.py"
    assert (
        read_input(base, schemas)
        == (Path(input_files.__file__).parents[1] / "report/schemas/__init__.py").read_bytes()
    )


@pytest.mark.parametrize(
    ("file", "found"),
    [
        pytest.param("package:no_such_package_of_ours/x", "no such package", id="no-package"),
        pytest.param("package:no_such_package_of_ours.part/x", "no such package", id="no-package-above-it"),
        pytest.param("package:/x", "no such package", id="no-name"),
        pytest.param("package:bisect/x", "no such package", id="module-without-directory"),
        pytest.param("package:concentra/no/such/file", "none in that package", id="no-file"),
        pytest.param("package:concentra", "none in that package", id="package-itself"),
    ],
)
def test_missing_package(base: Path, file: str, found: str) -> None:
    with pytest.raises(InputMissing, match=found) as caught:
        read_input(base, file)
    assert caught.value.hint == "pip install 'concentra[maps]'"


def test_a_file_beyond_the_bound_is_not_read(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(input_files, "MAX_INPUT", 5)
    assert read_input(base, "names.csv") == b"names"
    monkeypatch.setattr(input_files, "MAX_INPUT", 4)
    with pytest.raises(InputMissing, match="found 5 bytes"):
        read_input(base, "names.csv")
