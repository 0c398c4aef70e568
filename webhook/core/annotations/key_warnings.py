"""What is worth a warning when annotations are read: keys we do not know, parameters given twice, orphans of a secret."""

from collections import Counter
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from webhook.core.annotations import secrets, telemetry
from webhook.core.annotations.family import Family
from webhook.core.annotations.table import BY_KEY, OPEN
from webhook.core.refusal import warning

PARAMS = {
    "auth_config": "auth-config-",
    "telemetry": "agent-telemetry-",
}  # fields of stanzas, and their annotations' stem
SUGGESTIONS_MAX = 10  # looking for a near key costs time; a pod may hold thousands of unknown ones
KEY_MAX = 63  # characters of a key's name, Kubernetes


def unknown_key(family: Family, key: str, *, among: int) -> str:
    """Return the warning for a key that is none of ours, with the key that was probably meant.

    Args:
        family: whose prefix it has.
        key: without prefix.
        among: how many warnings there are already; beyond SUGGESTIONS_MAX nothing is suggested.
    """
    stem = _near(key[:KEY_MAX]) if among < SUGGESTIONS_MAX else ""
    if not stem:
        return warning(family.prefix + key, "no annotation of this injector; ignored")
    rest = "<name>" if stem.endswith("-") else ""
    return warning(family.prefix + key, f"unknown and ignored; did you mean {family.prefix}{stem}{rest}?")


def _near(key: str) -> str:
    """Return the key or stem that is close, "" where none is; <name> is free, so stems compare with the key's beginning."""
    if close := get_close_matches(key, [*BY_KEY, *OPEN], n=1, cutoff=0.8):
        return close[0]
    return next((stem for stem in OPEN if get_close_matches(key[: len(stem)], [stem], cutoff=0.9)), "")


def orphans(family: Family, by_secret: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield a warning for each secret that has annotations and is not declared."""
    for name, fields in by_secret.items():
        if not secrets.declared(fields):
            declaration = f"{family.prefix}agent-inject-secret-{name}"
            yield warning(
                f"{family.prefix}...-{name}", f"no such secret is declared; add {declaration}, or mend the name"
            )


def doubtful_params(family: Family, field: str, params: Mapping[str, str]) -> Iterator[str]:
    """Yield a warning for each parameter of a stanza that is given twice, or that we do not know."""
    for name, times in sorted(Counter(map(underscored, params)).items()):
        key = family.prefix + PARAMS[field] + name
        if times > 1:
            yield warning(key, "given with dashes too; the form with underscores counts")
        if field == "telemetry" and not telemetry.is_known(name.lower()):
            yield warning(key, "no telemetry setting we know of; passed on")


def underscored(param: str) -> str:
    """Return a parameter's name as the agent's configuration has it."""
    return param.replace("-", "_")
