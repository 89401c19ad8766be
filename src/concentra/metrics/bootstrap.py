"""Bootstrap of crawls by cluster: what another crawl of the same process might have given.

Nodes of one /24 (IPv4) or /48 (IPv6) tend to share an operator, so whole prefixes are resampled, not
nodes; for Ethereum that widens intervals by a design effect of about 1.4. Clusters must not be ASNs
or providers: these are what is being measured, and resampling them gives intervals from 0.7 to 44 %.

A crawl is nearly a census of the nodes that can be reached. The interval then answers only "would
another crawl of the same process agree", not "is the network like this"; for the latter see
`concentra.metrics.bounds`.

The functions below turn the resampled counts into one value per replicate. They mean what their
namesakes in `concentra.metrics.concentration` mean, with unattributed units as entities of their own.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt

from concentra.errors import EmptyPopulation
from concentra.metrics.concentration import HALF, units_needed
from concentra.metrics.intervals import Interval

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

MIN_REPLICATES = 100
BLOCKS = 1024  # a standard error from 1,024 blocks is itself uncertain by 1/sqrt(2 * 1024) = 2.2 %
ADDITIONS_PER_STEP = 500  # one step of a Python loop takes as long as five hundred additions in NumPy
PROBE = 2**16  # among this many clusters it shows whether there are too many kinds of them
CELLS = 2**22  # how many cells of a working matrix exist at once: 32 MiB
DRAWS_PER_BINOMIAL = 20  # one binomial variate takes as long as twenty uniform ones and their counting


class ClusterBootstrap:
    """Counts of a population whose clusters were drawn anew with return, many times.

    Each replicate draws G clusters out of G. The draw is made once, here, and serves every axis: the
    provider and the country of a node are resampled together.

    Clusters with the same content are interchangeable, so the numbers drawn of each *kind* of cluster
    are multinomial, and there are far fewer kinds than clusters. Where even that is too much work
    (`max_draws`), clusters are first dealt at random into equal blocks, and blocks are drawn: the
    method of random groups [1]_, whose standard errors are right on average and within some 2 % for
    `BLOCKS` blocks.

    Parameters
    ----------
    cluster : int64 array, shape (n_rows,)
        Which cluster a row belongs to: any numbers, for example the leading bits of the address.
    key : int64 array, shape (n_rows,)
        The finest category of each row, numbered from 0 without large gaps.
    weight : int64 array, shape (n_rows,)
        Units in the row; 1 if a row is a node. The sum must stay below 2**56.
    rng : numpy.random.Generator
        Source of all randomness; print its seed.
    replicates : int, at least 1
        How many resampled populations to make, unless that is too much work.
    max_draws : int
        Limit of the work: beyond it blocks are drawn. The matrix of counts, replicates times keys,
        is kept to an eighth of it by making fewer replicates, yet at least 100 (or `replicates`).

    Raises
    ------
    EmptyPopulation
        If there is no row.
    ValueError
        If the arrays differ in length, a key or weight is negative, or the weights sum to too much.

    References
    ----------
    .. [1] K. M. Wolter, "Introduction to Variance Estimation", 2nd ed., 2007, chapter 2.

    Examples
    --------
    Two nodes of one prefix come and go together, so their count is always even:

    >>> rows = np.array([7, 7, 8, 9]), np.array([0, 0, 1, 1]), np.array([1, 1, 1, 1])
    >>> resampled = ClusterBootstrap(*rows, rng=np.random.default_rng(1), replicates=200)
    >>> counts = resampled.counts(np.array([0, 1]))
    >>> counts.shape, set((counts[:, 0] % 2).tolist())
    ((200, 2), {0})
    """

    clusters: int
    """G, the number of distinct clusters."""
    replicates: int
    """The number of replicates actually made."""
    blocks: int | None
    """How many blocks were drawn from; None if clusters themselves were, as in all but huge inputs."""

    def __init__(
        self,
        cluster: Ints,
        key: Ints,
        weight: Ints,
        *,
        rng: np.random.Generator,
        replicates: int = 1000,
        max_draws: int = 2**27,
    ) -> None:
        # (1) Number the keys that occur, so that no work is spent on those that do not.
        _check_rows(cluster, key, weight)
        if replicates < 1:
            raise ValueError(f"replicates must be at least 1, got {replicates}")
        occurs = np.zeros(int(key.max()) + 1, dtype=np.bool_)
        occurs[key] = True
        self._keys: Ints = np.flatnonzero(occurs)
        keys = len(self._keys)
        self.replicates = min(replicates, max(MIN_REPLICATES, max_draws // 8 // keys))

        # (2) Sort rows into clusters, one row for each key in a cluster.
        dense_key = key if occurs.all() else (np.cumsum(occurs) - 1)[key]
        starts, row_key, row_weight = _rows_by_cluster(cluster, dense_key, weight, keys)
        self.clusters = len(starts)

        # (3) Group equal clusters into kinds, and draw how many of each kind.
        # All clusters have at least as many kinds as some have, which spares a hopeless attempt.
        for some in sorted({min(PROBE, self.clusters), self.clusters}):
            end = starts[some] if some < self.clusters else len(row_key)
            kinds = _Kinds(starts[:some], row_key[:end], row_weight[:end], keys)
            draws = min(self.clusters, DRAWS_PER_BINOMIAL * len(kinds.multiplicity))
            additions = max(self.replicates, ADDITIONS_PER_STEP) * len(kinds.key)
            if self.replicates * draws + additions > max_draws:
                break
        else:
            self.blocks = None
            self._key_counts = kinds.resampled(rng, self.replicates, keys)
            return

        # (4) Too many kinds: deal clusters into blocks, and draw blocks.
        self.blocks = min(BLOCKS, self.clusters)
        block = (rng.permutation(self.clusters) % self.blocks)[_owner(starts, len(row_key))]
        times = np.empty((self.blocks, self.replicates))
        for replicate in range(self.replicates):
            times[:, replicate] = np.bincount(
                rng.integers(self.blocks, size=self.blocks), minlength=self.blocks
            )
        self._key_counts = _content(block, row_key, row_weight, keys, times)

    def counts(self, category_of_key: Ints, *, categories: int | None = None) -> Ints:
        """Return the resampled count of each category, one row per replicate.

        Parameters
        ----------
        category_of_key : int array
            Category of each key; -1 leaves the key out, also of the denominator.
        categories : int, optional
            Number of columns, if the last categories may have no key.

        Returns
        -------
        int64 array, shape (replicates, categories)
            Units; a category without a key has zeros.

        Raises
        ------
        ValueError
            If a key has no entry in `category_of_key`, or an entry is below -1.
        """
        if len(category_of_key) <= self._keys[-1]:
            raise ValueError(f"key {self._keys[-1]} has no entry among {len(category_of_key)} categories")
        if category_of_key.min() < -1:
            raise ValueError(f"a category must be at least -1, got {category_of_key.min()}")
        width = int(category_of_key.max()) + 1 if categories is None else categories
        counts = np.zeros((width, self.replicates), dtype=np.int64)
        # A plain loop: adding one contiguous row at a time takes a fifth of what np.add.reduceat does.
        for row, category in zip(self._key_counts, category_of_key[self._keys].tolist(), strict=True):
            if category >= 0:
                counts[category] += row
        return counts.T


class _Kinds:
    """Kinds of clusters: how many clusters are of each, and what one of them contains."""

    multiplicity: Ints
    """How many clusters are of this kind."""
    kind: Ints
    """To which kind a row of the two arrays below belongs."""
    key: Ints
    weight: Ints

    def __init__(self, starts: Ints, key: Ints, weight: Ints, keys: int) -> None:
        base, said, meaning = _row_codes(key, weight, keys)
        size = np.diff(starts, append=len(key))
        # (1) Clusters of a few rows: sorted as they are, equal contents give equal numbers.
        longest = 1
        while longest < size.max() and base ** (longest + 1) < 2**63:
            longest += 1
        multiplicity, width, codes = [], [], []
        for rows in range(1, longest + 1):
            first = starts[size == rows]
            packed = np.zeros(len(first), dtype=np.int64)
            for row in range(rows):
                packed = packed * base + said[first + row]
            contents, times = np.unique(packed, return_counts=True)
            multiplicity.append(times)
            width.append(np.full(len(times), rows))
            codes.append((contents[:, None] // base ** np.arange(rows - 1, -1, -1) % base).ravel())
        # (2) Clusters of more rows are hardly ever equal: each is a kind of its own.
        large = size > longest
        multiplicity.append(np.ones(np.count_nonzero(large), dtype=np.int64))
        width.append(size[large])
        codes.append(said[np.repeat(large, size)])
        self.multiplicity = np.concatenate(multiplicity)
        self.kind = np.repeat(np.arange(len(self.multiplicity)), np.concatenate(width))
        self.key, self.weight = meaning[:, np.concatenate(codes)]

    def resampled(self, rng: np.random.Generator, replicates: int, keys: int) -> Ints:
        """Return the units of each key in each replicate, shape (keys, replicates)."""
        rows = list(zip(self.key.tolist(), self.kind.tolist(), self.weight.tolist(), strict=True))
        counts = np.zeros((keys, replicates), dtype=np.int64)
        at_once = max(1, CELLS // len(self.multiplicity))
        for start in range(0, replicates, at_once):
            drawn = self._drawn(rng, min(at_once, replicates - start))
            chunk = counts[:, start : start + at_once]
            # A plain loop over contiguous rows: np.add.reduceat needs them gathered in a matrix first,
            # which takes fifteen times as long (180 ms against 12 ms for 17,000 nodes).
            for key, kind, weight in rows:
                chunk[key] += drawn[kind] if weight == 1 else drawn[kind] * weight
        return counts

    def _drawn(self, rng: np.random.Generator, replicates: int) -> Ints:
        """Return how many clusters of each kind are drawn, shape (kinds, replicates)."""
        kinds, clusters = len(self.multiplicity), int(self.multiplicity.sum())
        if clusters > DRAWS_PER_BINOMIAL * kinds:
            by_replicate = rng.multinomial(clusters, self.multiplicity / clusters, size=replicates)
        else:
            kind_of_cluster = np.repeat(np.arange(kinds), self.multiplicity)
            by_replicate = np.empty((replicates, kinds), dtype=np.int64)
            for replicate in range(replicates):
                drawn = kind_of_cluster[rng.integers(clusters, size=clusters, dtype=np.int64)]
                by_replicate[replicate] = np.bincount(drawn, minlength=kinds)
        return np.ascontiguousarray(by_replicate.T)


def hhi(counts: Ints, unattributed: Ints | None = None) -> Floats:
    """Return the HHI of each replicate, ``(sum(n²) + u) / N²``.

    Parameters
    ----------
    counts : int64 array, shape (replicates, categories)
        Resampled counts of the attributed categories.
    unattributed : int64 array, shape (replicates,), optional
        Units without a category: each is an entity of its own and part of N, as at the lower end of
        `concentra.metrics.bounds.hhi_bounds`. Right for units of weight 1 only.

    Returns
    -------
    float64 array, shape (replicates,)
        NaN where nothing was drawn.
    """
    unknown = _unknown(counts, unattributed)
    squares = np.square(counts, dtype=np.float64).sum(axis=1)
    return _over(squares + unknown, np.square(_total(counts, unknown), dtype=np.float64))


def effective_number(counts: Ints, unattributed: Ints | None = None) -> Floats:
    """Return the effective number of entities of each replicate, the inverse of `hhi`."""
    return np.divide(1.0, hhi(counts, unattributed))


def largest_share(counts: Ints, unattributed: Ints | None = None) -> Floats:
    """Return the share of the largest entity of each replicate, whichever that is in it."""
    return concentration_ratio(counts, 1, unattributed)


def concentration_ratio(counts: Ints, k: int, unattributed: Ints | None = None) -> Floats:
    """Return the share of the `k` largest entities of each replicate.

    Ranks are found anew in each replicate. That biases the ratio upwards by some ``1/sqrt(N)``,
    negligible above a thousand nodes, and worth a warning below two hundred.

    Parameters
    ----------
    counts : int64 array, shape (replicates, categories)
        Resampled counts of the attributed categories.
    k : int, at least 1
        How many entities.
    unattributed : int64 array, shape (replicates,), optional
        Units without a category: part of N, and an entity each where fewer than k are known.

    Returns
    -------
    float64 array, shape (replicates,)
        Shares; NaN where nothing was drawn.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    unknown = _unknown(counts, unattributed)
    categories = counts.shape[1]
    top = np.partition(counts, categories - k, axis=1)[:, -k:] if k < categories else counts
    vacant = k - np.count_nonzero(top, axis=1)
    return _over(top.sum(axis=1) + np.minimum(vacant, unknown), _total(counts, unknown))


def nakamoto(
    counts: Ints, unattributed: Ints | None = None, *, threshold: Fraction = HALF, strict: bool = True
) -> Floats:
    """Return the Nakamoto coefficient of each replicate.

    Parameters
    ----------
    counts : int64 array, shape (replicates, categories)
        Resampled counts of the attributed categories.
    unattributed : int64 array, shape (replicates,), optional
        Units without a category: part of N, and added one by one where all known entities together do
        not pass the threshold, as at the upper end of `concentra.metrics.bounds.nakamoto_bounds`.
    threshold, strict
        As for `concentra.metrics.concentration.nakamoto_coefficient`; compared in integers.

    Returns
    -------
    float64 array, shape (replicates,)
        Whole numbers of entities; NaN where nothing was drawn.
    """
    unknown = _unknown(counts, unattributed)
    totals = _total(counts, unknown)
    units = [units_needed(total, threshold, strict=strict) for total in totals.tolist()]
    needed = np.array(units, dtype=np.int64)
    held = np.cumsum(np.sort(counts, axis=1)[:, ::-1], axis=1)
    too_few = np.count_nonzero(held < needed[:, None], axis=1)
    known = counts.sum(axis=1)
    extended = np.count_nonzero(counts, axis=1) + needed - known
    entities = np.where(known >= needed, too_few + 1, extended)
    return np.where(totals > 0, entities.astype(np.float64), np.nan)


def percentile_interval(values: Floats, *, confidence: float = 0.95) -> Interval | None:
    """Return the interval that holds the middle of the replicates.

    Its ends are values that occurred, rounded outwards, so that an interval of a whole number has
    whole ends. Statistics that are biased in a sample, such as the HHI, are biased once more in a
    resample: the interval need not be centred on the estimate.

    Parameters
    ----------
    values : float64 array, shape (replicates,)
        One value for each replicate.
    confidence : float in (0, 1)
        How much of the replicates to hold.

    Returns
    -------
    Interval or None
        None if a replicate drew nothing to measure: the population is too small for an interval.

    Raises
    ------
    ValueError
        If `confidence` lies outside (0, 1), or there is no value.

    Examples
    --------
    >>> percentile_interval(np.array([2.0, 2.0, 3.0, 4.0]), confidence=0.5)
    Interval(lower=2.0, upper=4.0, confidence=0.5)
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be in (0, 1), got {confidence}")
    if not values.size:
        raise ValueError("values must not be empty")
    if np.isnan(values).any():
        return None
    tail = (1 - confidence) / 2
    lower, upper = np.quantile(values, tail, method="lower"), np.quantile(values, 1 - tail, method="higher")
    return Interval(float(lower), float(upper), confidence)


def _check_rows(cluster: Ints, key: Ints, weight: Ints) -> None:
    """Raise if the rows are none, or are not rows."""
    if not len(cluster) == len(key) == len(weight):
        raise ValueError(f"rows must agree in number, got {len(cluster)}, {len(key)} and {len(weight)}")
    if not len(cluster):
        raise EmptyPopulation
    for name, array in (("key", key), ("weight", weight)):
        if array.min() < 0:
            raise ValueError(f"{name} must not be negative, got {array.min()}")
    # A float sum cannot wrap around. 2**56 leaves seven bits for replicates above their expectation.
    if weight.sum(dtype=np.float64) >= 2**56:
        raise ValueError("weights must sum to less than 2**56; use a larger unit")


def _rows_by_cluster(cluster: Ints, key: Ints, weight: Ints, keys: int) -> tuple[Ints, Ints, Ints]:
    """Return where each cluster starts among rows sorted by cluster and key, and those rows merged."""
    low, high = int(cluster.min()), int(cluster.max())
    if (high - low + 1) * keys >= 2**63:
        cluster = np.unique(cluster, return_inverse=True)[1]
        low = 0
    packed = (cluster - low) * keys + key
    if (weight == weight[0]).all():
        packed.sort()  # no argsort: of 10 million rows it takes 0.3 s instead of 0.6 s
        first = _first_of_runs(packed)
        merged = np.diff(first, append=len(packed)) * weight[0]
    else:
        order = np.argsort(packed)
        packed = packed[order]
        first = _first_of_runs(packed)
        merged = np.add.reduceat(weight[order], first)
    packed = packed[first]  # rebound, since of many million rows each array counts
    owner, row_key = np.divmod(packed, keys)
    return _first_of_runs(owner), row_key, merged


def _row_codes(key: Ints, weight: Ints, keys: int) -> tuple[int, Ints, Ints]:
    """Return a number for what each row says, the numbers' upper limit, and (key, weight) of each."""
    heaviest = int(weight.max())
    if heaviest * keys <= 4 * len(key) + 2**16:
        codes = np.arange((heaviest + 1) * keys)
        return len(codes), weight * keys + key, np.stack([codes % keys, codes // keys])
    weights, rank = np.unique(weight, return_inverse=True)
    pairs, said = np.unique(rank * keys + key, return_inverse=True)
    return len(pairs), said, np.stack([pairs % keys, weights[pairs // keys]])


def _content(block: Ints, key: Ints, weight: Ints, keys: int, times: Floats) -> Ints:
    """Return the units of each key, shape (keys, replicates), if each block occurs so many `times`."""
    blocks, replicates = times.shape
    counts = np.empty((keys, replicates), dtype=np.int64)
    at_once = max(1, 4 * CELLS // blocks)
    for low in range(0, keys, at_once):
        width = min(at_once, keys - low)
        here = slice(None) if width == keys else (key >= low) & (key < low + width)
        cell = (key[here] - low) * blocks + block[here]
        content = np.bincount(cell, weights=weight[here], minlength=width * blocks)
        # Floats for the speed of BLAS, and exact: whole numbers, below 2**53 but for gwei.
        counts[low : low + width] = np.rint(content.reshape(width, blocks) @ times)
    return counts


def _owner(starts: Ints, rows: int) -> Ints:
    """Return the number of the run that each of `rows` belongs to."""
    return np.repeat(np.arange(len(starts)), np.diff(starts, append=rows))


def _first_of_runs(ordered: Ints) -> Ints:
    """Return where a new value begins."""
    return np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))


def _unknown(counts: Ints, unattributed: Ints | None) -> Ints:
    """Return the unattributed units of each replicate."""
    if unattributed is None:
        return np.zeros(len(counts), dtype=np.int64)
    if unattributed.shape != counts.shape[:1]:
        raise ValueError(f"unattributed must have shape {counts.shape[:1]}, got {unattributed.shape}")
    return unattributed


def _total(counts: Ints, unknown: Ints) -> Ints:
    """Return N of each replicate."""
    total: Ints = counts.sum(axis=1) + unknown
    return total


def _over(numerator: Ints | Floats, denominator: Ints | Floats) -> Floats:
    """Return the quotient, NaN where nothing was drawn."""
    quotient = np.full(len(numerator), np.nan)
    np.divide(numerator, denominator, out=quotient, where=denominator > 0)
    return quotient
