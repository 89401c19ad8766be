"""The engine with a driver that is told how every node behaves, on a clock that the test moves."""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import count, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from concentra.collect.crawl.admission import CONTACTS_PER_ANSWER, FREE_CONTACTS, Admission, OptOut, prefix_of
from concentra.collect.crawl.announcements import Neighbour
from concentra.collect.crawl.engine import LONGEST_VISIT_S, Engine, Limits, Visit
from concentra.collect.crawl.known_nodes import MAX_PLACES, Endpoint, KnownNode, restored
from concentra.model.crawl import ANSWERING, NEVER_CONTACTED, CrawlSource, NodeRow, Outcome

START = 1_800_000_000.0
PORT = 30303
RTT_S = 0.05
FAST = Limits(rate=10_000, prefix_rate=10_000)
OUTSIDE = ("192.0.2.1", PORT)

Answer = tuple[Outcome, Sequence[Neighbour]]
Behaviour = Callable[[KnownNode, Endpoint], Answer]


def node_id(number: int) -> bytes:
    return number.to_bytes(32, "big")


def place(number: int) -> Endpoint:
    """Return an endpoint in a /24 of its own."""
    return f"127.{number >> 8}.{number & 255}.1", PORT


def told(number: int, at: Endpoint | None = None, *, seq: int | None = None) -> Neighbour:
    """Return how somebody tells of a node; with `seq`, it signed that itself."""
    host, port = at or place(number)
    record = None if seq is None else b"record %d of %d" % (seq, number)
    return Neighbour(node_id(number), bytes(64), host, port, PORT, record=record, seq=seq)


def silent(node: KnownNode, endpoint: Endpoint) -> Answer:
    return Outcome.TIMED_OUT, ()


def answering(node: KnownNode, endpoint: Endpoint) -> Answer:
    return Outcome.ANSWERED, ()


class Walk:
    """An engine, its driver, and the nodes of the world; a visit takes one round trip or one time-out."""

    def __init__(
        self,
        behaviour: Behaviour = silent,
        limits: Limits = FAST,
        *,
        opt_out: Iterable[str] = (),
        asked_recently: Iterable[bytes] = (),
        source: CrawlSource = CrawlSource.DISCV4,
    ) -> None:
        admission = Admission(
            opt_out=OptOut(opt_out, "opt-out.txt"),
            ourselves={node_id(0)},
            asked_recently=set(asked_recently),
            loopback=True,
        )
        self.engine = Engine(source, admission, limits)
        self.engine.drive(self)
        self.behaviour = behaviour
        self.now = START
        self.begun: list[tuple[float, Endpoint, bytes]] = []
        self.walked: dict[bytes, bool] = {}
        self.were_cut_off: list[Endpoint] = []
        self.most_in_flight = 0
        self._in_flight = 0
        self._answers: list[tuple[float, int, Visit, Answer]] = []
        self._numbers = count()

    # The driver.

    def cut_off(self, visit: Visit) -> None:
        self.were_cut_off.append(visit.endpoint)
        self.engine.end(visit, Outcome.TIMED_OUT)

    def begin(self, node: KnownNode, endpoint: Endpoint, now: float, *, walks: bool) -> Visit | None:
        self.begun.append((now, endpoint, node.node_id))
        self.walked[node.node_id] = walks
        self._in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self._in_flight)
        visit = Visit(node, endpoint, walks=walks)
        self.engine.wait(visit, now)
        outcome, neighbours = self.behaviour(node, endpoint)
        if outcome is not Outcome.TIMED_OUT:
            late = outcome is Outcome.ANSWERED_LATE
            at = now + (3 * self.engine.patience.timeout_s if late else RTT_S)
            heapq.heappush(self._answers, (at, next(self._numbers), visit, (outcome, neighbours)))
        return visit

    def received(self, data: bytes, sender: Endpoint, now: float) -> None:
        raise AssertionError("no datagrams are carried here")

    def overdue(self, visit: Visit, now: float) -> None:
        self._in_flight -= 1
        self.engine.end(visit, Outcome.TIMED_OUT)

    def unreachable(self, endpoint: Endpoint, outcome: Outcome, now: float) -> None:
        raise AssertionError("no errors are carried here")

    # The world.

    def run(self, seconds: float = 1e6) -> Walk:
        """Let time pass until nobody is left to ask, or for so long."""
        end = self.now + seconds
        while self.now < end:
            self.engine.advance(self.now)
            times = [self._answers[0][0]] if self._answers else []
            deadline = self.engine.next_deadline(self.now)
            if deadline is not None:
                times.append(deadline)
            if not times:
                break
            self.now = min(end, max(min(times), self.now + 1e-6))
            while self._answers and self._answers[0][0] <= self.now:
                _, _, visit, answer = heapq.heappop(self._answers)
                self._answer(visit, *answer)
        return self

    def _answer(self, visit: Visit, outcome: Outcome, neighbours: Sequence[Neighbour]) -> None:
        late = outcome is Outcome.ANSWERED_LATE
        self._in_flight -= not late
        if outcome in ANSWERING:
            self.engine.prove(visit, RTT_S, self.now, late=late)
            self.engine.learn(visit.endpoint, neighbours, self.now)
        self.engine.end(visit, outcome)

    def asked(self) -> list[bytes]:
        return [node for _, _, node in self.begun]

    def outcome(self, number: int) -> Outcome:
        return self.engine.nodes[node_id(number)].outcome

    def seed(self, *numbers: int) -> Walk:
        for number in numbers:
            self.engine.seed(told(number), self.engine.source, self.now)
        return self


# How fast.


@pytest.mark.parametrize("rate", [5.0, 50.0, 333.0])
def test_the_rate_holds_over_every_window(rate: float) -> None:
    walk = Walk(limits=Limits(rate=rate, prefix_rate=10_000)).seed(*range(1, 400)).run()
    times = [at for at, _, _ in walk.begun]
    assert len(times) == 399
    burst = max(1.0, rate / 10)
    for first, began in enumerate(times):
        for later in range(first, len(times), 7):
            assert later - first + 1 <= burst + rate * (times[later] - began) + 1e-3


def test_one_network_is_asked_at_its_own_pace_and_holds_up_no_other() -> None:
    walk = Walk(limits=Limits(rate=10_000, prefix_rate=2))
    crowd = [told(number, (f"127.9.9.{number}", PORT)) for number in range(1, 30)]
    for neighbour in [*crowd, told(500), told(501)]:
        walk.engine.seed(neighbour, CrawlSource.DISCV4, START)
    walk.run()
    times = [at for at, (host, _), _ in walk.begun if prefix_of(host) == "127.9.9"]
    assert len(times) == 29
    assert min(later - earlier for earlier, later in pairwise(times)) >= 0.5
    assert {at for at, _, node in walk.begun if node in {node_id(500), node_id(501)}} == {START}


def test_no_more_nodes_are_asked_at_once_than_allowed() -> None:
    walk = Walk(limits=Limits(rate=10_000, prefix_rate=10_000, in_flight=7)).seed(*range(1, 100)).run()
    assert walk.most_in_flight == 7
    assert len(walk.begun) == 99


# Whom.


def test_those_who_must_not_be_asked_are_not_and_the_reason_is_kept() -> None:
    walk = Walk(opt_out=["127.0.2.0/24"], asked_recently=[node_id(3)]).seed(0, 1, 2, 3)
    walk.engine.seed(told(4, OUTSIDE), CrawlSource.DISCV4, START)
    walk.engine.seed(told(5, ("", 0)), CrawlSource.DISCV4, START)
    walk.engine.seed(told(6, ("127.0.6.1", 0)), CrawlSource.DISCV4, START)
    walk.run()
    assert walk.asked() == [node_id(1)]
    assert [walk.outcome(number) for number in range(7)] == [
        Outcome.OURSELVES,
        Outcome.TIMED_OUT,
        Outcome.OPTED_OUT,
        Outcome.ASKED_RECENTLY,
        Outcome.OUTSIDE,
        Outcome.NO_ENDPOINT,
        Outcome.NO_ENDPOINT,
    ]


def test_of_silent_identities_in_one_network_some_are_asked_and_the_rest_is_crowded() -> None:
    walk = Walk()
    for number in range(1, 201):
        walk.engine.seed(told(number, (f"127.9.9.{number}", PORT)), CrawlSource.DISCV4, START)
    walk.run()
    walk.engine.close()
    assert len(walk.begun) == FREE_CONTACTS
    outcomes = Counter(node.outcome for node in walk.engine.nodes.values())
    assert outcomes == {Outcome.TIMED_OUT: FREE_CONTACTS, Outcome.CROWDED: 200 - FREE_CONTACTS}


def test_every_answer_from_a_crowded_network_lets_some_more_be_asked() -> None:
    walk = Walk(
        lambda node, endpoint: (Outcome.ANSWERED if node.node_id == node_id(1) else Outcome.TIMED_OUT, ())
    )
    for number in range(1, 201):
        walk.engine.seed(told(number, (f"127.9.9.{number}", PORT)), CrawlSource.DISCV4, START)
    walk.run()
    assert len(walk.begun) == FREE_CONTACTS + CONTACTS_PER_ANSWER


def test_a_node_that_was_set_aside_and_is_confirmed_meanwhile_is_asked_once() -> None:
    def every_other(node: KnownNode, endpoint: Endpoint) -> Answer:
        return (Outcome.ANSWERED if node.node_id[-1] % 2 else Outcome.REFUSED), ()

    walk = Walk(every_other)
    everybody = [told(number, (f"127.9.9.{number}", PORT)) for number in range(1, 201)]
    walk.engine.learn(place(201), everybody, START)
    walk.run(seconds=RTT_S / 2)
    walk.engine.learn(place(202), everybody, walk.now)
    walk.run()
    assert Counter(Counter(walk.asked()).values()) == {1: 200}


def test_beyond_the_limit_nodes_are_counted_and_forgotten() -> None:
    walk = Walk(limits=Limits(rate=10_000, prefix_rate=10_000, nodes=10)).seed(*range(1, 26)).run()
    assert len(walk.engine.nodes) == 10
    assert walk.engine.counts["nodes beyond the limit"] == 15


# Where.


def test_places_are_tried_in_turn_until_one_answers() -> None:
    true_place = place(300)
    walk = Walk(
        lambda node, endpoint: (Outcome.ANSWERED if endpoint == true_place else Outcome.TIMED_OUT, ())
    )
    walk.engine.learn(place(201), [told(1, place(301))], START)
    walk.engine.learn(place(202), [told(1, place(302))], START)
    walk.engine.learn(place(203), [told(1, true_place)], START)
    walk.run()
    assert [endpoint for _, endpoint, _ in walk.begun] == [place(301), place(302), true_place]
    node = walk.engine.nodes[node_id(1)]
    assert (node.outcome, node.endpoint) == (Outcome.ANSWERED, true_place)


def test_one_network_names_one_place_and_all_together_a_few() -> None:
    walk = Walk()
    for number in range(9):
        walk.engine.learn(("127.200.0.1", PORT), [told(1, place(300 + number))], START)
    assert len(walk.engine.nodes[node_id(1)].places) == 1
    for number in range(9):
        walk.engine.learn(place(200 + number), [told(1, place(300 + number))], START)
    walk.run()
    assert len(walk.begun) == MAX_PLACES


def test_who_was_first_said_to_be_where_nobody_may_be_asked_is_asked_where_others_say() -> None:
    walk = Walk(answering)
    walk.engine.learn(place(201), [told(1, OUTSIDE), told(2, ("", 0))], START)
    assert (walk.outcome(1), walk.outcome(2)) == (Outcome.OUTSIDE, Outcome.NO_ENDPOINT)
    walk.engine.learn(place(202), [told(1), told(2)], START)
    assert (walk.outcome(1), walk.outcome(2)) == (Outcome.NOT_ASKED, Outcome.NOT_ASKED)
    walk.run()
    assert {endpoint for _, endpoint, _ in walk.begun} == {place(1), place(2)}
    assert (walk.outcome(1), walk.outcome(2)) == (Outcome.ANSWERED, Outcome.ANSWERED)


def test_a_newer_record_moves_a_node_that_was_asked_in_vain() -> None:
    walk = Walk(lambda node, endpoint: (Outcome.ANSWERED if endpoint == place(9) else Outcome.TIMED_OUT, ()))
    walk.engine.learn(place(201), [told(1, place(8), seq=1)], START)
    walk.run()
    walk.engine.learn(place(201), [told(1, place(7), seq=1)], walk.now)
    assert walk.run().engine.is_done()
    assert [endpoint for _, endpoint, _ in walk.begun] == [place(8)]
    walk.engine.learn(place(201), [told(1, place(9), seq=2)], walk.now)
    walk.run()
    assert [endpoint for _, endpoint, _ in walk.begun] == [place(8), place(9)]
    assert walk.outcome(1) is Outcome.ANSWERED
    assert walk.engine.nodes[node_id(1)].seq == 2


def test_a_newer_record_leads_nobody_outside() -> None:
    walk = Walk(limits=Limits(rate=1, prefix_rate=1)).seed(1)
    walk.engine.learn(place(201), [told(2, seq=1)], START)
    walk.engine.learn(place(201), [told(2, OUTSIDE, seq=2)], START)
    walk.run()
    assert [endpoint for _, endpoint, _ in walk.begun] == [place(1), place(2)]


def test_a_node_that_answers_is_not_asked_again_wherever_else_it_is_said_to_be() -> None:
    walk = Walk(answering).seed(1).run()
    for number in range(5):
        walk.engine.learn(place(200 + number), [told(1, place(300 + number))], walk.now)
    walk.engine.learn(place(206), [told(1, place(306), seq=7)], walk.now)
    walk.run()
    assert walk.asked() == [node_id(1)]


def test_a_list_or_a_stranger_may_know_where_a_node_is_that_was_asked_in_vain() -> None:
    places = {place(11), place(12)}
    walk = Walk(lambda node, endpoint: (Outcome.ANSWERED if endpoint in places else Outcome.TIMED_OUT, ()))
    walk.seed(1, 2).run()
    walk.engine.seed(told(1, place(11)), CrawlSource.DNS_TREE, walk.now, walks=False)
    walk.engine.hear_from_stranger(told(2, place(12)), walk.now)
    walk.run()
    assert (walk.outcome(1), walk.outcome(2)) == (Outcome.ANSWERED, Outcome.ANSWERED)
    assert walk.engine.nodes[node_id(1)].sources == (CrawlSource.DISCV4, CrawlSource.DNS_TREE)
    assert walk.engine.nodes[node_id(2)].sources == (CrawlSource.DISCV4, CrawlSource.INBOUND)


def test_nothing_is_sent_to_where_nobody_may_be_asked_whoever_wants_it_sent() -> None:
    engine = Walk().engine
    engine.send(b"pong", OUTSIDE)
    engine.send(b"pong", ("10.0.0.1", PORT))
    engine.send(b"pong", ("::ffff:127.0.0.1", PORT))
    engine.send(b"pong", place(1))
    assert engine.outbox == [(b"pong", place(1))]
    assert engine.counts["packets withheld from special addresses"] == 3


def test_on_the_internet_nothing_is_sent_to_addresses_that_are_nobodys() -> None:
    engine = Engine(CrawlSource.DISCV4, Admission(opt_out=OptOut((), "none"), ourselves=set()), Limits())
    nobodys = ["10.0.0.1", "169.254.169.254", "127.0.0.1", "::1", "fe80::1", "::ffff:10.0.0.1", "224.0.0.1"]
    nobodys += ["::ffff:8.8.8.8", "::10.0.0.1", "fec0::1", "64:ff9b::a00:1", "0.0.0.0", "255.255.255.255"]
    for address in [*nobodys, "8.8.8.8", "2001:4860:4860::8888"]:
        engine.send(b"ping", (address, PORT))
    assert [endpoint[0] for _, endpoint in engine.outbox] == ["8.8.8.8", "2001:4860:4860::8888"]


# What was seen.


def test_somebody_else_at_the_endpoint_is_an_outcome_of_its_own() -> None:
    walk = Walk(lambda node, endpoint: (Outcome.WRONG_IDENTITY, ())).seed(1).run()
    assert walk.outcome(1) is Outcome.WRONG_IDENTITY
    assert walk.engine.answering == 0


def test_a_late_answer_counts_and_the_second_place_is_left_alone() -> None:
    walk = Walk(lambda node, endpoint: (Outcome.ANSWERED_LATE, ()), Limits(rate=10_000, prefix_rate=0.2))
    walk.engine.learn(place(201), [told(1, ("127.3.3.1", PORT))], START)
    walk.engine.learn(place(202), [told(1, ("127.3.3.2", PORT))], START)
    walk.run()
    assert walk.outcome(1) is Outcome.ANSWERED_LATE
    assert len(walk.begun) == 1


def test_a_late_answer_ends_the_visit_at_the_next_place() -> None:
    walk = Walk()
    walk.engine.learn(place(201), [told(1, place(11))], START)
    walk.engine.learn(place(202), [told(1, place(12))], START)
    walk.run(seconds=1.5)
    assert [endpoint for _, endpoint, _ in walk.begun] == [place(11), place(12)]
    late = Visit(walk.engine.nodes[node_id(1)], place(11), walks=True)
    walk.engine.prove(late, RTT_S, walk.now, late=True)
    assert walk.were_cut_off == [place(12)]
    walk.engine.end(late, Outcome.ANSWERED)
    assert walk.run().engine.is_done()
    node = walk.engine.nodes[node_id(1)]
    assert (node.outcome, node.endpoint) == (Outcome.ANSWERED_LATE, place(11))


def test_nodes_that_answered_are_handed_on_once() -> None:
    walk = Walk(answering).seed(1, 2).run()
    assert [node.node_id for node in walk.engine.answered] == [node_id(1), node_id(2)]


def test_a_node_that_only_a_list_names_is_not_asked_for_its_table() -> None:
    walk = Walk(answering).seed(1)
    walk.engine.seed(told(2), CrawlSource.IMPORT, START, walks=False)
    walk.run()
    assert walk.walked == {node_id(1): True, node_id(2): False}


def test_an_engine_without_a_driver_is_a_mistake_of_ours() -> None:
    engine = Engine(CrawlSource.DISCV4, Admission(opt_out=OptOut((), "none"), ourselves=set()), Limits())
    with pytest.raises(AssertionError, match="drive"):
        engine.advance(START)


# Going on.


def rows_of(walk: Walk) -> dict[tuple[CrawlSource, bytes], NodeRow]:
    return {(row.source, row.node_id): row for node in walk.engine.changed() for row in node.rows()}


def resumed(before: Walk, behaviour: Behaviour, **options: bool) -> Walk:
    """Return a walk that knows what the rows of another tell."""
    by_node: dict[bytes, list[NodeRow]] = {}
    for (_, node), row in rows_of(before).items():
        by_node.setdefault(node, []).append(row)
    walk = Walk(behaviour)
    walk.now = before.now
    for rows in by_node.values():
        walk.engine.restore(restored(rows), **options)
    return walk


def test_a_resumed_walk_asks_those_who_were_not_asked_and_nobody_else() -> None:
    before = Walk(answering, Limits(rate=10, prefix_rate=10_000)).seed(*range(1, 31)).run(seconds=1.5)
    asked_before = set(before.asked())
    assert 0 < len(asked_before) < 30
    after = resumed(before, answering).run()
    assert (after.engine.asked, after.engine.answering) == (30, 30)
    assert asked_before.isdisjoint(after.asked())
    assert len(after.asked()) == 30 - len(asked_before)


def test_what_a_walk_knew_is_known_when_it_goes_on() -> None:
    before = Walk(lambda node, endpoint: (Outcome.ANSWERED, [told(7, seq=3), told(8, OUTSIDE)])).seed(1)
    before.engine.seed(told(2), CrawlSource.DNS_TREE, START, walks=False)
    before.run()
    kept = rows_of(before)
    for node in before.engine.nodes.values():
        before.engine.touch(node)
    after = resumed(before, answering)
    for node in after.engine.nodes.values():
        after.engine.touch(node)
    assert rows_of(after) == kept
    assert {node.node_id for node in after.engine.answered} == {node_id(1), node_id(2), node_id(7)}


def test_a_node_of_a_list_is_still_only_checked_when_the_walk_goes_on() -> None:
    before = Walk(limits=Limits(rate=1, prefix_rate=1)).seed(1)
    before.engine.seed(told(2), CrawlSource.IMPORT, START, walks=False)
    before.engine.hear_from_stranger(told(3), START)
    after = resumed(before, answering).run()
    assert after.walked == {node_id(1): True, node_id(3): True}
    after.engine.release()
    assert after.run().walked == {node_id(1): True, node_id(2): False, node_id(3): True}


def test_a_node_of_a_list_that_the_walk_tells_of_before_its_turn_is_walked() -> None:
    before = Walk(limits=Limits(rate=1, prefix_rate=1)).seed(1)
    before.engine.seed(told(2), CrawlSource.IMPORT, START, walks=False)
    after = resumed(before, answering)
    after.engine.learn(place(1), [told(2)], START)
    assert after.run().walked[node_id(2)]


def test_a_visit_that_is_kept_alive_ends_all_the_same() -> None:
    walk = Walk(lambda *_: (Outcome.TIMED_OUT, ())).seed(1)
    walk.engine.advance(START)
    (visit,) = walk.engine._in_flight.values()
    now = START
    while walk.engine._in_flight and now < START + 10 * LONGEST_VISIT_S:
        now += 0.1
        walk.engine.wait(visit, now)
        walk.engine.advance(now)
    assert now == pytest.approx(START + LONGEST_VISIT_S, abs=1)
    assert walk.engine.counts["visits cut off"] == 1


def test_many_nodes_of_one_network_wait_without_being_looked_at_again_and_again() -> None:
    walk = Walk(limits=Limits(rate=1000, prefix_rate=1))
    for number in range(1, 2001):
        walk.engine.learn(("127.3.3.3", 1), [told(number, ("127.9.9.9", number))], START)
    pops = 0
    pop = walk.engine._frontier.pop

    def counted(now: float) -> KnownNode | None:
        nonlocal pops
        pops += 1
        return pop(now)

    walk.engine._frontier.pop = counted  # type: ignore[method-assign]
    for tick in range(100):
        walk.engine.advance(START + tick / 10)
    assert pops < 2000 + 300


def test_nothing_is_due_at_once_after_everything_due_was_done() -> None:
    walk = Walk(limits=Limits(rate=0.5, prefix_rate=0.5)).seed(1, 2, 3)
    for tick in range(200):
        walk.engine.advance(START + tick / 10)
        deadline = walk.engine.next_deadline(START + tick / 10)
        assert deadline is None or deadline > START + tick / 10


def test_a_node_that_may_have_been_cut_off_is_asked_anew_and_counted_once() -> None:
    before = Walk(answering).seed(1, 2).run()
    after = resumed(before, lambda node, endpoint: (Outcome.ANSWERED, [told(5)]), cut_off=True).run()
    assert sorted(after.asked()) == [node_id(1), node_id(2), node_id(5)]
    assert (after.engine.asked, after.engine.answering) == (3, 3)


def test_one_that_is_cut_off_and_silent_now_has_answered_all_the_same() -> None:
    after = resumed(Walk(answering).seed(1).run(), silent, cut_off=True).run()
    assert after.outcome(1) is Outcome.ANSWERED


def test_reasons_not_to_ask_are_weighed_again_when_a_walk_goes_on() -> None:
    before = Walk(opt_out=["127.0.1.0/24"], asked_recently=[node_id(2)]).seed(1, 2).run()
    assert before.asked() == []
    assert sorted(resumed(before, answering).run().asked()) == [node_id(1), node_id(2)]


def test_a_visit_under_way_at_the_end_is_noted() -> None:
    walk = Walk().seed(1)
    rows_of(walk)
    walk.run(seconds=0.01)
    walk.engine.close()
    (row,) = rows_of(walk).values()
    assert row.asked_at is not None
    assert row.outcome is Outcome.NOT_ASKED


# Anything.


BEHAVIOURS = [
    Outcome.ANSWERED,
    Outcome.ANSWERED,
    Outcome.ANSWERED_LATE,
    Outcome.TIMED_OUT,
    Outcome.REFUSED,
    Outcome.WRONG_IDENTITY,
    Outcome.BAD_SIGNATURE,
    Outcome.MALFORMED,
]


@settings(max_examples=150)
@given(seed=st.integers(0, 2**32), size=st.integers(1, 120), crowded=st.booleans())
def test_whatever_peers_do_every_node_ends_with_one_outcome_and_rows_that_say_so(
    seed: int, size: int, crowded: bool
) -> None:
    draw = random.Random(seed)
    truth = {number: draw.choice(BEHAVIOURS) for number in range(1, size + 1)}

    def somewhere(number: int) -> Endpoint:
        match draw.random():
            case chance if chance < 0.1:
                return draw.choice([OUTSIDE, ("10.0.0.1", PORT), ("", 0), ("::1", PORT), ("127.0.0.1", 0)])
            case chance if chance < 0.2:
                return place(draw.randrange(1, 300))
            case _:
                return (f"127.9.9.{number}", PORT) if crowded else place(number)

    def behave(node: KnownNode, endpoint: Endpoint) -> Answer:
        numbers = draw.choices(range(size + 1), k=draw.randrange(8))
        records = (draw.choice([None, None, 1, 2, 3]) for _ in numbers)
        tellings = [told(n, somewhere(n), seq=seq) for n, seq in zip(numbers, records, strict=True)]
        return truth[int.from_bytes(node.node_id, "big")], tellings

    walk = Walk(behave, Limits(rate=200, prefix_rate=20, in_flight=16, nodes=100), opt_out=["127.0.77.0/24"])
    walk.seed(*draw.choices(range(1, size + 1), k=3))
    kept: dict[tuple[CrawlSource, bytes], NodeRow] = {}
    while not walk.engine.is_done():
        walk.run(seconds=draw.random() * 20)
        kept |= rows_of(walk)
    walk.engine.close()
    kept |= rows_of(walk)

    nodes = walk.engine.nodes
    outcomes = Counter(node.outcome for node in nodes.values())
    assert sum(outcomes.values()) == len(nodes) <= 100
    assert outcomes[Outcome.NOT_ASKED] == 0
    assert walk.engine.answering == sum(outcomes[outcome] for outcome in ANSWERING)
    assert walk.engine.asked == sum(n for outcome, n in outcomes.items() if outcome not in NEVER_CONTACTED)
    asked = Counter((node, endpoint) for _, endpoint, node in walk.begun)
    assert max(asked.values(), default=1) == 1
    assert all(host.startswith("127.") or host == "::1" for _, (host, _), _ in walk.begun)
    assert not any(host.startswith("127.0.77.") for _, (host, _), _ in walk.begun)
    assert {node for node, _ in asked} == {
        n for n, node in nodes.items() if node.outcome not in NEVER_CONTACTED
    }
    assert {node for _, node in kept} == nodes.keys()
    for (_, node), row in kept.items():
        assert (row.outcome, row.seq, row.announcers) == (
            nodes[node].outcome,
            nodes[node].seq,
            nodes[node].announcers,
        )
        assert row.address == (nodes[node].places[0][0] if nodes[node].places else None)
