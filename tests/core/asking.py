"""Ask the admission code about a pod, and see what comes of it."""

import base64
import json
from copy import deepcopy

import jsonpatch

from webhook.admit import Admission
from webhook.settings.read import read

VAULT = {"AGENT_INJECT_VAULT_ADDR": "https://vault:8200"}
PREFIX = "vault.hashicorp.com/"
NOW = 1_770_000_000.0


def review(pod, *, namespace="shop", uid="11111111-2222-3333-4444-555555555555", **request):
    whole = {
        "uid": uid,
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "operation": "CREATE",
        "namespace": namespace,
        "object": pod,
        **request,
    }
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": whole}


def pod_with(annotations=None, *, prefix=PREFIX, switch="true", role="shop", **spec):
    """A pod that asks for injection; annotation keys come without prefix."""
    ours = {"agent-inject": switch, "role": role, **(annotations or {})}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": "shop-",
            "annotations": {prefix + key: value for key, value in ours.items() if value is not None},
        },
        "spec": {"serviceAccountName": "shop", "containers": [{"name": "app", "image": "app:1"}], **spec},
    }


class Result:
    """One answer: `allowed`, `reason`, `message`, `warnings`, and the pod after the patch."""

    def __init__(self, pod, answer):
        self.answer = answer
        if answer.error is not None:
            raise answer.error
        body = json.loads(answer.body)["response"]
        self.uid, self.allowed = body["uid"], body["allowed"]
        self.status = body.get("status", {})
        self.reason, self.message = self.status.get("reason"), self.status.get("message", "")
        self.warnings = body.get("warnings", [])
        self.audit = body.get("auditAnnotations", {})
        self.operations = json.loads(base64.b64decode(body["patch"])) if "patch" in body else []
        self.pod = jsonpatch.apply_patch(deepcopy(pod), self.operations)

    def container(self, name):
        spec = self.pod["spec"]
        return next(c for c in [*(spec.get("initContainers") or []), *spec["containers"]] if c["name"] == name)

    def config(self, name="vault-agent"):
        env = {variable["name"]: variable.get("value") for variable in self.container(name)["env"]}
        return json.loads(base64.b64decode(env["VAULT_CONFIG"]))

    def volume(self, name):
        return next((v for v in self.pod["spec"].get("volumes") or [] if v["name"] == name), None)

    def mounts(self, name):
        return {m["mountPath"]: m for m in self.container(name).get("volumeMounts") or []}

    def env(self, name="vault-agent"):
        return {v["name"]: v.get("value", v.get("valueFrom")) for v in self.container(name)["env"]}


def ask(pod, *, settings=None, bindings=None, namespace="shop", now=NOW, **request):
    admission = Admission(read({}, {**VAULT, **(settings or {})}))
    body = json.dumps(review(pod, namespace=namespace, **request)).encode()
    return Result(pod, admission.answer(body, bindings, now))
