"""Which of the routes that collectors see say who originates a prefix."""

from __future__ import annotations

from collections.abc import Mapping

MIN_PEERS = 10
"""An origin that fewer peers of the collectors see is left out where others are seen better.

It is the default of RIPEstat [1]_ for what it leaves out as low visibility: leaks and hijacks that stay
near their source, and mistakes in the configuration of single peers.

.. [1] RIPE NCC, RIPEstat Data API, "Routing Status", parameter ``min_peers_seeing``.
"""

SHORTEST_ANNOUNCED: Mapping[int, int] = {4: 8, 6: 16}
"""The shortest prefixes that are announced by who holds them, by IP version.

No network was delegated more in one piece than a /8 of IPv4 or a /16 of IPv6. What is shorter, above
all the default route 0.0.0.0/0, tells collectors where one peer sends its packets; as an origin it
would answer for all space that nobody announces.
"""


def widely_seen(peers_by_origin: Mapping[int, int]) -> tuple[int, ...]:
    """Return the origins that at least `MIN_PEERS` peers see; the best seen ones if there are none.

    Parameters
    ----------
    peers_by_origin : mapping of AS number to int
        How many peers see the prefix with that origin.

    Returns
    -------
    tuple of int
        AS numbers, ascending; never empty unless `peers_by_origin` is.

    Examples
    --------
    >>> widely_seen({64496: 350, 64497: 12, 64498: 3})
    (64496, 64497)
    >>> widely_seen({64496: 3, 64497: 1})  # a prefix that is seen at all keeps an origin
    (64496,)
    """
    wanted = min(MIN_PEERS, max(peers_by_origin.values(), default=0))
    return tuple(sorted(asn for asn, peers in peers_by_origin.items() if peers >= wanted))
