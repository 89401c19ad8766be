"""``geodata.json`` of the Edinburgh Decentralisation Index: an object from address to a geolocation answer.

Blockchain-Technology-Lab/network-decentralization writes it (ethereum/collect.py): a key is an address that
was cut from the peerstore, quotes and brackets included, a value what ip-api.com or ipapi.is answered, or
null. Only the keys are facts about the network, so only they are read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime

from concentra.collect.address_forms import bare_address, unmapped
from concentra.collect.imports import NO_ADDRESS, ImportTally, endpoint_id, imported_row
from concentra.collect.node_forms import MAX_JSON_BYTES
from concentra.collect.streams import Readable
from concentra.errors import UnreadableFile
from concentra.model.crawl import NodeRow

WANTED = "wanted the Edinburgh index's geodata.json: an object whose keys are addresses"


def geodata_rows(stream: Readable, name: str, tally: ImportTally, *, seen: datetime) -> Iterator[NodeRow]:
    """Yield a row for each address, in the order of the file.

    Parameters
    ----------
    stream : Readable
    name : str
        For messages.
    tally : ImportTally
        Told of every key, and why it gave no row.
    seen : datetime
        When the addresses were collected, UTC: the file does not say.

    Raises
    ------
    UnreadableFile
        If it is damaged, of another form, or larger than any network.
    """
    data = stream.read(MAX_JSON_BYTES + 1)
    if len(data) > MAX_JSON_BYTES:
        raise UnreadableFile(name, f"more than {MAX_JSON_BYTES:,} bytes of JSON")
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UnreadableFile(name, f"not JSON: {error}") from error
    if not isinstance(document, dict):
        raise UnreadableFile(name, WANTED)
    for key in document:
        tally.read += 1
        address = bare_address(key.strip(" '\"").removeprefix("[").removesuffix("]"))
        if address is None:
            tally.dropped[NO_ADDRESS] += 1
            continue
        text = str(unmapped(address))
        yield imported_row(endpoint_id(text), address=text, first_seen=seen, last_seen=seen)
