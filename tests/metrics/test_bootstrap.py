from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.errors import EmptyPopulation
from concentra.metrics import bootstrap as b
from concentra.metrics import bounds
from concentra.metrics import concentration as c
from concentra.metrics.intervals import Interval

Rows = tuple[b.Ints, b.Ints, b.Ints]
SEED = 20251020


def rows_of(*rows: tuple[int, int, int]) -> Rows:
    cluster, key, weight = np.array(rows, dtype=np.int64).T
    return cluster, key, weight


def population(nodes: int, clusters: int, keys: int, *, heaviest: int = 1, seed: int = SEED) -> Rows:
    """Return nodes whose cluster inclines them to one key, as prefixes belong to providers."""
    rng = np.random.default_rng(seed)
    cluster = rng.integers(clusters, size=nodes)
    own = np.minimum(rng.geometric(0.3, size=clusters) - 1, keys - 1)
    key = np.where(rng.random(nodes) < 0.7, own[cluster], rng.integers(keys, size=nodes))
    return cluster * 256, key, rng.integers(1, heaviest + 1, size=nodes)


def one_by_one(rows: Rows, keys: int, replicates: int, seed: int) -> b.Ints:
    """The definition, slowly: draw G clusters with return, and add up their rows."""
    rng = np.random.default_rng(seed)
    content: dict[int, Counter[int]] = {}
    for cluster, key, weight in zip(*(column.tolist() for column in rows), strict=True):
        content.setdefault(cluster, Counter())[key] += weight
    names = list(content)
    counts = np.zeros((replicates, keys), dtype=np.int64)
    for replicate in range(replicates):
        for drawn in rng.choice(len(names), size=len(names)).tolist():
            for key, weight in content[names[drawn]].items():
                counts[replicate, key] += weight
    return counts


def assert_same_distribution(fast: b.Ints, slow: b.Ints) -> None:
    """Means within five standard errors; variances and correlations within what 2,000 replicates allow."""
    replicates = min(len(fast), len(slow))
    error = np.sqrt((fast.var(axis=0) + slow.var(axis=0)) / replicates)
    assert (np.abs(fast.mean(axis=0) - slow.mean(axis=0)) <= 5 * error + 1e-12).all()
    # The relative standard error of a variance of R normal values is sqrt(2 / R), here of two.
    assert fast.var(axis=0) == pytest.approx(slow.var(axis=0), rel=5 * (4 / replicates) ** 0.5, abs=0.05)
    together = np.corrcoef(fast[:, :4].T), np.corrcoef(slow[:, :4].T)
    assert together[0] == pytest.approx(together[1], abs=5 * (2 / replicates) ** 0.5)


CASES: dict[str, tuple[Rows, int]] = {
    "few kinds": (population(400, 380, 5), 5),  # drawn by binomials
    "many kinds": (population(400, 90, 12), 12),  # drawn one by one
    "weights": (population(300, 120, 6, heaviest=4), 6),
    "heavy weights": (population(200, 90, 6, heaviest=10**9), 6),
    "large clusters": (population(600, 8, 6), 6),
    "clusters of many keys": (population(3000, 150, 40), 40),
    "all of weight three": ((*population(300, 200, 5)[:2], np.full(300, 3)), 5),
}
every_case = pytest.mark.parametrize(("rows", "keys"), CASES.values(), ids=CASES.keys())


@every_case
def test_it_agrees_with_drawing_clusters_one_by_one(rows: Rows, keys: int) -> None:
    fast = b.ClusterBootstrap(*rows, rng=np.random.default_rng(SEED), replicates=2000)
    slow = one_by_one(rows, keys, 2000, SEED + 1)
    assert fast.blocks is None
    assert_same_distribution(fast.counts(np.arange(keys)), slow)


@every_case
def test_the_mean_and_variance_are_those_of_theory(rows: Rows, keys: int) -> None:
    """Of G draws out of G clusters with contents x: the mean is sum(x), the variance that of x times G."""
    cluster, key, weight = rows
    _, dense = np.unique(cluster, return_inverse=True)
    content = np.zeros((dense.max() + 1, keys))
    np.add.at(content, (dense, key), weight)
    resampled = b.ClusterBootstrap(*rows, rng=np.random.default_rng(SEED), replicates=4000)
    counts = resampled.counts(np.arange(keys))
    deviation = np.sqrt(len(content)) * content.std(axis=0)
    assert (np.abs(counts.mean(axis=0) - content.sum(axis=0)) <= 5 * deviation / np.sqrt(4000)).all()
    assert counts.std(axis=0) == pytest.approx(deviation, rel=0.1)
    assert resampled.clusters == len(content)


@pytest.mark.parametrize("clusters", [380, 4000], ids=["a block for each cluster", "fewer blocks"])
def test_blocks_agree_with_clusters(clusters: int) -> None:
    rows = population(clusters * 3 // 2, clusters, 5)
    exact = b.ClusterBootstrap(*rows, rng=np.random.default_rng(1), replicates=2000)
    blocks = b.ClusterBootstrap(*rows, rng=np.random.default_rng(2), replicates=2000, max_draws=80_000)
    assert (exact.blocks, blocks.blocks) == (None, min(b.BLOCKS, exact.clusters))
    assert exact.replicates == blocks.replicates == 2000
    assert_same_distribution(blocks.counts(np.arange(5)), exact.counts(np.arange(5)))


@pytest.mark.parametrize("limit", ["CELLS", "PROBE"])
@every_case
def test_limits_of_working_memory_change_nothing(
    monkeypatch: pytest.MonkeyPatch, rows: Rows, keys: int, limit: str
) -> None:
    whole = b.ClusterBootstrap(*rows, rng=np.random.default_rng(SEED), replicates=40)
    monkeypatch.setattr(b, limit, 7)
    parts = b.ClusterBootstrap(*rows, rng=np.random.default_rng(SEED), replicates=40)
    assert (whole.counts(np.arange(keys)) == parts.counts(np.arange(keys))).all()


def test_neighbouring_clusters_go_to_blocks_at_random() -> None:
    """Addresses have an order. Dealt in turn, every other block would have all nodes of one provider."""
    cluster = np.arange(4 * b.BLOCKS)
    rows = cluster, cluster % 2, np.ones_like(cluster)
    blocks = b.ClusterBootstrap(*rows, rng=np.random.default_rng(1), replicates=1000, max_draws=1_000_000)
    assert (blocks.blocks, blocks.replicates) == (None, 1000)  # two kinds: no blocks needed
    blocks = b.ClusterBootstrap(*rows, rng=np.random.default_rng(1), replicates=1000, max_draws=16_000)
    assert (blocks.blocks, blocks.replicates) == (b.BLOCKS, 1000)
    assert blocks.counts(np.arange(2))[:, 0].std() == pytest.approx((len(cluster) / 4) ** 0.5, rel=0.1)


def test_blocks_of_many_keys_are_counted_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = population(9000, 6000, 40, heaviest=3)
    whole = b.ClusterBootstrap(*rows, rng=np.random.default_rng(SEED), replicates=100, max_draws=1)
    monkeypatch.setattr(b, "CELLS", 7 * b.BLOCKS // 4)  # seven keys at once
    parts = b.ClusterBootstrap(*rows, rng=np.random.default_rng(SEED), replicates=100, max_draws=1)
    assert parts.blocks == b.BLOCKS
    assert (whole.counts(np.arange(40)) == parts.counts(np.arange(40))).all()


def test_replicates_are_fewer_where_there_are_very_many_keys() -> None:
    key = np.arange(5000)
    fewer = b.ClusterBootstrap(
        key, key, np.ones_like(key), rng=np.random.default_rng(1), max_draws=8 * 5000 * 300
    )
    assert fewer.replicates == 300
    assert fewer.counts(key).shape == (300, 5000)
    least = b.ClusterBootstrap(key, key, np.ones_like(key), rng=np.random.default_rng(1), max_draws=1)
    assert least.replicates == b.MIN_REPLICATES
    asked = b.ClusterBootstrap(
        key, key, np.ones_like(key), rng=np.random.default_rng(1), replicates=7, max_draws=1
    )
    assert asked.replicates == 7


def test_the_same_seed_gives_the_same_counts() -> None:
    rows = population(300, 200, 5)
    first, second, other = (
        b.ClusterBootstrap(*rows, rng=np.random.default_rng(s), replicates=50) for s in (1, 1, 2)
    )
    assert (first.counts(np.arange(5)) == second.counts(np.arange(5))).all()
    assert (first.counts(np.arange(5)) != other.counts(np.arange(5))).any()


def test_the_order_of_rows_does_not_matter() -> None:
    cluster, key, weight = population(300, 100, 6, heaviest=3)
    shuffled = np.random.default_rng(9).permutation(300)
    first = b.ClusterBootstrap(cluster, key, weight, rng=np.random.default_rng(1), replicates=50)
    second = b.ClusterBootstrap(
        cluster[shuffled], key[shuffled], weight[shuffled], rng=np.random.default_rng(1), replicates=50
    )
    assert (first.counts(np.arange(6)) == second.counts(np.arange(6))).all()


def test_one_row_of_weight_two_is_two_rows_of_one() -> None:
    merged = rows_of((1, 0, 2), (2, 1, 1), (3, 1, 1))
    apart = rows_of((1, 0, 1), (2, 1, 1), (1, 0, 1), (3, 1, 1))
    first, second = (
        b.ClusterBootstrap(*r, rng=np.random.default_rng(1), replicates=50) for r in (merged, apart)
    )
    assert (first.counts(np.arange(2)) == second.counts(np.arange(2))).all()


def test_a_cluster_is_drawn_as_a_whole() -> None:
    rows = rows_of((1, 0, 1), (1, 1, 2), (1, 2, 3), (2, 3, 1), (3, 3, 1), (4, 3, 1))
    counts = b.ClusterBootstrap(*rows, rng=np.random.default_rng(1), replicates=300).counts(np.arange(4))
    assert (counts[:, 1] == 2 * counts[:, 0]).all()
    assert (counts[:, 2] == 3 * counts[:, 0]).all()
    assert (counts[:, 0] + counts[:, 3] == 4).all()  # four clusters are drawn
    assert set(counts[:, 0].tolist()) == {0, 1, 2, 3, 4}


def test_single_nodes_add_up_to_the_population_in_each_replicate() -> None:
    cluster = np.arange(500)
    key = cluster % 7
    counts = b.ClusterBootstrap(cluster, key, np.ones_like(key), rng=np.random.default_rng(1)).counts(
        np.arange(7)
    )
    assert (counts.sum(axis=1) == 500).all()
    assert counts.dtype == np.int64


def test_axes_are_resampled_together() -> None:
    """Providers (six), continents (two) and everyone are sums of one draw."""
    resampled = b.ClusterBootstrap(*population(800, 300, 6), rng=np.random.default_rng(1), replicates=200)
    providers = resampled.counts(np.arange(6))
    continents = resampled.counts(np.array([0, 1, 0, 1, 0, 1]))
    assert (continents[:, 0] == providers[:, ::2].sum(axis=1)).all()
    assert (continents[:, 1] == providers[:, 1::2].sum(axis=1)).all()
    assert (resampled.counts(np.zeros(6, dtype=np.int64))[:, 0] == providers.sum(axis=1)).all()


def test_what_is_left_out_is_in_no_column() -> None:
    resampled = b.ClusterBootstrap(*population(800, 300, 6), rng=np.random.default_rng(1), replicates=50)
    all_six, some = resampled.counts(np.arange(6)), resampled.counts(np.array([0, -1, 1, -1, 1, -1]))
    assert some.shape == (50, 2)
    assert (some[:, 0] == all_six[:, 0]).all()
    assert (some[:, 1] == all_six[:, 2] + all_six[:, 4]).all()


def test_categories_without_nodes_have_columns_of_zeros() -> None:
    resampled = b.ClusterBootstrap(*rows_of((1, 2, 1), (2, 5, 1)), rng=np.random.default_rng(1), replicates=9)
    counts = resampled.counts(np.array([0, 3, 1, 3, 3, 1]), categories=6)
    assert counts.shape == (9, 6)
    assert (counts == [0, 2, 0, 0, 0, 0]).all()
    assert resampled.counts(np.array([-1, -1, -1, -1, -1, -1])).shape == (9, 0)


def test_gaps_between_keys_change_nothing() -> None:
    cluster, key, weight = population(300, 100, 6)
    plain, gaps = (
        b.ClusterBootstrap(cluster, name, weight, rng=np.random.default_rng(1), replicates=50)
        for name in (key, key * 7)
    )
    category = np.repeat(np.arange(6), 7)
    assert (plain.counts(np.arange(6)) == gaps.counts(category)).all()


def test_clusters_may_have_any_numbers() -> None:
    names = np.array([-(2**62), 2**62, 2**62, 5])
    rows = names, np.array([0, 1, 1, 1]), np.ones(4, dtype=np.int64)
    plain = np.array([0, 2, 2, 1]), *rows[1:]
    first, second = (
        b.ClusterBootstrap(*r, rng=np.random.default_rng(1), replicates=50) for r in (rows, plain)
    )
    assert first.clusters == 3
    assert (first.counts(np.arange(2)) == second.counts(np.arange(2))).all()


def test_clustered_nodes_have_a_wider_interval_than_independent_ones() -> None:
    cluster = np.repeat(np.arange(100), 10)
    key = cluster % 4
    clustered, independent = (
        b.ClusterBootstrap(name, key, np.ones_like(key), rng=np.random.default_rng(1)).counts(np.arange(4))
        for name in (cluster, np.arange(1000))
    )
    assert clustered[:, 0].std() == pytest.approx(10**0.5 * independent[:, 0].std(), rel=0.1)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ((np.zeros(2), np.zeros(3), np.zeros(2)), "agree in number"),
        (rows_of((0, -1, 1)), "key must not"),
        (rows_of((0, 0, -1)), "weight must not"),
        (rows_of((0, 0, 2**55), (1, 0, 2**55)), "sum to less"),
    ],
)
def test_wrong_rows_are_refused(rows: Rows, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        b.ClusterBootstrap(*rows, rng=np.random.default_rng(1))


def test_no_rows_are_an_empty_population() -> None:
    none = np.zeros(0, dtype=np.int64)
    with pytest.raises(EmptyPopulation):
        b.ClusterBootstrap(none, none, none, rng=np.random.default_rng(1))


def test_wrong_categories_are_refused() -> None:
    resampled = b.ClusterBootstrap(*rows_of((1, 2, 1)), rng=np.random.default_rng(1), replicates=9)
    with pytest.raises(ValueError, match="key 2 has no entry"):
        resampled.counts(np.array([0, 1]))
    with pytest.raises(ValueError, match="at least -1"):
        resampled.counts(np.array([0, 1, -2]))
    with pytest.raises(ValueError, match="replicates"):
        b.ClusterBootstrap(*rows_of((1, 2, 1)), rng=np.random.default_rng(1), replicates=0)


matrices = st.integers(1, 6).flatmap(
    lambda width: st.lists(
        st.tuples(st.lists(st.integers(0, 9), min_size=width, max_size=width), st.integers(0, 12)),
        min_size=1,
        max_size=5,
    )
)


@given(matrices, st.integers(1, 8), st.fractions(0, 1, max_denominator=9).filter(lambda t: 0 < t < 1))
def test_statistics_are_the_indices_of_each_replicate(
    rows: list[tuple[list[int], int]], k: int, threshold: Fraction
) -> None:
    """Unattributed units are entities of their own: the value that the report has, in each replicate."""
    counts = np.array([row for row, _ in rows], dtype=np.int64)
    unknown = np.array([u for _, u in rows], dtype=np.int64)
    loose = b.nakamoto(counts, unknown, threshold=threshold, strict=False)
    for replicate, (row, u) in enumerate(rows):
        values = {
            "hhi": b.hhi(counts, unknown)[replicate],
            "effective": b.effective_number(counts, unknown)[replicate],
            "largest": b.largest_share(counts, unknown)[replicate],
            "ratio": b.concentration_ratio(counts, k, unknown)[replicate],
            "nakamoto": b.nakamoto(counts, unknown, threshold=threshold)[replicate],
        }
        if not any(row) and not u:
            assert np.isnan(list(values.values())).all()
            continue
        spelled_out = row + [1] * u
        assert values["hhi"] == c.herfindahl_hirschman_index(spelled_out)
        assert values["hhi"] == bounds.hhi_bounds(row, unattributed=u).lower
        assert values["effective"] == pytest.approx(c.effective_number(spelled_out), rel=1e-14)
        assert values["largest"] == c.largest_share(spelled_out)
        assert values["ratio"] == c.concentration_ratio(spelled_out, k)
        assert values["nakamoto"] == c.nakamoto_coefficient(spelled_out, threshold=threshold)
        assert loose[replicate] == c.nakamoto_coefficient(spelled_out, threshold=threshold, strict=False)


def test_statistics_without_unattributed_units() -> None:
    counts = np.array([[5, 3, 2], [0, 0, 4]])
    assert b.hhi(counts).tolist() == [0.38, 1.0]
    assert b.nakamoto(counts).tolist() == [2, 1]
    assert b.concentration_ratio(counts, 2).tolist() == [0.8, 1.0]


def test_statistics_of_gwei_do_not_overflow() -> None:
    counts = np.array([[3 * 10**16, 10**16]])
    assert b.hhi(counts).tolist() == [0.625]
    assert b.nakamoto(counts, threshold=Fraction(3, 4)).tolist() == [2]
    assert b.nakamoto(counts, threshold=Fraction(3, 4), strict=False).tolist() == [1]


def test_unattributed_units_need_one_number_for_each_replicate() -> None:
    with pytest.raises(ValueError, match="shape"):
        b.hhi(np.array([[1, 2]]), np.array([1, 2]))
    with pytest.raises(ValueError, match="k must be"):
        b.concentration_ratio(np.array([[1, 2]]), 0)


def test_an_interval_has_ends_that_occurred() -> None:
    values = np.arange(1000.0)
    assert b.percentile_interval(values) == Interval(24.0, 975.0, 0.95)
    assert b.percentile_interval(np.array([3.0])) == Interval(3.0, 3.0, 0.95)
    assert b.percentile_interval(np.array([1.0, np.nan, 2.0])) is None


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: b.percentile_interval(np.array([1.0]), confidence=1),
        lambda: b.percentile_interval(np.zeros(0)),
    ],
)
def test_intervals_of_nothing_or_of_everything_are_refused(wrong: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match="must"):
        wrong()


def test_the_interval_of_a_share_is_wilsons_where_nodes_are_independent() -> None:
    key = (np.arange(2000) % 9 < 2).astype(np.int64)
    counts = b.ClusterBootstrap(np.arange(2000), key, np.ones_like(key), rng=np.random.default_rng(1)).counts(
        np.arange(2)
    )
    interval = b.percentile_interval(counts[:, 1] / counts.sum(axis=1))
    assert interval is not None
    share = key.mean()
    half = 1.96 * (share * (1 - share) / 2000) ** 0.5
    assert (interval.lower, interval.upper) == pytest.approx((share - half, share + half), abs=half / 8)
