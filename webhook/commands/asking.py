"""Ask the admission code about a workload's pod, as the API server would ask the server."""

import base64
import json
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from msgspec import Struct

from webhook import yaml_text
from webhook.commands.manifests import Workload


class Reply(Struct, frozen=True, kw_only=True):
    """An AdmissionReview's response, read."""

    allowed: bool
    patch: list[dict[str, Any]]
    reason: str
    message: str
    warnings: list[str]


def review_of(workload: Workload, *, uid: str | None = None) -> bytes:
    """Return the AdmissionReview with which the API server would announce the workload's pod."""
    template = yaml_text.plain(workload.template)
    metadata = dict(template.get("metadata") or {})
    if workload.kind != "Pod":
        metadata.setdefault("generateName", f"{workload.name}-")
    pod = {"apiVersion": "v1", "kind": "Pod", **template, "metadata": {**metadata, "namespace": workload.namespace}}
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
    """Read a review with a response."""
    response: Mapping[str, Any] = json.loads(body)["response"]
    status = response.get("status") or {}
    patch = response.get("patch")
    return Reply(
        allowed=response["allowed"],
        patch=json.loads(base64.b64decode(patch)) if patch else [],
        reason=status.get("reason", ""),
        message=status.get("message", ""),
        warnings=response.get("warnings") or [],
    )
