"""Which index answers which question; arithmetic only, no I/O.

`concentration` takes counts per entity: integers of one unit (nodes, validators or gwei), in any
order. Zeros are absent entities and are dropped; a negative count is a `ValueError`; nothing left
to count is an `EmptyPopulation`, for every index alike.

How much depends on the largest?
    `largest_share`; `concentration_ratio` for the largest k together.
As if there were how many equal providers?
    `effective_number`, the inverse of `herfindahl_hirschman_index`; `within_set_effective_number`
    asks the same inside a named set ("three landlords"). `hhi_label` gives the words that merger
    guidelines use, as an analogy.
How many must fail or collude?
    `nakamoto_coefficient`, always with its threshold.
How likely do two random nodes share a provider?
    `unbiased_hhi`; `centralization_score` is the same number with another offset.
What does the whole distribution look like?
    `hill_number` at orders 0, 1, 2 and infinity; `shannon_entropy` is the logarithm of order 1.
How equal are the entities that we happened to see?
    `evenness`, `theil_index`, `normalized_hhi`, `gini_coefficient`. All four depend on the number of
    observed entities, thus on the length of the crawl, and can move the wrong way: two giants that
    merge may lower them. No default report shows them.

Every such number hides what could not be attributed. `bounds` gives the smallest and the largest
value over every way to fill the gaps: `share_bounds`, `concentration_ratio_bounds`, `hhi_bounds`,
`closed_set_hhi_bounds`, `effective_number_bounds`, `entropy_bounds`, `nakamoto_bounds`. An
`Assumption` narrows them and is printed with the result: `unknown_like_known`, `rest_below_smallest`
(`rest_below_smallest_share` for a named set) and `unreachable_not_more_cloud`. `rogan_gladen` and
`rogan_gladen_bounds` undo known misclassification. Where it is unknown besides whether units belong to
the denominator at all, `uncertain_membership` (in `membership`) bounds the same indices. `scores` puts
the indices of one distribution together: `measure`, and `with_intervals` for its sampling intervals;
`least_concentrated` and `most_concentrated` are the populations that its bounds come from.

Are these exactly the k largest?
    `largest_set_margin` (in `largest_sets`) says for certain, perhaps or no; `units_to_lead`,
    `units_to_tie` and `units_to_lower_top` say how many units would have to change hands.
As if a named set had how many equal members, unattributed units in mind?
    `set_effective_number_bounds` (in `set_effective_numbers`), exact; `effective_number_of` known sizes;
    `farthest_effective_number` and `units_to_reach` for units that change hands.

Chance comes last, being the smallest error of a crawl. `intervals`: `wilson_interval` for one share,
`goodman_intervals` for several at once, `simpson_variance` for the unbiased HHI and
`imbens_manski_interval` for a share that is only bounded (`imbens_manski_quantile` for any figure, with
`share_errors`, `largest_share_errors`, `set_effective_number_errors` and `margin_errors` of
`identified_intervals` as its standard errors). `bootstrap` has `ClusterBootstrap`, which
resamples prefixes instead of nodes, and `percentile_interval`.

How many nodes are there, seen or not?
    `network_size` counts those that two lists share (`chapman`) or that repeated crawls see once and twice
    (`chao2`), with intervals on the unseen (`size_estimate`); `log_linear_models` (in `log_linear`) lets
    three lists or more depend on each other. All of them are lower bounds where some nodes are easier to
    find than others.

Only `bootstrap`, `identified_intervals` and `log_linear` load NumPy.
"""
