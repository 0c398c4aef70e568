"""Requests and limits of the agent containers, such that the API server takes them.

What nobody asked for gives way to what somebody did: a request above the limit is lowered to it, a limit below the request raised.
"""

from typing import NamedTuple

from webhook.core.annotations.go_values import quantity_value
from webhook.core.annotations.intent import Intent
from webhook.core.inject.agent_config import AgentKind
from webhook.core.refusal import Refused, refused
from webhook.reasons import Reason

# The API's name of a resource, that in annotations, that in fields of Intent.
_RESOURCES = (("cpu", "cpu", "cpu"), ("memory", "mem", "memory"), ("ephemeral-storage", "ephemeral", "ephemeral"))
_DEFAULT, _OPERATOR, _AUTHOR = range(3)  # whose word it is; the higher stands against the lower


class _Amount(NamedTuple):
    text: str  # a quantity, "" for none
    key: str  # of the annotation that states it, without prefix
    word: int  # whose it is


def resources(intent: Intent, kind: AgentKind, left_out: frozenset[str]) -> dict[str, dict[str, str]]:
    """Return requests and limits; an empty text means none, and a half without any is left out.

    Args:
        intent: what the pod's author asks for.
        kind: which of the agents.
        left_out: names of resources of which only what the author states counts, such as {"cpu"}.

    Raises:
        Refused: the author asks for a request above a limit.
    """
    requests, limits = {}, {}
    for name, short, field in _RESOURCES:
        request, limit = (_stated(intent, kind, half, short, field) for half in ("requests", "limits"))
        if name in left_out:
            request, limit = (
                amount if amount.word == _AUTHOR else amount._replace(text="") for amount in (request, limit)
            )
        requests[name], limits[name] = _fitted(intent, request, limit)
    halves = {
        "limits": {name: text for name, text in limits.items() if text},
        "requests": {name: text for name, text in requests.items() if text},
    }
    return {half: amounts for half, amounts in halves.items() if amounts}


def _stated(intent: Intent, kind: AgentKind, half: str, short: str, field: str) -> _Amount:
    """Return what counts for this agent; the init container has what is stated for it, else what the sidecar has."""
    if kind is AgentKind.INIT:
        own: str | None = getattr(intent, f"init_{half}_{field}")
        if own is not None:
            return _Amount(own, f"agent-init-{half}-{short}", _AUTHOR)
    key = f"agent-{half}-{short}"
    word = _AUTHOR if key in intent.in_pod else _OPERATOR if key in intent.by_server else _DEFAULT
    return _Amount(getattr(intent, f"{half}_{field}"), key, word)


def _fitted(intent: Intent, request: _Amount, limit: _Amount) -> tuple[str, str]:
    """Return both as texts, the request not above the limit."""
    if not (request.text and limit.text) or quantity_value(request.text) <= quantity_value(limit.text):
        return request.text, limit.text
    if request.word == limit.word:
        raise _contradictory(intent, request, limit)
    return (limit.text, limit.text) if limit.word > request.word else (request.text, request.text)


def _contradictory(intent: Intent, request: _Amount, limit: _Amount) -> Refused:
    return refused(
        Reason.ANNOTATION_CONFLICT,
        intent.annotation(request.key),
        f'above the limit, {limit.key} "{limit.text}"',
        "Lower the one or raise the other",
        value=request.text,
    )
