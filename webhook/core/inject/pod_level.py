"""`spec.resources`, the resources of the pod as a whole: what the agents add must fit into them.

As the API server reckons it: the requests of all containers together are at most the pod's, and the limit of each app container is
at most the pod's. A container without a request has its limit for one.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from webhook.core.annotations.go_values import quantity_value
from webhook.core.annotations.intent import Intent
from webhook.core.pod import Spec
from webhook.core.refusal import Refused, refused
from webhook.reasons import Reason

OURS = frozenset(("cpu", "memory", "ephemeral-storage"))  # resources that agents have amounts of
Amounts = Mapping[str, str | int | float | None]  # by resource, as in the API: {"cpu": "250m", "memory": 67108864}


class Resources(Struct, frozen=True):
    """Requests and limits of a pod or container."""

    requests: Amounts | None = None
    limits: Amounts | None = None


class _Container(Struct, frozen=True):
    restartPolicy: str | None = None  # noqa: N815 as in the API
    resources: Resources | None = None

    @property
    def limits(self) -> Mapping[str, Decimal]:
        limits = (self.resources or _NONE).limits or {}
        return {name: _number(amount) for name, amount in limits.items()}

    @property
    def requests(self) -> Mapping[str, Decimal]:
        """Return its requests; where it has a limit alone, that counts."""
        requests = (self.resources or _NONE).requests or {}
        return {**self.limits, **{name: _number(amount) for name, amount in requests.items()}}


_NONE = Resources()


_resources = msgspec.json.Decoder(Resources | None).decode
_container = msgspec.json.Decoder(_Container).decode


def limited(spec: Spec) -> frozenset[str]:
    """Return those of OURS of which the pod as a whole has an amount, such as {"cpu", "memory"}.

    Raises:
        msgspec.DecodeError: `spec.resources` is of another shape.
    """
    pod = _read(spec.resources)
    return OURS.intersection((*(pod.requests or ()), *(pod.limits or ())))


def refuse_misfit(
    spec: Spec, intent: Intent, inits: Sequence[bytes], sidecars: Sequence[bytes], *, first: bool
) -> None:
    """Refuse agents that do not fit into the pod's own resources; what does not fit without them is for the API server.

    Args:
        spec: the pod's, as submitted.
        intent: what its author asks for.
        inits: agents among the init containers, as JSON.
        sidecars: agents among the containers.
        first: the former go before the pod's own.

    Raises:
        Refused: names the resource of the pod.
        msgspec.DecodeError: resources of a container are of another shape.
    """
    pod = _read(spec.resources)
    if not (pod.requests or pod.limits):
        return
    own_inits = [_Container(own.restartPolicy, _read(own.resources)) for own in spec.initContainers or ()]
    own_apps = [_Container(None, _read(own.resources)) for own in spec.containers or ()]
    agents, apps = [*map(_container, inits)], [*map(_container, sidecars)]
    ordered = [*agents, *own_inits] if first else [*own_inits, *agents]
    most = _most_requested(ordered, [*own_apps, *apps])
    asked = {name for agent in (*agents, *apps) for name, amount in agent.requests.items() if amount}
    for name, whole in (pod.requests or {}).items():
        if name in asked and most[name] > _number(whole):
            problem = f"its containers and the agents ask for {_shown(most[name])}"
            raise _misfit(intent, f"requests.{name}", whole, problem)
    limits = {name: amount for agent in apps for name, amount in agent.limits.items()}  # of the one there may be
    for name, whole in (pod.limits or {}).items():
        limit = limits.get(name, Decimal(0))
        if limit > _number(whole):
            raise _misfit(intent, f"limits.{name}", whole, f"the agent's limit is {_shown(limit)}")


def _most_requested(inits: Iterable[_Container], apps: Iterable[_Container]) -> Mapping[str, Decimal]:
    """Return the most that is asked for at a time: while an init container runs with the sidecars before it, or later."""
    most: dict[str, Decimal] = {}
    staying: defaultdict[str, Decimal] = defaultdict(Decimal)
    for container in inits:
        for name, amount in container.requests.items():
            most[name] = max(most.get(name, amount), staying[name] + amount)
            if container.restartPolicy == "Always":
                staying[name] += amount
    for container in apps:
        for name, amount in container.requests.items():
            staying[name] += amount
    return {name: max(most.get(name, Decimal(0)), staying[name]) for name in {*most, *staying}}


def _read(raw: Raw | UnsetType) -> Resources:
    return (None if raw is UNSET else _resources(raw)) or Resources()


def _number(amount: str | float | None) -> Decimal:
    try:
        return quantity_value(str(amount or 0))
    except ValueError as error:
        raise refused(Reason.POD_INVALID, "resources", str(error), value=str(amount)) from error


def _shown(number: Decimal) -> str:
    return format(number.normalize(), "f")


def _misfit(intent: Intent, field: str, whole: str | float | None, problem: str) -> Refused:
    half, _, resource = field.partition(".")
    key = intent.annotation(f"agent-{half}-{'mem' if resource == 'memory' else resource}")
    return refused(
        Reason.RESOURCES_MISFIT,
        f"spec.resources.{field}",
        problem,
        f"Raise it, or lower the annotation {key}",
        value=str(whole),
    )
