import json
import random
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.interop.signed_tree import (
    SignedTree,
    base32,
    branch,
    made_records,
    signed_tree,
    url_of,
    with_signature,
)

from concentra.wire import dnsdisc, enr
from concentra.wire.dnsdisc import TreeUrl
from concentra.wire.dnsdisc_walk import UNANSWERED, WHOLE_LIST, LookupOutcome, Query, TreeWalk, WalkLimits
from concentra.wire.enr import NodeRecord
from concentra.wire.keccak import keccak256

SPECIFIED = json.loads((Path(__file__).parents[1] / "data" / "eip1459_dnsdisc.json").read_text())
RECORDS = [enr.to_text(record) for record in made_records(60)]
THEIRS = bytes(31) + b"\x07"
Zone: TypeAlias = Mapping[str, Sequence[bytes] | str]


def walked(
    zone: Zone,
    url: str,
    *,
    limits: WalkLimits = WHOLE_LIST,
    last_seen: Mapping[TreeUrl, int] | None = None,
    seed: bytes = b"",
    at_once: int = 3,
) -> tuple[TreeWalk, list[str]]:
    """Read a list whose TXT records are in `zone`; return the walk at its end, and the names it asked for.

    Answers come in any order but that of the questions, with `at_once` of them under way.
    """
    walk = TreeWalk(dnsdisc.from_url(url), limits=limits, last_seen=last_seen or {}, seed=seed)
    asked: list[str] = []
    handed_over: list[NodeRecord | None] = []
    running: list[Query] = []
    while True:
        while len(running) < at_once and (query := walk.next_query()) is not None:
            running.append(query)
            asked.append(query.name)
        if not running:
            assert tuple(record for record in handed_over if record is not None) == walk.records
            return walk, asked
        query = running.pop(len(asked) % len(running))
        found = zone.get(query.name)
        if found is None:
            walk.failed(query, LookupOutcome.NO_SUCH_NAME)
        else:
            texts = [found.encode()] if isinstance(found, str) else found
            handed_over.append(walk.answered(query, texts))


def texts_of(walk: TreeWalk) -> list[str]:
    return sorted(enr.to_text(record) for record in walk.records)


def outcomes(walk: TreeWalk) -> dict[str, int]:
    return {outcome.value: count for outcome, count in walk.outcomes.items()}


def changed(tree: SignedTree, change: Callable[[str], str], *, where: str = "enr:") -> dict[str, str]:
    """Return the zone of `tree` with the first text that begins with `where` changed."""
    name = min(name for name, text in tree.texts.items() if text.startswith(where))
    return {**tree.texts, name: change(tree.texts[name])}


def chain(length: int, domain: str = "nodes.example") -> dict[str, str]:
    """Return the zone of a list whose one record lies under `length` branches."""
    texts = {}
    text = RECORDS[0]
    for _ in range(length + 1):
        name = base32(keccak256(text.encode())[:16])
        texts[f"{name}.{domain}"] = text
        text = branch([name])
    return {**texts, domain: with_signature(f"enrtree-root:v1 e={name} l={name} seq=1")}


trees = st.builds(
    signed_tree,
    st.integers(0, 60).map(lambda count: RECORDS[:count]),
    seq=st.integers(0, 2**64 - 1),
    children=st.integers(2, 13),
    hash_size=st.integers(12, 32),
)


def test_the_tree_of_the_specification_is_read() -> None:
    zone = {f"{name}.n".removeprefix("@."): text for name, text in SPECIFIED["zone"].items()}
    walk, asked = walked(zone, SPECIFIED["url"], limits=WalkLimits(follow_links=True))
    assert texts_of(walk) == sorted(text for text in zone.values() if text.startswith("enr:"))
    assert [link.domain for link in walk.links] == ["morenodes.example.org"]
    assert sorted(asked) == sorted([*zone, "morenodes.example.org"])
    assert outcomes(walk) == {"answered": 6, "no such name": 1}


def test_a_record_that_geth_refuses_is_counted_as_malformed() -> None:
    walk, _ = walked(SPECIFIED["bad_zone"], SPECIFIED["url"])
    assert (walk.records, outcomes(walk)) == ((), {"answered": 1, "malformed": 1})


@given(trees, st.binary(max_size=4), st.integers(1, 20))
def test_any_tree_is_read_exactly_with_each_name_asked_once(
    tree: SignedTree, seed: bytes, at_once: int
) -> None:
    walk, asked = walked(tree.texts, tree.url, seed=seed, at_once=at_once)
    expected = [text for text in tree.texts.values() if text.startswith("enr:")]
    assert texts_of(walk) == sorted(expected)
    assert len(asked) == len(set(asked)) == sum(walk.outcomes.values())
    assert outcomes(walk) == {"answered": len(asked)}
    assert walk.unread == 0
    assert list(walk.seqs) == [dnsdisc.from_url(tree.url)]


@given(trees, st.data())
def test_a_change_to_any_byte_of_any_entry_is_detected(tree: SignedTree, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(tree.texts)))
    text = tree.texts[name].encode()
    at = data.draw(st.integers(0, len(text) - 2))  # the last one may belong to the recovery byte of a root
    flipped = text[:at] + bytes((text[at] ^ data.draw(st.integers(1, 255)),)) + text[at + 1 :]
    whole, _ = walked(tree.texts, tree.url)
    walk, asked = walked({**tree.texts, name: [flipped]}, tree.url)
    assert set(texts_of(walk)) <= set(texts_of(whole))
    if name in asked:
        assert walk.outcomes.keys() - {LookupOutcome.ANSWERED}
    else:
        assert tree.texts[name] == "enrtree-branch:"


@given(trees, st.lists(st.sampled_from(sorted(UNANSWERED)), min_size=1), st.randoms(use_true_random=False))
def test_every_name_has_one_outcome_whatever_fails(
    tree: SignedTree, reasons: list[LookupOutcome], chance: random.Random
) -> None:
    walk = TreeWalk(dnsdisc.from_url(tree.url))
    failed = asked = 0
    while (query := walk.next_query()) is not None:
        asked += 1
        if asked > 1 and chance.random() < 0.3:
            failed += 1
            walk.failed(query, chance.choice(reasons))
        else:
            walk.answered(query, [tree.texts[query.name].encode()])
    assert sum(walk.outcomes.values()) == asked
    assert asked - walk.outcomes[LookupOutcome.ANSWERED] == failed


def test_nothing_is_asked_before_the_root_is_verified() -> None:
    tree = signed_tree(RECORDS)
    walk = TreeWalk(dnsdisc.from_url(tree.url))
    root = walk.next_query()
    assert root is not None
    assert root.name == "nodes.example"
    assert walk.next_query() is None
    walk.answered(root, [with_signature(tree.texts["nodes.example"].partition(" sig=")[0], THEIRS).encode()])
    assert walk.next_query() is None
    assert outcomes(walk) == {"bad signature": 1}
    assert walk.seqs == {}


@pytest.mark.parametrize(
    ("root", "outcome"),
    [
        pytest.param([], "no entry", id="no-txt-record"),
        pytest.param([b"v=spf1 -all"], "no entry", id="another-use-of-txt"),
        pytest.param([b"enrtree-branch:"], "no entry", id="branch"),
        pytest.param([b"enrtree-root:v2"], "malformed", id="version-2"),
        pytest.param([b"enrtree-root:v1 \x1b[2J\xff"], "malformed", id="terminal-escape"),
        pytest.param([b"enrtree-root:v1 " + b"A" * 65000], "malformed", id="endless"),
    ],
)
def test_what_is_no_root_ends_the_reading_with_its_reason(root: list[bytes], outcome: str) -> None:
    walk, asked = walked({"nodes.example": root}, url_of("nodes.example"))
    assert asked == ["nodes.example"]
    assert outcomes(walk) == {outcome: 1}


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        pytest.param(lambda text: "enr:-", "bad hash", id="another-entry"),
        pytest.param(lambda text: RECORDS[1], "bad hash", id="another-valid-record"),
        pytest.param(lambda text: "hello", "no entry", id="no-entry"),
        pytest.param(lambda text: "enr:" + "A" * 65000, "bad hash", id="endless"),
    ],
)
def test_a_wrong_entry_is_counted_by_reason_and_the_rest_is_read(
    change: Callable[[str], str], outcome: str
) -> None:
    tree = signed_tree(RECORDS[:20])
    walk, asked = walked(changed(tree, change), tree.url)
    assert len(walk.records) == 19
    assert outcomes(walk) == {"answered": len(asked) - 1, outcome: 1}


def test_among_several_texts_the_one_that_fits_is_read() -> None:
    tree = signed_tree(RECORDS[:20])
    others = [b"v=spf1 -all", b"enrtree-branch:", RECORDS[30].encode(), b"enr:", b"\xff", b""]
    zone = {name: [*others, text.encode(), *others] for name, text in tree.texts.items()}
    walk, _ = walked(zone, tree.url)
    assert texts_of(walk) == sorted(RECORDS[:20])


def test_among_several_roots_the_newest_that_is_signed_is_read() -> None:
    older, newer = (signed_tree(RECORDS[:count], seq=count) for count in (5, 10))
    forged = signed_tree(RECORDS[:15], seq=15, owner=THEIRS)
    roots = [tree.texts["nodes.example"].encode() for tree in (forged, older, newer, older)]
    walk, _ = walked({**older.texts, **newer.texts, "nodes.example": roots}, newer.url)
    assert texts_of(walk) == sorted(RECORDS[:10])
    assert list(walk.seqs.values()) == [10]


def test_a_root_older_than_one_seen_before_is_stale_and_an_equal_one_is_not() -> None:
    tree = signed_tree(RECORDS[:5], seq=7)
    url = dnsdisc.from_url(tree.url)
    same, _ = walked(tree.texts, tree.url, last_seen={url: 7})
    assert len(same.records) == 5
    stale, asked = walked(tree.texts, tree.url, last_seen={url: 8})
    assert (asked, outcomes(stale), stale.seqs) == (["nodes.example"], {"stale": 1}, {})


def test_links_are_not_asked_for_unless_they_are_wanted() -> None:
    tree = signed_tree(RECORDS[:5], links=[url_of("other.example", THEIRS), url_of("third.example")])
    _, asked = walked(tree.texts, tree.url)
    _, with_links = walked(tree.texts, tree.url, limits=WalkLimits(follow_links=True))
    assert len(asked) == 7
    assert set(with_links) - set(asked) == {
        *(name for name, text in tree.texts.items() if text.startswith("enrtree://")),
        *(
            name
            for name, text in tree.texts.items()
            if text.startswith("enrtree-branch:") and name not in asked
        ),
        "other.example",
        "third.example",
    }


def test_lists_that_link_to_each_other_and_to_themselves_are_read_once() -> None:
    urls = [url_of(f"{name}.example", THEIRS) for name in "abc"]
    lists = [
        signed_tree(RECORDS[at : at + 4], domain=f"{name}.example", links=urls, owner=THEIRS, seq=at)
        for at, name in enumerate("abc")
    ]
    zone = {name: text for tree in lists for name, text in tree.texts.items()}
    walk, asked = walked(zone, urls[0], limits=WalkLimits(follow_links=True))
    assert texts_of(walk) == sorted(RECORDS[:6])  # each once, though lists share some
    assert sorted(asked) == sorted(zone)
    assert {dnsdisc.to_url(url) for url in walk.links} == set(urls)
    assert sorted(walk.seqs.values()) == [0, 1, 2]
    assert outcomes(walk) == {"answered": len(zone)}


def test_a_linked_list_is_verified_with_the_key_of_the_link() -> None:
    other = signed_tree(RECORDS[5:9], domain="other.example", owner=THEIRS)
    mine = signed_tree(RECORDS[:5], links=[url_of("other.example")])  # which says that I sign it
    walk, _ = walked({**other.texts, **mine.texts}, mine.url, limits=WalkLimits(follow_links=True))
    assert texts_of(walk) == sorted(RECORDS[:5])
    assert outcomes(walk)["bad signature"] == 1


def test_two_owners_may_keep_lists_at_one_domain() -> None:
    mine = signed_tree(RECORDS[:5], links=[url_of("nodes.example", THEIRS)])
    other = signed_tree(RECORDS[5:9], owner=THEIRS)
    roots = [tree.texts["nodes.example"].encode() for tree in (mine, other)]
    zone: Zone = {**mine.texts, **other.texts, "nodes.example": roots}
    walk, _ = walked(zone, mine.url, limits=WalkLimits(follow_links=True))
    assert texts_of(walk) == sorted(RECORDS[:9])


def test_no_more_lists_are_read_than_the_limit() -> None:
    zone: dict[str, str] = {}
    for number in range(20):
        links = [url_of(f"{number + step}.list.example") for step in (1, 2)]
        zone |= signed_tree(RECORDS[number : number + 1], domain=f"{number}.list.example", links=links).texts
    walk, asked = walked(zone, url_of("0.list.example"), limits=WalkLimits(follow_links=True))
    assert sum(name.count(".") == 2 for name in asked) == len(walk.seqs) == 8
    assert walk.outcomes[LookupOutcome.TOO_MANY_TREES] > 0


def test_links_among_records_and_records_among_links_are_misplaced() -> None:
    tree = signed_tree([RECORDS[0], url_of("other.example")], links=[RECORDS[1], url_of("third.example")])
    walk, asked = walked(tree.texts, tree.url, limits=WalkLimits(follow_links=True))
    assert texts_of(walk) == [RECORDS[0]]
    assert [link.domain for link in walk.links] == ["third.example"]
    assert "other.example" not in asked
    assert outcomes(walk) == {"answered": 5, "misplaced": 2, "no such name": 1}


def test_a_list_deeper_than_the_limit_is_read_no_further() -> None:
    deepest, _ = walked(chain(3), url_of("nodes.example"), limits=WalkLimits(max_depth=4))
    assert (len(deepest.records), outcomes(deepest)) == (1, {"answered": 5})
    walk, asked = walked(chain(4), url_of("nodes.example"), limits=WalkLimits(max_depth=4))
    assert (walk.records, outcomes(walk)) == ((), {"answered": 5, "too deep": 1})
    assert len(asked) == 5
    endless, _ = walked(chain(1000), url_of("nodes.example"))
    assert outcomes(endless) == {"answered": 17, "too deep": 1}


def test_a_list_with_more_names_than_the_limit_is_read_no_further() -> None:
    tree = signed_tree(RECORDS)
    walk, asked = walked(tree.texts, tree.url, limits=WalkLimits(max_names=20))
    assert len(asked) == 20
    assert outcomes(walk) == {"answered": 20, "too many names": len(tree.texts) - 1 - 20}
    linked = signed_tree(RECORDS[:1], links=[url_of("other.example")])
    walk, asked = walked(linked.texts, linked.url, limits=WalkLimits(max_names=3, follow_links=True))
    assert (len(asked), walk.outcomes[LookupOutcome.TOO_MANY_NAMES]) == (3, 1)


def test_an_entry_under_several_names_and_branches_is_asked_for_once() -> None:
    name = base32(keccak256(RECORDS[0].encode())[:12])
    same = name[:-1] + chr(ord(name[-1]) + 1)  # in bits that belong to no byte
    leaf = branch([name, same, name])
    over = base32(keccak256(leaf.encode())[:16])
    top = branch([over, name, over])
    root = base32(keccak256(top.encode())[:16])
    zone = {
        "nodes.example": with_signature(f"enrtree-root:v1 e={root} l={root} seq=1"),
        **{f"{at}.nodes.example": text for at, text in ((name, RECORDS[0]), (over, leaf), (root, top))},
    }
    walk, asked = walked(zone, url_of("nodes.example"), limits=WalkLimits(follow_links=True))
    assert sorted(asked) == sorted(zone)
    assert len(walk.records) == 1


def test_enough_records_end_the_asking_and_what_is_under_way_still_counts() -> None:
    tree = signed_tree(RECORDS)
    walk, asked = walked(tree.texts, tree.url, limits=WalkLimits(max_records=10), at_once=1)
    assert len(walk.records) == 10
    assert len(asked) < len(tree.texts) - 20
    assert walk.outcomes[LookupOutcome.NOT_READ] == walk.unread > 0
    assert sum(walk.outcomes.values()) == len(asked) + walk.unread
    crowded, _ = walked(tree.texts, tree.url, limits=WalkLimits(max_records=10), at_once=16)
    assert 10 <= len(crowded.records) < 26
    nothing, asked = walked(tree.texts, tree.url, limits=WalkLimits(max_records=0))
    assert (asked, outcomes(nothing)) == ([], {"not read": 1})


def test_the_seed_decides_the_order_and_equal_seeds_give_equal_readings() -> None:
    tree = signed_tree(RECORDS)
    few = WalkLimits(max_records=10)
    readings = [
        texts_of(walked(tree.texts, tree.url, limits=few, seed=seed)[0]) for seed in (b"a", b"a", b"b", b"c")
    ]
    assert readings[0] == readings[1]
    assert all(one != other for one, other in pairwise(readings[1:]))


def test_what_was_read_can_be_looked_at_before_the_end() -> None:
    tree = signed_tree(RECORDS[:5])
    walk = TreeWalk(dnsdisc.from_url(tree.url))
    for expected in (1, 1, 5, 4, 3):
        assert walk.unread == walk.outcomes[LookupOutcome.NOT_READ] == expected
        query = walk.next_query()
        assert query is not None
        assert walk.unread == expected  # an answer may never come
        record = walk.answered(query, [tree.texts[query.name].encode()])
        assert record is None or record is walk.records[-1]
    assert len(walk.records) == 3


def test_answers_to_what_was_not_asked_are_our_mistake() -> None:
    walk = TreeWalk(dnsdisc.from_url(url_of("nodes.example")))
    query = walk.next_query()
    assert query is not None
    with pytest.raises(ValueError, match="'bad hash' is found out by reading"):
        walk.failed(query, LookupOutcome.BAD_HASH)
    walk.failed(query, LookupOutcome.TIMED_OUT)
    with pytest.raises(ValueError, match="was not asked for, or has been answered"):
        walk.failed(query, LookupOutcome.TIMED_OUT)
    with pytest.raises(ValueError, match="was not asked for, or has been answered"):
        walk.answered(query, [])
