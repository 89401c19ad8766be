"""Reading a node list in DNS (EIP-1459) without asking anything: which names come next, and what they held.

The caller asks for the names that `TreeWalk` hands out, as many at a time as it likes, and brings back
the TXT records or the reason why there are none. What has been read so far can be looked at any time.

A list is untrusted until its root is verified, and its owner need not mean well. So every name is asked
for once, every list is read once however lists link to each other, and names, depth and lists are bounded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from heapq import heappop, heappush
from types import MappingProxyType

from concentra.wire import dnsdisc
from concentra.wire.dnsdisc import BadHash, BadSignature, Branch, Root, TreeUrl
from concentra.wire.enr import NodeRecord
from concentra.wire.errors import WireError
from concentra.wire.keccak import keccak256

MAX_NAMES = (
    100_000  # the largest public list has 4,000 to 5,000; at 20 questions a second this takes 83 minutes
)
MAX_DEPTH = 16  # geth puts 13 children under a branch, so 5 levels hold 100,000 records
MAX_TREES = 8


class LookupOutcome(StrEnum):
    """How it ended with one name of a list; every name has exactly one."""

    ANSWERED = "answered"
    """It held an entry that fits its name and its place."""
    NO_SUCH_NAME = "no such name"
    """The name does not exist: the list is being updated, or was left incomplete."""
    NO_ENTRY = "no entry"
    """The name exists, but no TXT record there is an entry of a list."""
    TIMED_OUT = "timed out"
    """No answer came, retries included."""
    SERVER_FAILED = "server failed"
    """The name server answered with an error code, such as SERVFAIL or REFUSED."""
    UNREACHABLE = "unreachable"
    """The name server could not be reached, or broke the connection."""
    BAD_SIGNATURE = "bad signature"
    """The root is not signed by the key of its URL."""
    BAD_HASH = "bad hash"
    """What stands there is not what the branch above vouches for."""
    MALFORMED = "malformed"
    """The answer is no DNS, or the entry, though vouched for, has no form or no record that is valid."""
    MISPLACED = "misplaced"
    """A link among the records, or a record among the links."""
    STALE = "stale"
    """The root has a lower sequence number than one seen before."""
    TOO_DEEP = "too deep"
    """Not asked: it lies below the depth that lists are read to."""
    TOO_MANY_NAMES = "too many names"
    """Not asked: enough names are known. One that is mentioned twice counts twice."""
    TOO_MANY_TREES = "too many trees"
    """Not asked: the root of a list that is linked to when enough lists are known. Counted likewise."""
    NOT_READ = "not read"
    """The reading ended before the name was asked for, or before the answer came."""


UNANSWERED = frozenset(
    {
        LookupOutcome.NO_SUCH_NAME,
        LookupOutcome.NO_ENTRY,
        LookupOutcome.TIMED_OUT,
        LookupOutcome.SERVER_FAILED,
        LookupOutcome.UNREACHABLE,
        LookupOutcome.MALFORMED,
    }
)
"""What may become of a question before there is an entry to read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WalkLimits:
    """What is read of a list, and where reading stops."""

    max_records: int | None = None
    """No further name is asked for once so many records are read; None for all. Answers that are under
    way by then still count."""
    follow_links: bool = False
    """Whether the lists that this one links to are read as well."""
    max_trees: int = MAX_TREES
    """Lists, the first one included."""
    max_names: int = MAX_NAMES
    """Names, in all lists together."""
    max_depth: int = MAX_DEPTH
    """Entries above a leaf, the root included."""


WHOLE_LIST = WalkLimits()


class Place(Enum):
    """Which part of a list a name belongs to."""

    ROOT = "root"
    RECORDS = "records"
    LINKS = "links"


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One name whose TXT records are wanted."""

    name: str
    """Absolute domain name without the final dot: ASCII letters, digits, hyphens, underscores and dots."""
    tree: TreeUrl
    """The list that it belongs to."""
    place: Place
    entry: str
    """The label in front of the domain, base32; empty at the root."""
    depth: int
    """Entries above it."""


class TreeWalk:
    """The reading of one list, and of those that it links to if that is wanted.

    >>> url = dnsdisc.from_url("enrtree://AKPYQIUQIL7PSIACI32J7FGZW56E5FKHEFCCOFHILBIMW3M6LWXS2@n")
    >>> walk = TreeWalk(url)
    >>> query = walk.next_query()
    >>> query.name, walk.next_query()  # the root comes first, and nothing beside it
    ('n', None)
    >>> walk.failed(query, LookupOutcome.TIMED_OUT)
    >>> dict(walk.outcomes)
    {<LookupOutcome.TIMED_OUT: 'timed out'>: 1}
    """

    def __init__(
        self,
        url: TreeUrl,
        *,
        limits: WalkLimits = WHOLE_LIST,
        last_seen: Mapping[TreeUrl, int] = MappingProxyType({}),
        seed: bytes = b"",
    ) -> None:
        """Begin with the root of `url`.

        Parameters
        ----------
        url : TreeUrl
            The list to read.
        limits : WalkLimits
            What of it.
        last_seen : mapping from TreeUrl to int
            Highest sequence numbers that earlier readings found, as their `seqs` tell.
        seed : bytes
            Decides the order in which names are handed out; the specification recommends a random one.
            It matters where not everything is read: the owner put the records in an order too.
        """
        self._limits = limits
        self._last_seen = last_seen
        self._seed = seed
        self._known: dict[TreeUrl, set[bytes]] = {}
        self._names = 0
        self._waiting: list[tuple[bytes, int, Query]] = []
        self._under_way: set[Query] = set()
        self._settled: Counter[LookupOutcome] = Counter()
        self._records: dict[bytes, NodeRecord] = {}
        self._links: dict[TreeUrl, None] = {}
        self._seqs: dict[TreeUrl, int] = {}
        self._want_tree(url)

    # What was read

    @property
    def records(self) -> tuple[NodeRecord, ...]:
        """Return the records in the order they came, each once, whichever lists it stands in."""
        return tuple(self._records.values())

    @property
    def links(self) -> tuple[TreeUrl, ...]:
        """Return the links that were found, followed or not; none are looked for unless they are to be."""
        return tuple(self._links)

    @property
    def seqs(self) -> Mapping[TreeUrl, int]:
        """Return the sequence number of every list whose root was read."""
        return MappingProxyType(self._seqs)

    @property
    def outcomes(self) -> Mapping[LookupOutcome, int]:
        """Return how it ended with the names, by reason; those that nothing was heard of are not read."""
        return self._settled + Counter({LookupOutcome.NOT_READ: self.unread})

    @property
    def record_count(self) -> int:
        """Return how many records were read."""
        return len(self._records)

    @property
    def unread(self) -> int:
        """Return how many names wait to be handed out or to be answered."""
        return len(self._waiting) + len(self._under_way)

    # Asking

    def next_query(self) -> Query | None:
        """Return a name to ask for, each once; None if there is none until an answer comes, or no more."""
        enough = self._limits.max_records
        if not self._waiting or (enough is not None and len(self._records) >= enough):
            return None
        _, _, query = heappop(self._waiting)
        self._under_way.add(query)
        return query

    def answered(self, query: Query, texts: Sequence[bytes]) -> NodeRecord | None:
        """Take in the TXT records at a name; return the node record among them if it is new.

        Parameters
        ----------
        query : Query
            From `next_query`; a `ValueError` if it was not, or was answered before.
        texts : sequence of bytes
            All TXT records there, each with its strings joined, in any order. They are untrusted, and
            those that are no entry, such as SPF records, are passed over.
        """
        self._settle(query)
        outcome, record = self._read(query, texts)
        self._settled[outcome] += 1
        if record is None or record.signature in self._records:
            return None
        self._records[record.signature] = record
        return record

    def failed(self, query: Query, reason: LookupOutcome) -> None:
        """Take in that a name could not be read; `reason` is one of `UNANSWERED`."""
        if reason not in UNANSWERED:
            raise ValueError(f"{reason.value!r} is found out by reading an entry, not by asking for it")
        self._settle(query)
        self._settled[reason] += 1

    def _settle(self, query: Query) -> None:
        if query not in self._under_way:
            raise ValueError(f"{query.name} was not asked for, or has been answered")
        self._under_way.remove(query)

    def _read(self, query: Query, texts: Sequence[bytes]) -> tuple[LookupOutcome, NodeRecord | None]:
        try:
            if query.place is Place.ROOT:
                return self._read_root(query, texts), None
            return self._read_entry(query, texts)
        except BadSignature:
            return LookupOutcome.BAD_SIGNATURE, None
        except BadHash:
            return LookupOutcome.BAD_HASH, None
        except WireError:
            return LookupOutcome.MALFORMED, None

    def _read_root(self, query: Query, texts: Sequence[bytes]) -> LookupOutcome:
        prefix = dnsdisc.ROOT_PREFIX.encode("ascii")
        candidates = [text for text in texts if text.startswith(prefix)]
        if not candidates:
            return LookupOutcome.NO_ENTRY
        tree = query.tree
        root = _newest_root(candidates, tree.public_key)
        if root.seq < self._last_seen.get(tree, 0):
            return LookupOutcome.STALE
        self._seqs[tree] = root.seq
        self._want(tree, Place.RECORDS, root.records, depth=1)
        if self._limits.follow_links:
            self._want(tree, Place.LINKS, root.links, depth=1)
        return LookupOutcome.ANSWERED

    def _read_entry(self, query: Query, texts: Sequence[bytes]) -> tuple[LookupOutcome, NodeRecord | None]:
        candidates = [text for text in texts if text.startswith(dnsdisc.ENTRY_PREFIXES)]
        if not candidates:
            return LookupOutcome.NO_ENTRY, None
        fitting = (text for text in candidates if dnsdisc.has_hash(text, query.entry))
        entry = dnsdisc.decode_entry(next(fitting, candidates[0]), query.entry)
        match entry:
            case Branch(children):
                for name in children:
                    self._want(query.tree, query.place, name, depth=query.depth + 1)
                return LookupOutcome.ANSWERED, None
            case NodeRecord() if query.place is Place.RECORDS:
                return LookupOutcome.ANSWERED, entry
            case TreeUrl() if query.place is Place.LINKS:
                self._links[entry] = None
                self._want_tree(entry)
                return LookupOutcome.ANSWERED, None
            case _:
                return LookupOutcome.MISPLACED, None

    # What to ask next

    def _want_tree(self, url: TreeUrl) -> None:
        if url in self._known:
            return
        if len(self._known) >= self._limits.max_trees:
            self._settled[LookupOutcome.TOO_MANY_TREES] += 1
        elif self._names >= self._limits.max_names:
            self._settled[LookupOutcome.TOO_MANY_NAMES] += 1
        else:
            self._known[url] = set()
            self._put(Query(name=url.domain, tree=url, place=Place.ROOT, entry="", depth=0))

    def _want(self, tree: TreeUrl, place: Place, entry: str, *, depth: int) -> None:
        known = self._known[tree]
        digest = dnsdisc.hash_of_name(entry)
        if digest in known:
            return
        if depth > self._limits.max_depth:
            self._settled[LookupOutcome.TOO_DEEP] += 1
        elif self._names >= self._limits.max_names:
            self._settled[LookupOutcome.TOO_MANY_NAMES] += 1
        else:
            known.add(digest)
            name = f"{entry}.{tree.domain}"
            self._put(Query(name=name, tree=tree, place=place, entry=entry, depth=depth))

    def _put(self, query: Query) -> None:
        # The count settles it between two keys that sign lists at one domain.
        heappush(self._waiting, (keccak256(self._seed + query.name.encode("ascii")), self._names, query))
        self._names += 1


def _newest_root(candidates: Sequence[bytes], public_key: bytes) -> Root:
    """Return the verified root with the highest sequence number; a `WireError` about the first if none is."""
    roots: list[Root] = []
    problems: list[WireError] = []
    for text in candidates:
        try:
            roots.append(dnsdisc.decode_root(text, public_key))
        except WireError as error:
            problems.append(error)
    if not roots:
        raise problems[0]
    return max(roots, key=lambda root: root.seq)
