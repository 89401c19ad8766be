"""Names in a claim → identifiers of providers; never by a part of a name."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from difflib import get_close_matches

from concentra.claims.errors import ClaimError

ALIASES: Mapping[str, str] = {
    "amazon": "aws",
    "amazon.com": "aws",
    "gcp": "google",
    "google cloud": "google",
    "google cloud platform": "google",
    "microsoft": "azure",
    "ms": "azure",
    "digital ocean": "digitalocean",
}
"""What people call a provider beside its name and identifier, where that can mean no other."""

_ASN = re.compile(r"as([1-9][0-9]{0,9})")


def provider_from(text: str, providers: Mapping[str, str], where: str) -> str:
    """Return the identifier of the provider that `text` names.

    Parameters
    ----------
    text : str
        Identifier, name, one of `ALIASES`, or an AS number: ``AS64500``; case does not matter.
    providers : mapping
        Identifier → name.
    where : str
        What to name in an error.

    Raises
    ------
    ClaimError
        If no provider is called so; the hint offers near ones. "Google Fiber" is not Google.

    Examples
    --------
    >>> provider_from("Amazon", {"aws": "Amazon Web Services"}, "claim")
    'aws'
    """
    plain = " ".join(text.casefold().split())
    if found := _ASN.fullmatch(plain):
        return f"AS{found[1]}"
    known = {name.casefold(): identifier for identifier, name in providers.items()}
    known |= {alias: identifier for alias, identifier in ALIASES.items() if identifier in providers}
    known |= {identifier.casefold(): identifier for identifier in providers}
    if plain in known:
        return known[plain]
    near = get_close_matches(plain, known, n=3, cutoff=0.6)
    near += [name for name in sorted(known) if plain and name.startswith(f"{plain} ") and name not in near]
    offered = list(dict.fromkeys(known[name] for name in near))[:3]
    raise ClaimError(where, f"no provider is called {text.strip()!r}", _did_you_mean(offered))


def region_from(text: str, regions: Collection[str], where: str) -> str:
    """Return the region that `text` names, as ``aws/us-east-1``.

    Raises
    ------
    ClaimError
        If it is not among `regions`; the hint offers near ones.
    """
    plain = text.strip().casefold()
    if plain in regions:
        return plain
    near = get_close_matches(plain, sorted(regions), n=3, cutoff=0.6)
    raise ClaimError(where, f"no region is called {text.strip()!r}", _did_you_mean(near))


def _did_you_mean(offered: Collection[str]) -> str:
    if not offered:
        return "providers are named by identifier or by AS number, like aws or AS64500"
    return f"did you mean {' or '.join(offered)}?"
