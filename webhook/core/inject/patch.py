"""A Plan as RFC 6902 operations, in an order in which each one applies to what the ones before it left."""

from collections.abc import Sequence

from webhook.core.annotations.family import FAMILIES, STATUS, STATUS_INJECTED, Family
from webhook.core.inject.plan import Plan
from webhook.core.pod import Spec


def pointer(*parts: str) -> str:
    """Return a JSON pointer (RFC 6901): `~` escaped before `/`, since annotation keys hold slashes."""
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parts)


def encode(plan: Plan, spec: Spec, family: Family) -> bytes | None:
    """Return the patch as JSON bytes, None when there is nothing to do."""
    operations = _operations(plan, spec, family)
    return b"[%b]" % b",".join(operations) if operations else None


def _operations(plan: Plan, spec: Spec, family: Family) -> list[bytes]:
    operations = _append("/spec/volumes", plan.volumes, has_list=bool(spec.volumes))
    for own in plan.mounts:  # before agents are put in front: indices are still the submitted pod's
        path = f"/spec/{own.member}/{own.index}/volumeMounts"
        operations += _append(path, own.mounts, has_list=own.has_mounts)
    if plan.init_first and spec.initContainers:
        operations += [_add("/spec/initContainers/0", agent) for agent in reversed(plan.init_agents)]
    else:
        operations += _append("/spec/initContainers", plan.init_agents, has_list=bool(spec.initContainers))
    operations += _append("/spec/containers", plan.sidecars, has_list=bool(spec.containers))
    if plan.share_process_namespace:
        operations.append(_add("/spec/shareProcessNamespace", b"true"))
    if plan.mark:
        operations.append(_MARKS[family.prefix])
    return operations


def _append(path: str, items: Sequence[bytes], *, has_list: bool) -> list[bytes]:
    """Return what adds items to a list; a list that is absent or empty is added once, whole."""
    if has_list:
        path += "/-"
        return [_add(path, item) for item in items]
    return [_add(path, b"[%b]" % b",".join(items))] if items else []


def _add(path: str, value: bytes) -> bytes:
    """Return an operation; the paths are ours and plain ASCII."""
    return b"".join((b'{"op":"add","path":"', path.encode(), b'","value":', value, b"}"))


_MARKS = {
    family.prefix: _add(
        pointer("metadata", "annotations", family.own_prefix + STATUS), b'"%b"' % STATUS_INJECTED.encode()
    )
    for family in FAMILIES
}
