from pathlib import Path

import pytest

import concentra
from concentra.adapters.data_files import data_root, maps_directory, snapshots_directory
from concentra.errors import ConcentraError


def installed(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Pretend that the package lies in `root/lib/concentra`; return its directory."""
    package = root / "lib" / "concentra"
    package.mkdir(parents=True)
    monkeypatch.setattr(concentra, "__file__", str(package / "__init__.py"))
    return package


def test_maps_and_snapshots_ship_with_concentra() -> None:
    assert (maps_directory() / "PROVENANCE.toml").is_file()
    assert (snapshots_directory() / "ethereum-2025-11-22.csv").is_file()


def test_a_wheel_holds_the_data_inside_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = installed(tmp_path, monkeypatch)
    (package / "data" / "asn_maps").mkdir(parents=True)
    (tmp_path / "data" / "asn_maps").mkdir(parents=True)
    assert data_root() == package / "data"


def test_a_checkout_holds_the_data_beside_src(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(tmp_path, monkeypatch)
    (tmp_path / "data" / "asn_maps").mkdir(parents=True)
    assert maps_directory() == tmp_path / "data" / "asn_maps"
    assert snapshots_directory() == tmp_path / "data" / "snapshots"


def test_a_directory_called_data_without_maps_is_not_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = installed(tmp_path, monkeypatch)
    (package / "data").mkdir()
    with pytest.raises(ConcentraError, match=r"looked in .*concentra") as caught:
        data_root()
    assert caught.value.hint is not None
    assert "pip install" in caught.value.hint
