"""Two of our own nodes, and others that lie, talk to each other while the test moves the clock."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from coincurve import PrivateKey
from tests.collect.crawl.made_world import PORT, START, Node, World, acquainted

from concentra.collect.crawl.announcements import Neighbour
from concentra.collect.crawl.discv4_driver import BOND_S, EXPIRY_S, MAX_STRANGERS, SAME_FOR_S, STRANGERS_RATE
from concentra.collect.crawl.known_nodes import Endpoint
from concentra.model.crawl import ANSWERING, CrawlSource, Outcome
from concentra.wire import discv4, discv4_messages, enr, identity
from concentra.wire.discv4_messages import (
    MAX_NEIGHBORS,
    EnrRequest,
    EnrResponse,
    FindNode,
    Kind,
    Neighbor,
    Neighbors,
    Ping,
    Pong,
)
from concentra.wire.discv4_messages import Endpoint as Place
from concentra.wire.kademlia import RoutingTable
from concentra.wire.keccak import keccak256

STRANGER: Endpoint = ("127.0.200.1", PORT)
STRANGER_KEY = identity.signing_key(bytes(31) + b"\xc8")


def crawled(crawler: Node, *seeds: Node, world: World) -> None:
    world.nodes[crawler.endpoint] = crawler
    for seed in seeds:
        crawler.engine.seed(seed.neighbour, CrawlSource.DISCV4, world.now)
    world.run()


def kinds(world: World, sender: Endpoint, to: Endpoint) -> list[Kind]:
    return [Kind(data[discv4.TYPE_AT]) for one, other, data in world.carried if (one, other) == (sender, to)]


def said(world: World, sender: Endpoint, to: Endpoint) -> list[discv4_messages.Message]:
    return [discv4.decode(data).message for one, other, data in world.carried if (one, other) == (sender, to)]


class Peer:
    """Whoever holds a key and answers as a test wants it."""

    def __init__(self, world: World, secret: int = 200, endpoint: Endpoint = STRANGER) -> None:
        self.key = identity.signing_key(secret.to_bytes(32, "big"))
        self.public_key = identity.coordinates(self.key.public_key)
        self.endpoint = endpoint
        self.world = world
        self.heard: list[tuple[bytes, discv4_messages.Message]] = []
        world.others[endpoint] = self.hear

    def hear(self, data: bytes, sender: Endpoint, now: float) -> None:
        packet = discv4.decode(data)
        self.heard.append((packet.digest, packet.message))
        self.answer(packet.digest, packet.message, sender, now)

    def answer(self, digest: bytes, message: discv4_messages.Message, to: Endpoint, now: float) -> None: ...

    def say(self, message: discv4_messages.Message, to: Endpoint) -> bytes:
        data = discv4.encode(self.key, message)
        self.world.send(data, self.endpoint, to)
        return data[:32]

    @property
    def neighbour(self) -> Neighbour:
        return Neighbour(identity.node_id(self.public_key), self.public_key, self.endpoint[0], PORT, 0)


class Answering(Peer):
    """Answers PING, without asking for a proof, and FINDNODE with what a test gives it."""

    tells: Sequence[tuple[Neighbor, ...]] = ((),)
    expires_in = EXPIRY_S

    def answer(self, digest: bytes, message: discv4_messages.Message, to: Endpoint, now: float) -> None:
        expiration = int(now) + self.expires_in
        if isinstance(message, Ping):
            self.say(Pong(recipient=Place(), ping_hash=digest, expiration=expiration), to)
        elif isinstance(message, FindNode):
            for nodes in self.tells:
                self.say(Neighbors(nodes=nodes, expiration=expiration), to)


class Holding(Peer):
    """Answers as geth does, from a table with several full buckets."""

    def __init__(self, world: World, secret: int = 200, endpoint: Endpoint = STRANGER) -> None:
        super().__init__(world, secret, endpoint)
        self.table: RoutingTable[Neighbor] = RoutingTable(identity.node_id(self.public_key))
        for number in range(300):
            self.table.add(
                Neighbor(
                    bytes((127, 2, number // 250, number % 250)), PORT, 0, number.to_bytes(2, "big") * 32
                )
            )

    def answer(self, digest: bytes, message: discv4_messages.Message, to: Endpoint, now: float) -> None:
        expiration = int(now) + EXPIRY_S
        if isinstance(message, Ping):
            self.say(Pong(recipient=Place(), ping_hash=digest, expiration=expiration), to)
        elif isinstance(message, FindNode):
            nodes = self.table.closest(keccak256(message.target))
            for part in (nodes[:MAX_NEIGHBORS], nodes[MAX_NEIGHBORS:]):
                self.say(Neighbors(nodes=tuple(part), expiration=expiration), to)


def test_a_crawl_finds_every_node_through_the_tables_of_others() -> None:
    nodes = [Node(number) for number in range(1, 41)]
    world = acquainted(*nodes)
    crawler = Node(99)
    crawled(crawler, nodes[20], world=world)
    others = crawler.engine.nodes.keys() - {crawler.record.node_id}  # of whom they tell as well
    assert {crawler.engine.nodes[node_id].outcome for node_id in others} == {Outcome.ANSWERED}
    assert crawler.sees(crawler).outcome is Outcome.OURSELVES
    assert crawler.engine.nodes.keys() >= {node.record.node_id for node in nodes}
    for node in nodes:
        assert enr.decode(crawler.sees(node).record or b"") == node.record
    assert crawler.engine.is_done()


def test_a_visit_bonds_asks_for_the_record_and_reads_the_table() -> None:
    nodes = [Node(number) for number in range(1, 4)]
    world = acquainted(*nodes)
    world.carried.clear()
    crawler = Node(99)
    crawled(crawler, nodes[1], world=world)
    in_order = list(dict.fromkeys(kinds(world, crawler.endpoint, nodes[1].endpoint)))
    assert in_order[:4] == [Kind.PING, Kind.PONG, Kind.ENR_REQUEST, Kind.FIND_NODE]
    answers = kinds(world, nodes[1].endpoint, crawler.endpoint)
    assert answers[:2] == [Kind.PONG, Kind.PING]
    assert {Kind.ENR_RESPONSE, Kind.NEIGHBORS} <= set(answers)
    assert crawler.sees(nodes[1]).told == 2


def test_a_node_that_is_only_checked_is_not_asked_for_its_table() -> None:
    nodes = [Node(number) for number in range(1, 4)]
    world = acquainted(*nodes)
    crawler = Node(99)
    world.nodes[crawler.endpoint] = crawler
    crawler.engine.seed(nodes[0].neighbour, CrawlSource.DNS_TREE, world.now, walks=False)
    world.run()
    assert Kind.FIND_NODE not in kinds(world, crawler.endpoint, nodes[0].endpoint)
    assert [row.source for row in crawler.sees(nodes[0]).rows()] == [CrawlSource.DNS_TREE]
    assert crawler.sees(nodes[0]).seq == 1


@pytest.mark.parametrize("seed", range(5))
def test_one_datagram_in_ten_may_be_lost_repeated_or_late(seed: int) -> None:
    nodes = [Node(number) for number in range(1, 31)]
    world = acquainted(*nodes)
    rng = random.Random(seed)
    world.spoil = lambda data, sender, to: [data] * rng.choices((0, 1, 2), (1, 18, 1))[0]
    crawler = Node(99)
    crawled(crawler, nodes[3], nodes[17], world=world)
    found = [node for node in nodes if crawler.engine.nodes.get(node.record.node_id) is not None]
    assert len(found) == len(nodes)
    assert sum(crawler.sees(node).outcome in ANSWERING for node in nodes) >= len(nodes) - 1


@pytest.mark.parametrize("lost", [Kind.PING, Kind.PONG], ids=["their ping", "our pong"])
def test_a_node_whose_trust_was_lost_on_the_way_is_offered_the_proof_again(lost: Kind) -> None:
    nodes = [Node(number) for number in range(1, 4)]
    world = acquainted(*nodes)
    crawler = Node(99)
    loser = nodes[1].endpoint if lost is Kind.PING else crawler.endpoint
    left = [1]

    def once(data: bytes, sender: Endpoint, to: Endpoint) -> list[bytes]:
        is_proof = data[discv4.TYPE_AT] == lost and sender == loser and crawler.endpoint in (sender, to)
        if is_proof and left:
            left.pop()
            return []
        return [data]

    world.spoil = once
    crawled(crawler, nodes[1], world=world)
    found = crawler.sees(nodes[1])
    assert (left, found.told > 0, found.seq) == ([], True, 1)


def test_a_silent_node_is_asked_again_and_then_given_up() -> None:
    world = World()
    crawler = Node(99)
    peer = Peer(world)
    world.nodes[crawler.endpoint] = crawler
    crawler.engine.seed(peer.neighbour, CrawlSource.DISCV4, world.now)
    world.run()
    assert kinds(world, crawler.endpoint, STRANGER) == [Kind.PING] * 3
    assert crawler.engine.nodes[peer.neighbour.node_id].outcome is Outcome.TIMED_OUT


def test_an_answer_after_the_node_was_given_up_counts_as_late_and_the_visit_goes_on() -> None:
    world = World()
    crawler = Node(99)

    class Slow(Answering):
        held: tuple[bytes, discv4_messages.Message, Endpoint] | None = None

        def answer(self, digest: bytes, message: discv4_messages.Message, to: Endpoint, now: float) -> None:
            if isinstance(message, Ping):
                self.held = self.held or (digest, message, to)
            else:
                super().answer(digest, message, to, now)

    peer = Slow(world)
    world.nodes[crawler.endpoint] = crawler
    crawler.engine.seed(peer.neighbour, CrawlSource.DISCV4, world.now)
    world.run()
    assert crawler.engine.nodes[peer.neighbour.node_id].outcome is Outcome.TIMED_OUT
    assert peer.held is not None
    Answering.answer(peer, *peer.held, world.now)
    world.run()
    assert crawler.engine.nodes[peer.neighbour.node_id].outcome is Outcome.ANSWERED_LATE
    assert crawler.engine.counts["late answers"] == 1
    assert Kind.FIND_NODE in kinds(world, crawler.endpoint, STRANGER)


def test_the_round_trip_is_that_of_the_ping_that_was_answered() -> None:
    world = World()
    crawler = Node(99)

    class Late(Answering):
        first: bytes = b""

        def answer(self, digest: bytes, message: discv4_messages.Message, to: Endpoint, now: float) -> None:
            self.first = self.first or digest
            if not isinstance(message, Ping):
                super().answer(digest, message, to, now)
            elif digest != self.first:
                super().answer(self.first, message, to, now)

    peer = Late(world)
    world.nodes[crawler.endpoint] = crawler
    time_out = crawler.engine.patience.timeout_s
    crawler.engine.seed(peer.neighbour, CrawlSource.DISCV4, world.now)
    world.run()
    found = crawler.engine.nodes[peer.neighbour.node_id]
    assert found.rtt_s == pytest.approx(time_out + 2 * world.delay_s, abs=0.01)


def test_answers_that_come_twice_do_not_cut_a_table_short() -> None:
    world = World()
    crawler = Node(99)
    peer = Holding(world)
    world.spoil = lambda data, sender, to: [data] * (1 + (data[discv4.TYPE_AT] == Kind.NEIGHBORS))
    world.nodes[crawler.endpoint] = crawler
    crawler.engine.seed(peer.neighbour, CrawlSource.DISCV4, world.now)
    world.run()
    assert crawler.engine.nodes[peer.neighbour.node_id].told == len(peer.table)
    assert crawler.engine.counts["answers given twice"] > 0


def test_a_question_to_many_nodes_is_signed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = [Node(number) for number in range(1, 31)]
    world = acquainted(*nodes)
    world.carried.clear()
    signed: list[type] = []
    encode = discv4.encode

    def counting(key: PrivateKey, message: discv4_messages.Message) -> bytes:
        signed.append(type(message))
        return encode(key, message)

    monkeypatch.setattr(discv4, "encode", counting)
    crawler = Node(99)
    crawled(crawler, nodes[3], nodes[17], world=world)
    asked = [data[discv4.TYPE_AT] for sender, _, data in world.carried if sender == crawler.endpoint]
    assert asked.count(Kind.FIND_NODE) >= asked.count(Kind.ENR_REQUEST) >= len(nodes)
    assert signed.count(FindNode) + signed.count(EnrRequest) < len(nodes)


def test_a_question_is_signed_again_before_it_is_void() -> None:
    nodes = [Node(number) for number in range(1, 3)]
    world = acquainted(*nodes)
    crawler = Node(99)
    world.nodes[crawler.endpoint] = crawler
    for node in nodes:
        crawler.engine.seed(node.neighbour, CrawlSource.DISCV4, world.now, walks=False)
        world.run(seconds=5)
        world.now += SAME_FOR_S + EXPIRY_S
    assert [crawler.sees(node).seq for node in nodes] == [1, 1]
    assert sum(node.engine.counts["expired packets"] for node in nodes) == 0


def test_what_two_networks_tell_is_told_from_what_one_does() -> None:
    world = World()
    crawler = Node(99)
    here, there = Answering(world), Answering(world, 201, ("127.0.201.1", PORT))
    one, both = (Neighbor(bytes((127, 3, 0, n)), PORT, 0, bytes((n,)) * 64) for n in (1, 2))
    here.tells, there.tells = [(one, both)], [(both,)]
    world.nodes[crawler.endpoint] = crawler
    for peer in (here, there):
        crawler.engine.seed(peer.neighbour, CrawlSource.DISCV4, world.now)
    world.run()
    announcers = [crawler.engine.nodes[node.node_id].announcers for node in (one, both)]
    assert announcers == [1, 2]


def test_a_node_without_records_and_proofs_is_read_all_the_same() -> None:
    """As ethereumjs is: it asks for no proof of endpoint and knows no ENRRequest."""
    world = World()
    crawler = Node(99)
    peer = Answering(world)
    peer.tells = [(Neighbor(bytes((127, 0, 201, 1)), PORT, 0, b"k" * 64),)]
    world.nodes[crawler.endpoint] = crawler
    crawler.engine.seed(peer.neighbour, CrawlSource.DISCV4, world.now)
    world.run()
    found = crawler.engine.nodes[peer.neighbour.node_id]
    assert (found.outcome, found.told, found.record) == (Outcome.ANSWERED, 1, None)


def test_a_node_with_an_empty_table_is_not_dead() -> None:
    world = World()
    crawler = Node(99)
    peer = Answering(world)
    world.nodes[crawler.endpoint] = crawler
    crawler.engine.seed(peer.neighbour, CrawlSource.DISCV4, world.now)
    world.run()
    found = crawler.engine.nodes[peer.neighbour.node_id]
    assert (found.outcome, found.told) == (Outcome.ANSWERED, 0)


def test_someone_else_at_the_endpoint_is_a_wrong_identity_and_a_node_of_its_own() -> None:
    world = World()
    crawler = Node(99)
    peer = Answering(world)
    expected = Neighbour(identity.node_id(b"k" * 64), b"k" * 64, STRANGER[0], PORT, 0)
    world.nodes[crawler.endpoint] = crawler
    crawler.engine.seed(expected, CrawlSource.DISCV4, world.now)
    world.run()
    assert crawler.engine.nodes[expected.node_id].outcome is Outcome.WRONG_IDENTITY
    assert crawler.engine.nodes[peer.neighbour.node_id].outcome is Outcome.ANSWERED


def test_expired_answers_do_not_count_as_answers() -> None:
    world = World()
    crawler = Node(99)
    peer = Answering(world)
    peer.expires_in = -1000
    world.nodes[crawler.endpoint] = crawler
    crawler.engine.seed(peer.neighbour, CrawlSource.DISCV4, world.now)
    world.run()
    assert crawler.engine.nodes[peer.neighbour.node_id].outcome is Outcome.EXPIRED


def test_a_pong_for_another_ping_proves_nothing() -> None:
    world = World()
    crawler = Node(99)

    class Guessing(Answering):
        def answer(self, digest: bytes, message: discv4_messages.Message, to: Endpoint, now: float) -> None:
            super().answer(bytes(32), message, to, now)

    peer = Guessing(world)
    world.nodes[crawler.endpoint] = crawler
    crawler.engine.seed(peer.neighbour, CrawlSource.DISCV4, world.now)
    world.run()
    assert crawler.engine.nodes[peer.neighbour.node_id].outcome is Outcome.TIMED_OUT


def test_garbage_makes_a_node_malformed_and_never_raises() -> None:
    world = World()
    crawler = Node(99)
    peer = Peer(world)
    rng = random.Random(7)

    def garbage(data: bytes, sender: Endpoint, now: float) -> None:
        for size in (0, 1, 97, 98, 300, 1280, 5000):
            world.send(rng.randbytes(size), STRANGER, sender)

    world.others[STRANGER] = garbage
    world.nodes[crawler.endpoint] = crawler
    crawler.engine.seed(peer.neighbour, CrawlSource.DISCV4, world.now)
    world.run()
    assert crawler.engine.nodes[peer.neighbour.node_id].outcome is Outcome.MALFORMED


@pytest.mark.parametrize("seed", range(3))
def test_damaged_packets_of_a_real_dialogue_end_as_outcomes(seed: int) -> None:
    nodes = [Node(number) for number in range(1, 8)]
    world = acquainted(*nodes)
    rng = random.Random(seed)

    def damaged(data: bytes, sender: Endpoint, to: Endpoint) -> list[bytes]:
        if rng.random() < 0.5:
            return [data]
        at = rng.randrange(len(data))
        body = bytearray(data)
        body[at] ^= 1 << rng.randrange(8)
        if at >= 32 and rng.random() < 0.7:  # with a hash that fits, so that it gets further
            body[:32] = keccak256(bytes(body[32:]))
        return [bytes(body)]

    world.spoil = damaged
    crawler = Node(99)
    crawled(crawler, *nodes, world=world)
    assert crawler.engine.is_done()
    assert {node.outcome for node in crawler.engine.nodes.values()} - {Outcome.NOT_ASKED}


def test_of_an_answer_that_is_too_long_sixteen_nodes_are_taken() -> None:
    world = World()
    crawler = Node(99)
    peer = Answering(world)
    peer.tells = [
        tuple(Neighbor(bytes((127, 1, part, n)), PORT, 0, bytes((part, n)) * 32) for n in range(12))
        for part in range(40)
    ]
    world.nodes[crawler.endpoint] = crawler
    crawler.engine.seed(peer.neighbour, CrawlSource.DISCV4, world.now)
    world.run()
    questions = kinds(world, crawler.endpoint, STRANGER).count(Kind.FIND_NODE)
    assert len(crawler.engine.nodes) - 2 <= 16 * questions
    assert crawler.engine.counts["neighbours beyond 16"] > 0


def test_neighbours_told_under_another_key_are_not_believed() -> None:
    world = World()
    crawler = Node(99)
    peer = Answering(world)
    peer.tells = [(Neighbor(bytes((127, 0, 201, 1)), PORT, 0, b"k" * 64),)]
    liar = identity.signing_key(bytes(31) + b"\x42")

    def forged(data: bytes, sender: Endpoint, to: Endpoint) -> list[bytes]:
        if sender == STRANGER and data[discv4.TYPE_AT] == Kind.NEIGHBORS:
            return [discv4.encode(liar, discv4.decode(data).message)]
        return [data]

    world.spoil = forged
    world.nodes[crawler.endpoint] = crawler
    crawler.engine.seed(peer.neighbour, CrawlSource.DISCV4, world.now)
    world.run()
    assert identity.node_id(b"k" * 64) not in crawler.engine.nodes
    assert crawler.engine.counts["answers under another key"] >= 1


def test_a_record_of_somebody_else_is_not_taken() -> None:
    world = World()
    crawler = Node(99)

    class Borrowing(Answering):
        def answer(self, digest: bytes, message: discv4_messages.Message, to: Endpoint, now: float) -> None:
            super().answer(digest, message, to, now)
            if isinstance(message, EnrRequest):
                self.say(EnrResponse(request_hash=digest, record=enr.encode(Node(1).record)), to)

    peer = Borrowing(world)
    world.nodes[crawler.endpoint] = crawler
    crawler.engine.seed(peer.neighbour, CrawlSource.DISCV4, world.now)
    world.run()
    assert crawler.engine.nodes[peer.neighbour.node_id].record is None
    assert crawler.engine.counts["records of another node"] >= 1


# Our own side answers as a node should.


def asked_by_stranger(node: Node, *messages: discv4_messages.Message, bonded: bool) -> tuple[World, Peer]:
    world = World(node)

    class Polite(Peer):
        def answer(self, digest: bytes, message: discv4_messages.Message, to: Endpoint, now: float) -> None:
            if bonded and isinstance(message, Ping):
                self.say(Pong(recipient=Place(), ping_hash=digest, expiration=int(now) + EXPIRY_S), to)

    peer = Polite(world)
    if bonded:
        peer.say(Ping(sender=Place(), recipient=Place(), expiration=int(START) + EXPIRY_S), node.endpoint)
        world.run(seconds=1)
    for message in messages:
        peer.say(message, node.endpoint)
    world.run(seconds=1)
    return world, peer


def test_a_ping_is_answered_to_where_it_came_from_and_names_our_record() -> None:
    node = Node(1)
    ping = Ping(sender=Place(ip=bytes((9, 9, 9, 9)), udp=9), recipient=Place(), expiration=int(START) + 9)
    world, _ = asked_by_stranger(node, ping, bonded=False)
    pong = next(message for message in said(world, node.endpoint, STRANGER) if isinstance(message, Pong))
    assert (pong.recipient.host, pong.recipient.udp, pong.enr_seq) == (STRANGER[0], PORT, node.record.seq)


def test_an_expired_ping_is_not_answered() -> None:
    node = Node(1)
    ping = Ping(sender=Place(), recipient=Place(), expiration=int(START) - 1)
    world, _ = asked_by_stranger(node, ping, bonded=False)
    assert said(world, node.endpoint, STRANGER) == []
    assert node.engine.counts["expired packets"] == 1


@pytest.mark.parametrize(
    "question",
    [FindNode(target=bytes(64), expiration=int(START) + 900), EnrRequest(expiration=int(START) + 900)],
    ids=["findnode", "enr"],
)
def test_questions_are_answered_to_those_who_proved_their_endpoint_and_to_nobody_else(
    question: discv4_messages.Message,
) -> None:
    node = Node(1)
    world, _ = asked_by_stranger(node, question, bonded=False)
    assert said(world, node.endpoint, STRANGER) == []
    assert node.engine.counts["questions without a proof of endpoint"] == 1

    node = Node(1)
    world, _ = asked_by_stranger(node, question, bonded=True)
    answers = {type(message) for message in said(world, node.endpoint, STRANGER)}
    assert answers & {Neighbors, EnrResponse}


def test_a_proof_holds_for_the_endpoint_that_gave_it_and_for_a_day() -> None:
    node = Node(1)
    world, peer = asked_by_stranger(node, bonded=True)
    question = FindNode(target=bytes(64), expiration=2**40)
    elsewhere = Peer(world, endpoint=("127.0.201.1", PORT))
    elsewhere.say(question, node.endpoint)
    world.run(seconds=1)
    assert elsewhere.heard == []
    world.now += BOND_S + 1
    peer.heard.clear()
    peer.say(question, node.endpoint)
    world.run(seconds=1)
    assert peer.heard == []


def test_an_answer_to_findnode_fits_into_packets_and_holds_sixteen_nodes() -> None:
    nodes = [Node(number) for number in range(1, 31)]
    world = acquainted(*nodes)
    hub = Node(60)
    world.nodes[hub.endpoint] = hub
    for node in nodes:
        hub.engine.seed(node.neighbour, CrawlSource.DISCV4, world.now, walks=False)
    world.run()
    world.carried.clear()
    crawler = Node(99)
    crawled(crawler, hub, world=world)
    parts = [data for one, other, data in world.carried if (one, other) == (hub.endpoint, crawler.endpoint)]
    answers = [discv4.decode(data).message for data in parts if data[discv4.TYPE_AT] == Kind.NEIGHBORS]
    assert [len(answer.nodes) for answer in answers[:2] if isinstance(answer, Neighbors)] == [12, 4]
    assert max(map(len, parts)) <= discv4.MAX_SIZE


def test_a_stranger_who_pings_and_proves_itself_is_learned_as_inbound() -> None:
    node = Node(1)
    _, peer = asked_by_stranger(node, bonded=True)
    found = node.engine.nodes[peer.neighbour.node_id]
    assert list(found.sources) == [CrawlSource.INBOUND]
    assert found.endpoint == STRANGER


def test_a_flood_of_pings_is_answered_in_part_and_remembered_in_bounds() -> None:
    node = Node(1)
    ping = discv4.encode(STRANGER_KEY, Ping(sender=Place(), recipient=Place(), expiration=int(START) + 9))
    for number in range(3000):
        node.engine.received(ping, (f"127.9.{number // 250}.{number % 250}", PORT), START)
    answered = sum(data[discv4.TYPE_AT] == Kind.PONG for data, _ in node.engine.outbox)
    assert answered == STRANGERS_RATE
    assert node.engine.counts["strangers left unanswered"] == 3000 - STRANGERS_RATE
    assert len(node.driver._strangers) <= MAX_STRANGERS
