"""Locate every address of a node file, in its order and in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from concentra.adapters.node_streams import open_node_file
from concentra.attribution.explain import Explainer
from concentra.collect.address_forms import addresses_in
from concentra.collect.node_rows import row_texts
from concentra.workflows.locate import Located, locate


def locate_file(
    path: str,
    explainer: Explainer,
    *,
    column: str | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Iterator[Located]:
    """Yield what the maps know of every address of a node file; a row without one gives the reason.

    Parameters
    ----------
    path : str
        A node file, or ``-``.
    explainer : Explainer
    column : str, optional
        CSV column that holds the addresses.
    progress : callable
        Told how many bytes were read.

    Raises
    ------
    UnreadableFile, NoAddressColumn, NoColumns
    """
    with open_node_file(path, progress) as stream:
        for texts in row_texts(stream, path, column=column):
            for text in texts:
                found = addresses_in(text)
                if isinstance(found, str):
                    yield Located(text, None, None, found)
                else:
                    for address in found:
                        yield locate(text, address, explainer)
