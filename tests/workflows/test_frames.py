"""The library in two functions, beside the single lookup and the plain indices that they stand for."""

import random
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.attribution.made_maps import Announced, Listed, map_inputs

import concentra
from concentra.adapters.data_directory import DATA_DIRECTORY
from concentra.adapters.data_files import maps_directory
from concentra.adapters.map_files import MAP, MapsUnreadable, load, open_tables
from concentra.attribution.compile_maps import MapInputs, compile_map
from concentra.attribution.explain import Explainer, Explanation
from concentra.attribution.providers import Parent, Provider, ProviderTable
from concentra.metrics import concentration as indices
from concentra.model.axes import Kind
from concentra.model.special_addresses import BLOCKS, special_reason
from concentra.workflows.frames import NO_ADDRESS
from concentra.workflows.map_choice import NoSuchMaps

CLOUD, SISTER, HOST = 64496, 64497, 64498
CLOUDS = [
    Provider(
        id=name,
        name=name,
        kind=Kind.HOSTING,
        country="US",
        asns=(asn,),
        holders=(),
        evidence="",
        parent="group",
    )
    for name, asn in (("cloud", CLOUD), ("sister", SISTER))
]
INPUTS = map_inputs(
    [
        Announced("11.1.0.0/16", (CLOUD,), "US"),
        Announced("11.2.0.0/16", (CLOUD, SISTER), "DE"),
        Announced("11.3.0.0/16", (CLOUD, HOST)),
        Announced("2600:abcd::/32", (HOST,), "NL"),
    ],
    listed={
        "file": [
            Listed("11.1.1.0/24", "cloud", Kind.HOSTING, "eu-1", "vm", "DE"),
            Listed("11.1.2.0/24", "cloud", Kind.EDGE, "eu-1", "cdn", "DE"),
            Listed("11.3.1.0/24", "sister", Kind.HOSTING, "x", None, "SE"),
        ]
    },
    as_names={CLOUD: "CLOUD-01"},
    providers=ProviderTable(
        {entry.id: entry for entry in CLOUDS},
        {asn: entry for entry in CLOUDS for asn in entry.asns},
        {"group": Parent(id="group", name="Group", country="US", evidence="")},
    ),
)


@pytest.fixture(autouse=True)
def nothing_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DATA_DIRECTORY, str(tmp_path / "data"))


def written(directory: Path, inputs: MapInputs) -> Path:
    directory.mkdir()
    (directory / MAP).write_bytes(compile_map(inputs))
    return directory


@pytest.fixture(scope="module")
def maps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("maps") / "made", INPUTS)


def known(frame: pd.DataFrame) -> list[dict[str, object]]:
    """Return the rows without what is null."""
    return [
        {str(name): value for name, value in row.items() if not pd.isna(value)}
        for row in frame.astype(object).to_dict("records")
    ]


# attribute: what is known of each address


def test_everything_that_is_known_of_an_address(maps: Path) -> None:
    (row,) = known(concentra.attribute(["11.1.1.1"], maps=maps))
    assert row == {
        "prefix_length": 16,
        "origins": f"AS{CLOUD}",
        "asn": CLOUD,
        "listed_length": 24,
        "organisation": "CLOUD-01",
        "provider": "cloud",
        "provider_basis": "published-range",
        "parent": "group",
        "region": "cloud/eu-1",
        "service": "vm",
        "country": "DE",
        "country_basis": "published-range",
        "kind": "hosting",
        "kind_basis": "published-range",
        "contradicted": True,
    }


def test_an_edge_range_has_no_region_and_the_country_of_the_registry(maps: Path) -> None:
    (row,) = known(concentra.attribute(["11.1.2.1"], maps=maps))
    assert "region" not in row
    found = {name: row[name] for name in ("service", "country", "country_basis", "kind", "contradicted")}
    assert found == {
        "service": "cdn", "country": "US", "country_basis": "registry", "kind": "edge", "contradicted": False
    }  # fmt: skip


def test_several_origins_have_no_number_and_what_they_agree_on(maps: Path) -> None:
    frame = concentra.attribute(["11.2.0.1", "11.3.0.1"], maps=maps)
    assert frame["origins"].tolist() == [f"AS{CLOUD}+AS{SISTER}", f"AS{CLOUD}+AS{HOST}"]
    assert frame["asn"].isna().all()
    assert frame["parent"].tolist()[0] == "group"
    assert frame[["provider", "organisation"]].isna().all(axis=None)
    assert pd.isna(frame["parent"][1])


def test_nothing_is_known_of_what_nobody_announces(maps: Path) -> None:
    (row,) = known(concentra.attribute(["12.0.0.1"], maps=maps))
    assert {name for name, value in row.items() if value not in {"none", False}} == set()


@pytest.mark.parametrize("reason", BLOCKS)
def test_special_addresses_are_refused_with_their_reason(maps: Path, reason: str) -> None:
    addresses = [str(ip_network(block)[-1]) for block in BLOCKS[reason]]
    for row in known(concentra.attribute(addresses, maps=maps)):
        assert row == {"refused": reason, "contradicted": False}


def test_what_is_no_address_is_refused_and_keeps_its_place(maps: Path) -> None:
    addresses = ["node.example", "11.1.0.1", None, "fe80::1%eth0", "2600:abcd::1", "", "11.1.0.01"]
    frame = concentra.attribute(addresses, maps=maps)
    bad = NO_ADDRESS
    assert frame["refused"].astype(object).where(frame["refused"].notna(), None).tolist() == [
        bad, None, bad, bad, None, bad, bad
    ]  # fmt: skip
    assert frame["asn"].fillna(0).tolist() == [0, CLOUD, 0, 0, HOST, 0, 0]


def test_dtypes_are_small_and_the_same_for_any_rows(maps: Path) -> None:
    categories = {"origins", "organisation", "provider", "provider_basis", "parent", "region", "service", "country",
                  "country_basis", "kind", "kind_basis", "refused"}  # fmt: skip
    wanted = dict.fromkeys(categories, "category") | {
        "prefix_length": "UInt8", "listed_length": "UInt8", "asn": "UInt32", "contradicted": "bool"
    }  # fmt: skip
    for addresses in ([], [None], ["11.1.1.1"], ["11.1.1.1", None, "2600:abcd::1", "10.0.0.1"]):
        frame = concentra.attribute(addresses, maps=maps)
        assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == wanted
        assert len(frame) == len(addresses)


# attribute: columns of every library

TEXTS = ["11.1.1.1", "2600:abcd::1", None, "10.0.0.1", "x", "::ffff:11.2.0.1"]
COLUMNS: Mapping[str, Callable[[], object]] = {
    "generator": lambda: iter(TEXTS),
    "objects": lambda: [text if text in {None, "x"} else ip_address(str(text)) for text in TEXTS],
    "series": lambda: pd.Series(TEXTS),
    "series-string": lambda: pd.Series(TEXTS, dtype="string"),
    "series-categorical": lambda: pd.Series(TEXTS, dtype="category"),
    "arrow": lambda: pa.array(TEXTS),
    "arrow-chunks": lambda: pa.chunked_array([TEXTS[:1], TEXTS[1:4], TEXTS[4:]]),
    "arrow-dictionary": lambda: pa.array(TEXTS).dictionary_encode(),
    "numpy": lambda: np.array(TEXTS, dtype=object),
}


@pytest.mark.parametrize("kind", COLUMNS)
def test_every_kind_of_column_gives_the_same_rows(maps: Path, kind: str) -> None:
    wanted = concentra.attribute(TEXTS, maps=maps)
    pd.testing.assert_frame_equal(concentra.attribute(COLUMNS[kind](), maps=maps), wanted)
    assert wanted["origins"].notna().tolist() == [True, True, False, False, False, True]


@pytest.mark.parametrize("dtype", [np.uint32, np.int64, np.uint64])
def test_integers_are_ipv4_addresses(maps: Path, dtype: type) -> None:
    texts = ["11.1.1.1", "11.2.0.1", "10.0.0.1", "255.255.255.255"]
    numbers: NDArray[Any] = np.array([int(ip_address(text)) for text in texts], dtype)
    pd.testing.assert_frame_equal(
        concentra.attribute(numbers, maps=maps), concentra.attribute(texts, maps=maps)
    )


@pytest.mark.parametrize(
    "index",
    [
        pd.Index([30, 10, 20, 10], name="node"),
        pd.Index(list("abcd")),
        pd.MultiIndex.from_product([["x", "y"], [1, 2]], names=["a", "b"]),
    ],
    ids=["numbers-that-repeat", "letters", "levels"],
)
def test_the_index_of_a_series_is_kept(maps: Path, index: pd.Index) -> None:
    texts = ["11.1.1.1", "x", "2600:abcd::1", "10.0.0.1"]
    frame = concentra.attribute(pd.Series(texts, index=index), maps=maps)
    pd.testing.assert_index_equal(frame.index, index)
    pd.testing.assert_frame_equal(frame.reset_index(drop=True), concentra.attribute(texts, maps=maps))


def test_other_columns_are_numbered(maps: Path) -> None:
    wanted = pd.RangeIndex(2)
    for column in (["x", "y"], pd.Index(["x", "y"]), pa.array(["x", "y"]), np.array(["x", "y"])):
        pd.testing.assert_index_equal(concentra.attribute(column, maps=maps).index, wanted)


@pytest.mark.parametrize("column", ["8.8.8.8", 8, {"a": "8.8.8.8"}, [1.5], np.zeros(2), [True]], ids=repr)
def test_what_is_no_column_of_addresses_is_a_type_error(maps: Path, column: object) -> None:
    with pytest.raises(TypeError):
        concentra.attribute(column, maps=maps)


@pytest.mark.parametrize("number", [-1, 2**32])
def test_numbers_out_of_range_are_a_value_error(maps: Path, number: int) -> None:
    with pytest.raises(ValueError, match="row 1 holds"):
        concentra.attribute([1, number], maps=maps)


# attribute: which maps


def test_maps_may_be_a_path_its_text_or_the_day_of_the_shipped_ones(maps: Path) -> None:
    pd.testing.assert_frame_equal(
        concentra.attribute(TEXTS, maps=str(maps)), concentra.attribute(TEXTS, maps=maps)
    )
    shipped = concentra.attribute(["8.8.8.8"])
    assert shipped["origins"].tolist() != concentra.attribute(["8.8.8.8"], maps=maps)["origins"].tolist()
    day = open_tables(maps_directory()).as_of
    pd.testing.assert_frame_equal(concentra.attribute(["8.8.8.8"], maps=day), shipped)


def test_maps_that_are_not_there_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(NoSuchMaps):
        concentra.attribute(["8.8.8.8"], maps="1999-01-01")
    with pytest.raises(MapsUnreadable):
        concentra.attribute(["8.8.8.8"], maps=tmp_path)


def test_a_map_without_names_of_ases_is_a_map(tmp_path: Path) -> None:
    bare = written(tmp_path / "bare", replace(INPUTS, as_names={}, providers=ProviderTable({}, {}, {})))
    frame = concentra.attribute(["11.1.0.1", "12.0.0.1"], maps=bare)
    assert frame["provider"].notna().tolist() == [True, False]
    assert frame["organisation"].isna().all()


def test_maps_that_are_replaced_are_opened_again(tmp_path: Path) -> None:
    directory = written(tmp_path / "changing", INPUTS)
    assert concentra.attribute(["11.1.0.1"], maps=directory)["asn"].tolist() == [CLOUD]
    newer = written(tmp_path / "newer", map_inputs([Announced("11.1.0.0/16", (HOST,))]))
    (newer / MAP).replace(directory / MAP)
    assert concentra.attribute(["11.1.0.1"], maps=directory)["asn"].tolist() == [HOST]


# attribute beside the single lookup

BASES = {"provider": "provider_basis", "country": "country_basis", "kind": "kind_basis"}
VALUES = ("origins", "organisation", "provider", "parent", "region", "service", "country", "kind")


def one_by_one(explanation: Explanation) -> dict[str, object]:
    """Return what the single lookup knows, in the columns of the frame."""
    parts = explanation.parts
    found: dict[str, object] = {name: parts[name].value for name in VALUES}
    for name, basis in BASES.items():
        found[basis] = parts[name].basis if parts[name].value else None
    for name, prefix in zip(("prefix_length", "listed_length"), explanation.prefixes, strict=True):
        found[name] = None if prefix is None else ip_network(prefix).prefixlen
    origins = str(parts["origins"].value or "").split("+")
    found["asn"] = int(origins[0].removeprefix("AS")) if origins != [""] and len(origins) == 1 else None
    found["contradicted"] = bool(explanation.told.conflicts) or None
    return {name: value for name, value in found.items() if value is not None}


def shipped_addresses(count: int) -> list[IPv4Address | IPv6Address]:
    """Return addresses anywhere, and around the starts of ranges of the shipped maps, of both families."""
    generator = random.Random(64498)
    shipped = load(maps_directory())
    v4 = shipped.column("v4.start").tolist()
    high, low = shipped.column("v6.high").tolist(), shipped.column("v6.low").tolist()
    v6 = [first << 64 | last for first, last in zip(high, low, strict=True)]
    found: list[IPv4Address | IPv6Address] = []
    for starts, bits, kind in ((v4, 32, IPv4Address), (v6, 128, IPv6Address)):
        numbers = [start + generator.choice((-1, 0, 1, 77)) for start in generator.sample(starts, count)]
        numbers += [generator.getrandbits(bits) for _ in range(count // 2)]
        found += [kind(number) for number in numbers if 0 <= number < 1 << bits]
    generator.shuffle(found)
    return found


def test_thousands_of_shipped_addresses_are_what_the_single_lookup_says() -> None:
    addresses = shipped_addresses(3000)
    explainer = Explainer(open_tables(maps_directory()))
    frame = concentra.attribute(addresses)
    wrong = []
    for address, row in zip(addresses, known(frame), strict=True):
        reason = special_reason(address)
        wanted = {"refused": reason} if reason else one_by_one(explainer.explain(address))
        found = {name: value for name, value in row.items() if value not in {"none", False}}
        if found != wanted:
            wrong.append((address, found, wanted))
    assert wrong == []
    # All of it was met, on both sides of every column.
    assert frame.notna().any().all()
    assert frame.drop(columns="contradicted").isna().any().all()
    assert frame["contradicted"].any()


# concentration

COUNTS = {"aws": 50, "hetzner": 30, "ovh": 20}


def scores(counts: Mapping[str, int] | pd.Series, *, unattributed: int = 0) -> dict[str, dict[str, object]]:
    frame = concentra.concentration(counts, unattributed=unattributed)
    assert list(frame.columns) == ["metric", "value", "lower", "upper", "who", "definition"]
    return {
        str(row["metric"]): {str(name): value for name, value in row.items()}
        for row in frame.to_dict("records")
    }


INDICES: Mapping[str, Callable[[Sequence[int]], float | None]] = {
    "share": partial(indices.concentration_ratio, k=1),
    "top3": partial(indices.concentration_ratio, k=3),
    "hhi": indices.herfindahl_hirschman_index,
    "effective": indices.effective_number,
    "nakamoto": indices.nakamoto_coefficient,
    "nakamoto_third": partial(indices.nakamoto_coefficient, threshold=Fraction(1, 3)),
    "nakamoto_two_thirds": partial(indices.nakamoto_coefficient, threshold=Fraction(2, 3), strict=False),
    "entropy": indices.shannon_entropy,
    "hhi_unbiased": indices.unbiased_hhi,
    "centralization_score": indices.centralization_score,
    "hhi_normalized": indices.normalized_hhi,
    "entities": partial(indices.hill_number, order=0),
    "hill_1": partial(indices.hill_number, order=1),
    "hill_2": partial(indices.hill_number, order=2),
    "hill_inf": partial(indices.hill_number, order=float("inf")),
    "evenness": indices.evenness,
    "theil": indices.theil_index,
    "gini": indices.gini_coefficient,
}
BOUNDED = ("share", "top3", "hhi", "effective", "nakamoto", "nakamoto_third", "nakamoto_two_thirds")


@given(st.lists(st.integers(1, 60), min_size=2, max_size=8))
def test_every_index_is_that_of_the_counts(counts: list[int]) -> None:
    found = scores({f"entity-{number}": units for number, units in enumerate(counts)})
    assert found.keys() == INDICES.keys()
    for metric, index in INDICES.items():
        assert found[metric]["value"] == pytest.approx(index(counts), rel=1e-12), metric
    for metric in BOUNDED:
        assert found[metric]["lower"] == found[metric]["upper"] == found[metric]["value"]


def completions(counts: tuple[int, ...], unattributed: int) -> set[tuple[int, ...]]:
    """Return every way in which each unattributed unit belongs to some entity, seen or new."""
    if not unattributed:
        return {counts}
    joined = {tuple(sorted((*counts[:i], counts[i] + 1, *counts[i + 1 :]))) for i in range(len(counts))}
    return set().union(
        *(completions(some, unattributed - 1) for some in {*joined, tuple(sorted((*counts, 1)))})
    )


@given(
    st.lists(st.integers(0, 4), max_size=4).map(tuple),
    st.integers(0, 4),
)
def test_unattributed_units_widen_the_bounds_to_every_completion(
    counts: tuple[int, ...], unattributed: int
) -> None:
    if not sum(counts) + unattributed:
        return
    found = scores({f"entity-{n}": units for n, units in enumerate(counts)}, unattributed=unattributed)
    ways = completions(tuple(sorted(units for units in counts if units)), unattributed)
    for metric in BOUNDED:
        values = [float(INDICES[metric](way) or 0) for way in ways]
        limits = found[metric]["lower"], found[metric]["upper"]
        assert limits == (pytest.approx(min(values)), pytest.approx(max(values))), metric
        assert min(values) - 1e-12 <= float(str(found[metric]["value"])) <= max(values) + 1e-12


def test_who_is_counted_by_a_share_and_a_nakamoto_coefficient() -> None:
    found = scores({"b": 2, "a": 2, "c": 9, "nobody": 0})
    assert found["share"]["who"] == ("c",)
    assert found["top3"]["who"] == ("c", "a", "b")  # ties in order of their names
    assert found["nakamoto"]["who"] == ("c",)
    assert found["hhi"]["who"] == ()


VALUE_COUNTS = pd.Series([name for name, units in COUNTS.items() for _ in range(units)], dtype="category")
SAME: Mapping[str, Any] = {
    "series": pd.Series(COUNTS),
    "nullable": pd.Series(COUNTS, dtype="Int64"),
    "small": pd.Series(COUNTS, dtype="uint8"),
    "value-counts": VALUE_COUNTS.value_counts(),
    "numpy": {name: np.int32(units) for name, units in COUNTS.items()},
    "zero": {**COUNTS, "nobody": 0},
}


@pytest.mark.parametrize("counts", SAME.values(), ids=SAME)
def test_counts_of_every_kind_are_the_same(counts: Any) -> None:
    pd.testing.assert_frame_equal(concentra.concentration(counts), concentra.concentration(COUNTS))


@pytest.mark.parametrize(
    "counts",
    [
        pytest.param(pd.Series([*COUNTS.values(), 7], index=[*COUNTS, None]), id="series"),
        pytest.param(dict(zip([*COUNTS, float("nan")], [*COUNTS.values(), 7], strict=True)), id="mapping"),
    ],
)
def test_units_of_no_entity_are_unattributed(counts: Any) -> None:
    pd.testing.assert_frame_equal(
        concentra.concentration(counts, unattributed=2), concentra.concentration(COUNTS, unattributed=9)
    )


@pytest.mark.parametrize("counts", [[3, 1], 5, None, pd.DataFrame({"a": [1]})], ids=type)
def test_counts_without_entities_are_a_mistake(counts: Any) -> None:
    with pytest.raises(TypeError, match="mapping or a Series"):
        concentra.concentration(counts)


def test_counts_of_a_column_of_attributions(maps: Path) -> None:
    frame = concentra.attribute(["11.1.0.1", "11.1.0.2", "11.3.1.1", "12.0.0.1"], maps=maps)
    found = scores(frame["provider"].value_counts(), unattributed=int(frame["provider"].isna().sum()))
    assert (found["share"]["lower"], found["share"]["upper"]) == (2 / 4, 3 / 4)


@pytest.mark.parametrize(
    "counts",
    [
        pytest.param({"a": 1.0}, id="float"),
        pytest.param({"a": True}, id="bool"),
        pytest.param({"a": np.True_}, id="numpy-bool"),
        pytest.param({"a": np.float64(1)}, id="numpy-float"),
        pytest.param({"a": "1"}, id="text"),
        pytest.param({"a": None}, id="null"),
        pytest.param({"a": -1}, id="negative"),
        pytest.param({"a": 2, "b": -1}, id="one-negative"),
        pytest.param(pd.Series({"a": 1.0}), id="series-of-floats"),
        pytest.param(pd.Series({"a": 1, "b": None}, dtype="Int64"), id="series-with-a-null"),
    ],
)
def test_counts_that_are_none_are_refused(counts: Mapping[str, int] | pd.Series) -> None:
    with pytest.raises(ValueError, match="wanted counts that are integers and not negative"):
        concentra.concentration(counts)


@pytest.mark.parametrize("unattributed", [-1, 1.0, True, None], ids=repr)
def test_so_are_unattributed_units(unattributed: int) -> None:
    with pytest.raises(ValueError, match="wanted counts that are integers and not negative"):
        concentra.concentration({"a": 1}, unattributed=unattributed)


@pytest.mark.parametrize("counts", [{}, {"a": 0}, {"a": 0, "b": 0}, pd.Series([], dtype="int64")], ids=repr)
def test_nothing_to_measure_is_an_error(counts: Mapping[str, int] | pd.Series) -> None:
    with pytest.raises(ValueError, match="nothing to measure"):
        concentra.concentration(counts)
    assert scores(counts, unattributed=2)["share"]["upper"] == 1.0


def test_an_entity_that_is_counted_twice_is_refused() -> None:
    """One of the two counts would be lost in silence."""
    twice = pd.concat([pd.Series({"aws": 5, "ovh": 3}), pd.Series({"aws": 7})])
    with pytest.raises(ValueError, match="each entity once"):
        concentra.concentration(twice)
    with pytest.raises(ValueError, match="each entity once"):
        concentra.concentration(pd.Series([5, 7], index=[1, "1"]))


# The package


def in_a_process(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_importing_the_package_imports_neither_pandas_nor_numpy() -> None:
    heavy = {"pandas", "numpy", "pyarrow", "typer"}
    assert in_a_process(f"import sys, concentra; print({heavy!r} & sys.modules.keys())") == "set()"
    assert in_a_process("import sys, concentra; concentra.attribute; print('numpy' in sys.modules)") == "True"


def test_the_package_has_two_functions_and_nothing_that_it_does_not_name() -> None:
    assert set(concentra.__all__) == {"__version__", "attribute", "concentration"}
    assert all(hasattr(concentra, name) for name in concentra.__all__)
    with pytest.raises(AttributeError, match="module 'concentra' has no attribute 'attributes'"):
        concentra.attributes  # noqa: B018
