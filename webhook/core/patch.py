"""A Plan as RFC 6902 operations, in an order in which each one applies to what the ones before it left."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from webhook.core.annotations import STATUS
from webhook.core.family import Family
from webhook.core.plan import Plan
from webhook.core.pod import Spec

_encode = msgspec.json.Encoder().encode


def pointer(*parts: str) -> str:
    """Return a JSON pointer (RFC 6901): `~` escaped before `/`, since annotation keys hold slashes."""
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parts)


def encode(plan: Plan, spec: Spec, family: Family) -> bytes | None:
    """Return the patch as JSON bytes, None when there is nothing to do."""
    operations = list(_operations(plan, spec, family))
    return _encode(operations) if operations else None


def _operations(plan: Plan, spec: Spec, family: Family) -> Iterator[Mapping[str, Any]]:
    if plan.volumes:
        yield from _append("/spec/volumes", plan.volumes, has_list=bool(spec.volumes))
    for own in plan.mounts:  # before agents are put in front: indices are still the submitted pod's
        path = f"/spec/{own.member}/{own.index}/volumeMounts"
        yield from _append(path, own.mounts, has_list=own.has_mounts)
    if plan.init_agents:
        if plan.init_first and spec.initContainers:
            for agent in reversed(plan.init_agents):
                yield {"op": "add", "path": "/spec/initContainers/0", "value": agent}
        else:
            yield from _append("/spec/initContainers", plan.init_agents, has_list=bool(spec.initContainers))
    yield from _append("/spec/containers", plan.sidecars, has_list=bool(spec.containers))
    if plan.share_process_namespace:
        yield {"op": "add", "path": "/spec/shareProcessNamespace", "value": True}
    if plan.mark:
        path = pointer("metadata", "annotations", family.prefix + STATUS)
        yield {"op": "add", "path": path, "value": "injected"}


def _append(path: str, items: Sequence[Any], *, has_list: bool) -> Iterator[Mapping[str, Any]]:
    """Yield what adds items to a list; a list that is absent or empty is added once, whole."""
    if has_list:
        for item in items:
            yield {"op": "add", "path": f"{path}/-", "value": item}
    elif items:
        yield {"op": "add", "path": path, "value": items}
