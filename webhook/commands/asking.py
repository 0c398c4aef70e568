"""Ask the admission code about a workload's pod, as the API server would ask the server."""

import base64
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any
from uuid import uuid4

from msgspec import Struct

from webhook import yaml_text
from webhook.commands import manifests
from webhook.commands.manifests import Found, Unchecked, Workload

ALLOW, WARN, REFUSED, NOT_CHECKED = DECISIONS = ("allow", "warn", "refused", "not checked")
STAND_IN = "https://vault.example:8200"  # for a Vault address that nobody gave; nobody is asked there


class Reply(Struct, frozen=True, kw_only=True):
    """An AdmissionReview's response, read."""

    allowed: bool
    patch: list[dict[str, Any]]
    reason: str
    message: str
    warnings: list[str]


class Judged(Struct, frozen=True):
    """What came of one template, or why nothing was asked."""

    found: Found
    reply: Reply | None = None  # None: not asked

    @property
    def decision(self) -> str:
        """Return one of DECISIONS."""
        if self.reply is None:
            return NOT_CHECKED
        if not self.reply.allowed:
            return REFUSED
        return WARN if self.messages else ALLOW

    @property
    def messages(self) -> list[str]:
        """Return what there is to say, a refusal first."""
        if isinstance(self.found, Unchecked):
            return [self.found.why]
        reply = self.reply
        refusal = [reply.message] if reply and not reply.allowed else []
        return [*refusal, *(reply.warnings if reply else ()), *self.found.warnings]


def replies(
    sources: Iterable[tuple[str, list[Any]]],
    ask: Callable[[bytes], bytes],
    *,
    namespace: str,
    template_paths: Sequence[str] = (),
) -> Iterator[Judged]:
    """Ask about every pod template, and say what could not be asked about.

    Args:
        sources: name and documents of each file.
        ask: a review's body to the answer's.
        namespace: of objects that name none.
        template_paths: as in `manifests.found`.

    Raises:
        ManifestError: a document cannot be used.
    """
    for source, documents in sources:
        for item in manifests.found(source, documents, namespace=namespace, template_paths=template_paths):
            yield Judged(item, reply_of(ask(review_of(item))) if isinstance(item, Workload) else None)


def review_of(workload: Workload, *, uid: str | None = None) -> bytes:
    """Return the AdmissionReview with which the API server would announce the workload's pod."""
    template = yaml_text.plain(workload.template)
    metadata = template.get("metadata") or {}
    if isinstance(metadata, dict):  # else the answer is that it is none
        metadata = {**metadata, "namespace": workload.namespace}
        if workload.kind != "Pod":
            metadata.setdefault("generateName", f"{workload.name}-")
    pod = {**template, "apiVersion": "v1", "kind": "Pod", "metadata": metadata}
    request = {
        "uid": uid or str(uuid4()),
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "namespace": workload.namespace,
        "operation": "CREATE",
        "object": pod,
    }
    return json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}).encode()


def reply_of(body: bytes) -> Reply:
    """Read a review with a response; an answer without one, which what we send does not get, is a refusal."""
    answer: Mapping[str, Any] = json.loads(body)
    if "response" not in answer:
        return Reply(allowed=False, patch=[], reason="", message=str(answer.get("error", "no review")), warnings=[])
    response = answer["response"]
    status = response.get("status") or {}
    patch = response.get("patch")
    return Reply(
        allowed=response["allowed"],
        patch=json.loads(base64.b64decode(patch)) if patch else [],
        reason=status.get("reason", ""),
        message=status.get("message", ""),
        warnings=response.get("warnings") or [],
    )
