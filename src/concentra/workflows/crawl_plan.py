"""What a user may decide about a crawl, and what a crawl that goes on has decided before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from concentra import __version__
from concentra.collect.crawl.admission import OptOut
from concentra.collect.crawl.engine import Limits
from concentra.errors import UnreadableFile, UsageProblem
from concentra.model.crawl import CrawlManifest
from concentra.model.networks import Discovery, Layer, Network
from concentra.workflows.crawl_lists import Lists
from concentra.workflows.network_choice import network_of

LONGEST_CONTACT = 100
"""Characters: a record has 300 bytes in all (EIP-778), and some 150 of them are taken."""


class NotAContact(UsageProblem):
    """What should tell others whom to complain to cannot be sent to them."""

    def __init__(self, text: str, reason: str) -> None:
        shown = text if len(text) <= 40 else f"{text[:39]}…"
        super().__init__(f"contact {shown!r} {reason}")
        self.hint = "wanted a page or a mail address, as https://example.org/crawler"


class OptOutMissing(UsageProblem):
    """A crawl that spared some nodes is to go on without the list of them."""

    def __init__(self, network: str, entries: int) -> None:
        super().__init__(f"the crawl of {network} spared {entries:,} nodes and prefixes, and would not now")
        self.hint = "name the list again: --opt-out FILE"


@dataclass(frozen=True, slots=True, kw_only=True)
class CrawlPlan:
    """What a user may decide about a crawl."""

    network: Network
    definition: str = ""
    """TOML of `network`, unless it ships with concentra."""
    limits: Limits = field(default_factory=Limits)
    """Of all walks together."""
    discovery: tuple[Discovery, ...] = ()
    """Which protocols to walk; the first that the network names, if empty."""
    boot_nodes: tuple[str, ...] = ()
    """ENRs or enode URLs to begin with, instead of the network's own."""
    lists: Lists = field(default_factory=Lists)
    """Further sources; each stays a list of its own."""
    handshakes: bool = True
    """Whether to greet nodes of the execution layer over RLPx, for their client and their fork."""
    duration_s: float | None = None
    contact: str | None = None
    """Where those who are asked may complain: a page or a mail address."""
    opt_out: Path | None = None
    loopback: bool = False
    """Whether nodes on this machine may be contacted, and nothing but loopback is listened at."""
    port: int = 0
    """UDP port of the first walk; 0 lets the system choose."""
    resume: bool = False
    command: str = ""

    @property
    def client(self) -> str:
        """How we introduce ourselves."""
        return f"concentra/{__version__}" + (f" (+{self.contact})" if self.contact else "")

    @property
    def protocols(self) -> tuple[Discovery, ...]:
        """Which protocols are walked, each once."""
        return tuple(dict.fromkeys(self.discovery)) or self.network.discovery[:1]

    @property
    def greets(self) -> bool:
        """Whether nodes are greeted over RLPx, which those of the consensus layer do not speak."""
        return self.handshakes and self.network.layer is Layer.EXECUTION


def checked_contact(text: str) -> str:
    """Return `text` if strangers can be shown it, and a record has room for it.

    Raises
    ------
    NotAContact

    Examples
    --------
    >>> checked_contact("crawler@example.org")
    'crawler@example.org'
    """
    if not (text.isascii() and text.isprintable() and " " not in text):
        raise NotAContact(text, "holds more than plain letters, digits and signs")
    if len(text) > LONGEST_CONTACT:
        raise NotAContact(text, f"has {len(text)} characters, wanted at most {LONGEST_CONTACT}")
    if "@" not in text and "." not in text:
        raise NotAContact(text, "names neither a page nor a mail address")
    return text


def read_opt_out(path: Path | None) -> OptOut:
    """Return whom not to ask.

    Raises
    ------
    UnreadableFile
        If the file cannot be read, or a line of it is not understood.
    """
    if path is None:
        return OptOut((), "none")
    try:
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise UnreadableFile(path.name, error.strerror or str(error)) from error
    return OptOut(text.splitlines(), path.name)


def settings_of(plan: CrawlPlan, opt_out: OptOut) -> Mapping[str, int | float | str]:
    """Return what the figures of a crawl depend on, and what it needs to go on later."""
    limits = plan.limits
    always: dict[str, int | float | str] = {
        "rate": limits.rate,
        "prefix_rate": limits.prefix_rate,
        "in_flight": limits.in_flight,
        "nodes": limits.nodes,
        "discovery": " ".join(plan.protocols),
        "handshakes": int(plan.greets),
    }
    only_if: dict[str, int | float | str] = {
        "contact": plan.contact or "",
        "loopback": int(plan.loopback),
        "dns": int(plan.lists.dns),
        "dns_trees": " ".join(plan.lists.trees),
        "opt_out": len(opt_out),
    }
    return always | {name: value for name, value in only_if.items() if value}


def going_on(plan: CrawlPlan, manifest: CrawlManifest) -> CrawlPlan:
    """Return the plan of a crawl that goes on: its network, its protocols, its lists and its manners stay.

    Limits, time and boot nodes are those of `plan`. Files and the user's own node are not read again.

    Raises
    ------
    OptOutMissing
        If it had a list of nodes to spare, and `plan` has none.
    UnreadableFile
        If what it keeps of its network is damaged.
    """
    settings = manifest.settings
    if settings.get("opt_out") and plan.opt_out is None:
        raise OptOutMissing(manifest.network, int(settings["opt_out"]))
    return replace(
        plan,
        network=network_of(manifest) or plan.network,
        definition=manifest.definition,
        discovery=plan.discovery or tuple(map(Discovery, str(settings.get("discovery", "")).split())),
        handshakes=plan.handshakes and bool(settings.get("handshakes", 1)),
        contact=plan.contact or str(settings.get("contact", "")) or None,
        loopback=plan.loopback or bool(settings.get("loopback")),
        lists=replace(
            plan.lists,
            dns=plan.lists.dns or bool(settings.get("dns")),
            trees=plan.lists.trees or tuple(str(settings.get("dns_trees", "")).split()),
        ),
    )
