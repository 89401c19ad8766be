"""Everyone gets a turn: what one network invents only lengthens its own line."""

from __future__ import annotations

from concentra.collect.crawl.frontier import Frontier, Standing
from concentra.collect.crawl.known_nodes import KnownNode
from concentra.model.crawl import CrawlSource


def node(number: int) -> KnownNode:
    return KnownNode(number.to_bytes(32, "big"), bytes(64), CrawlSource.DISCV4, 0.0)


def drained(frontier: Frontier, now: float = 0.0) -> list[int]:
    return [int.from_bytes(found.node_id, "big") for found in iter(lambda: frontier.pop(now), None)]


def test_seeds_come_first_and_hearsay_last() -> None:
    frontier = Frontier()
    frontier.add(node(1), Standing.HEARSAY, "a")
    frontier.add(node(2), Standing.SEED, "b")
    frontier.add(node(3), Standing.CONFIRMED, "c")
    assert drained(frontier) == [2, 3, 1]


def test_a_thousand_inventions_of_one_network_hold_up_another_by_one_turn() -> None:
    frontier = Frontier()
    for number in range(1000):
        frontier.add(node(number), Standing.HEARSAY, "liar")
    for number in range(1000, 1003):
        frontier.add(node(number), Standing.HEARSAY, "honest")
    order = drained(frontier)
    assert [order.index(number) for number in (1000, 1001, 1002)] == [1, 3, 5]
    assert len(order) == 1003


def test_a_node_whose_standing_rises_comes_out_sooner_and_once() -> None:
    frontier = Frontier()
    late = node(9)
    for number in range(5):
        frontier.add(node(number), Standing.HEARSAY, "a")
    frontier.add(late, Standing.HEARSAY, "a")
    frontier.add(late, Standing.CONFIRMED, "b")
    frontier.add(late, Standing.HEARSAY, "c")
    assert len(frontier) == 6
    assert drained(frontier) == [9, 0, 1, 2, 3, 4]
    assert len(frontier) == 0


def test_a_node_that_waits_comes_out_at_its_time_and_before_that_counts_as_waiting() -> None:
    frontier = Frontier()
    frontier.wait(node(1), "192.0.2", until=5.0)
    assert frontier.pop(4.9) is None
    assert (len(frontier), frontier.next_at(), frontier.is_idle()) == (1, 5.0, True)
    assert drained(frontier, 5.0) == [1]


def test_crowded_nodes_stay_aside_until_a_neighbour_answers() -> None:
    frontier = Frontier()
    for number in range(5):
        frontier.crowd(node(number), "192.0.2")
    assert (len(frontier), frontier.pop(0.0)) == (0, None)
    frontier.relieve("198.51.100", 4)
    assert frontier.pop(0.0) is None
    frontier.relieve("192.0.2", 2)
    assert drained(frontier) == [0, 1]
    assert [int.from_bytes(aside.node_id, "big") for aside in frontier.crowded()] == [2, 3, 4]


def test_of_a_network_that_must_wait_one_node_comes_out_at_a_time() -> None:
    frontier = Frontier()
    for number in range(3):
        frontier.wait(node(number), "192.0.2", until=5.0)
    assert [drained(frontier, 5.0), drained(frontier, 9.0)] == [[0], []]
    frontier.resume("192.0.2", 6.0)
    frontier.resume("192.0.2", 0.0)  # it has its time already
    assert [drained(frontier, 5.9), drained(frontier, 6.0)] == [[], [1]]
    assert len(frontier) == 1
