"""Warnings about keys: unknown ones, parameters given twice, annotations of a secret that is not declared, paths to write."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from itertools import islice
from typing import Any

from webhook.core.annotations import secrets, telemetry
from webhook.core.annotations.family import Family
from webhook.core.annotations.intent import SecretRequest
from webhook.core.annotations.table import BY_KEY, OPEN
from webhook.core.refusal import WARNINGS_OF_A_KIND_MAX, warning

PARAMS = {
    "auth_config": "auth-config-",
    "telemetry": "agent-telemetry-",
}  # fields of stanzas, and their annotations' stem
SUGGESTIONS_MAX = 10  # looking for a near key costs time; a pod may hold thousands of unknown ones
PATH_MAX = 4_096  # characters of a path worth looking at
KEY_MAX = 63  # characters of a key's name, Kubernetes
STEMS = {row.field: stem for stem, row in OPEN.items() if row.key.endswith("<name>")}  # by field of a secret
TOKEN_NAME = "token"  # noqa: S105 of the file that agent-inject-token writes
WRITE = "give a template that writes, with pkiCert, or secret and arguments"
# A secrets engine, as the name of its mount tells, and the endpoints of it that take only writes.
_WRITTEN = {
    "pki": ("issue", "sign", "sign-verbatim"),
    "ssh": ("issue", "sign"),
    "transit": ("encrypt", "decrypt", "sign", "verify", "hmac", "rewrap", "datakey"),
}


def unknown_keys(family: Family, keys: Iterable[str]) -> Iterator[str]:
    """Yield a warning for each key that is none of ours, with the key that was probably meant; no more than an answer holds.

    Args:
        family: whose prefix they have.
        keys: without prefix.
    """
    for among, key in enumerate(sorted(keys)[:WARNINGS_OF_A_KIND_MAX]):
        stem = _near(key[:KEY_MAX]) if among < SUGGESTIONS_MAX else ""
        rest = "<name>" if stem.endswith("-") else ""
        meant = f"unknown and ignored; did you mean {family.prefix}{stem}{rest}?"
        yield warning(family.prefix + key, meant if stem else "no annotation of this injector; ignored")


def _near(key: str) -> str:
    """Return the key or stem that is close, "" where none is; <name> is free, so stems compare with the key's beginning."""
    if close := get_close_matches(key, [*BY_KEY, *OPEN], n=1, cutoff=0.8):
        return close[0]
    return next((stem for stem in OPEN if get_close_matches(key[: len(stem)], [stem], cutoff=0.9)), "")


def is_written(path: str) -> bool:
    """Tell whether a Vault path, by its looks, takes only writes: to issue a certificate, to sign, to encrypt."""
    mount, *rest = path[:PATH_MAX].strip("/").lower().split("/")
    return any(engine in mount and not set(rest[:-1]).isdisjoint(ends) for engine, ends in _WRITTEN.items())


def orphans(family: Family, by_secret: Mapping[str, Mapping[str, Any]], *, inject_token: bool) -> Iterator[str]:
    """Yield a warning for each secret that has annotations and is not declared.

    Args:
        family: whose prefix the annotations have.
        by_secret: a secret's name as written to what its annotations say.
        inject_token: the agent's token is written to a file, which looks like a secret of the name `token` and is none.
    """
    undeclared = sorted(name for name, fields in by_secret.items() if not secrets.declared(fields))
    for name in undeclared[:WARNINGS_OF_A_KIND_MAX]:
        fields = by_secret[name]
        key = min(STEMS[field] for field in fields) + name
        if inject_token and name == TOKEN_NAME:
            problem = (
                "no effect: the file of agent-inject-token always has mode 0644, and no other annotation is for it"
            )
        else:
            problem = f"no effect: no secret {name!r} is declared; add {family.prefix}{secrets.DECLARATION}{name}, or correct the name"
        yield warning(family.prefix + key, problem)


def written_paths(family: Family, requests: Iterable[SecretRequest]) -> Iterator[str]:
    """Yield a warning for each secret whose default template reads what can only be written."""
    found = 0
    for secret in requests:
        if found == WARNINGS_OF_A_KIND_MAX:
            return
        if secret.path and not (secret.template or secret.template_file) and is_written(secret.path):
            found += 1
            yield warning(family.prefix + secret.key, f"the default template reads, and this path is written; {WRITE}")


def doubtful_params(family: Family, field: str, params: Mapping[str, str]) -> Iterator[str]:
    """Yield a warning for each parameter of a stanza that is given twice, or that we do not know; of as many as an answer holds."""
    given = sorted(Counter(map(underscored, params)).items())
    doubtful = (
        pair for pair in given if pair[1] > 1 or (field == "telemetry" and not telemetry.is_known(pair[0].lower()))
    )
    for name, times in islice(doubtful, WARNINGS_OF_A_KIND_MAX):
        key = family.prefix + PARAMS[field] + name
        if times > 1:
            yield warning(key, "also given with dashes; the spelling with underscores is used")
        if field == "telemetry" and not telemetry.is_known(name.lower()):
            yield warning(key, "no telemetry setting we know of; passed on")


def underscored(param: str) -> str:
    """Return a parameter's name as the agent's configuration has it."""
    return param.replace("-", "_")
