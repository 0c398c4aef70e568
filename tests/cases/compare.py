#!/usr/bin/env python3
"""Compare an injected pod with an expected one, whatever the order of operations.

Input of `normalize`: the pod as submitted and the pod after the webhook's JSON patch was applied, both as
parsed JSON.  Output: a plain dictionary that two conforming implementations share, whatever the order of
their patch operations.  What is free to differ is taken out: the token volume, order inside
sets, numbering of vault-secrets-custom-N, quantities written differently, sizeLimit, seccompProfile, empty
members, and the exact shell text of the pre-stop hook.

Run as a program: compare.py EXPECTED.json ACTUAL.json prints the differences and exits 1 if there are any.
"""

from __future__ import annotations

import base64
import json
import re
import sys
from decimal import Decimal
from typing import Any

AGENTS = ("vault-agent-init", "vault-agent")
API_TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"  # the ServiceAccount plugin leaves a container alone that mounts something here
SUFFIX = {
    "": 1,
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "k": 10**3,
    "M": 10**6,
    "G": 10**9,
    "T": 10**12,
    "P": 10**15,
    "E": 10**18,
    "Ki": 2**10,
    "Mi": 2**20,
    "Gi": 2**30,
    "Ti": 2**40,
    "Pi": 2**50,
    "Ei": 2**60,
}


def quantity(text: Any) -> str:
    """Kubernetes quantity -> canonical decimal text, so that 1024Mi equals 1Gi."""
    parts = re.fullmatch(r"([+-]?[0-9.]+)([A-Za-z]*)([+-]?[0-9]*)", str(text))
    if not parts:
        return str(text)
    number, suffix, exponent = parts.groups()
    if suffix in ("e", "E") and exponent:
        return format((Decimal(number) * Decimal(10) ** int(exponent)).normalize(), "f")
    if suffix not in SUFFIX:
        return str(text)
    return format((Decimal(number) * SUFFIX[suffix]).normalize(), "f")


def prune(value: Any) -> Any:
    """Drop members whose value is null, {} or []: the API server treats them as absent."""
    if isinstance(value, dict):
        pruned = {key: prune(item) for key, item in value.items()}
        return {key: item for key, item in pruned.items() if item not in (None, {}, [])}
    if isinstance(value, list):
        return [prune(item) for item in value]
    return value


def agent_config(container: dict[str, Any]) -> dict[str, Any] | None:
    for variable in container.get("env", []):
        if variable["name"] == "VAULT_CONFIG":
            return json.loads(base64.b64decode(variable["value"]))
    return None


def token_volumes(after: dict[str, Any], added: set[str]) -> set[str]:
    """Names of the added volumes that are nothing but a projected service account token."""
    names = set()
    for volume in after["spec"].get("volumes") or []:
        sources = (volume.get("projected") or {}).get("sources") or []
        if volume["name"] in added and any("serviceAccountToken" in source for source in sources):
            names.add(volume["name"])
    return names


def normalize(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Return the comparable form of `after`; `before` tells which parts were the author's own."""
    old_volumes = {volume["name"] for volume in before["spec"].get("volumes") or []}
    new_volumes = [v for v in after["spec"].get("volumes") or [] if v["name"] not in old_volumes]
    tokens = token_volumes(after, {v["name"] for v in new_volumes})
    default_mounts = {
        (m["name"], m["mountPath"])
        for c in before["spec"].get("containers") or []
        for m in c.get("volumeMounts") or []
        if "serviceaccount" in m["mountPath"]
    }
    custom: dict[str, str] = {}

    def rename(name: str, path: str | None = None) -> str:
        if name.startswith("vault-secrets-custom-"):
            if path is not None:
                custom[name] = "vault-secrets-custom@" + path.rstrip("/")
            return custom.get(name, name)
        return name

    def mounts(container: dict[str, Any], *, is_agent: bool) -> list[dict[str, Any]]:
        kept = []
        for mount in container.get("volumeMounts") or []:
            if mount["name"] in tokens:
                continue
            if is_agent and (
                mount["mountPath"] == API_TOKEN_PATH or (mount["name"], mount["mountPath"]) in default_mounts
            ):
                continue  # the token mount is free to differ
            path = mount["mountPath"].rstrip("/") or "/"
            mount = dict(mount, name=rename(mount["name"], mount["mountPath"]), mountPath=path)
            mount.setdefault("readOnly", False)
            kept.append(prune(mount))
        return sorted(kept, key=lambda m: (m["mountPath"], m["name"]))

    def container(c: dict[str, Any]) -> dict[str, Any]:
        is_agent = c["name"] in AGENTS
        out = {k: v for k, v in c.items() if k not in ("volumeMounts", "env", "lifecycle", "resources")}
        out["volumeMounts"] = mounts(c, is_agent=is_agent)
        out["resources"] = {
            kind: {name: quantity(amount) for name, amount in (amounts or {}).items()}
            for kind, amounts in (c.get("resources") or {}).items()
        }
        env = c.get("env") or []
        if is_agent:
            config = agent_config(c)
            if config is not None:
                auth = config.get("auto_auth") or {}
                if isinstance(auth.get("method"), list) and len(auth["method"]) == 1:
                    auth["method"] = auth["method"][0]  # one method, as a list or as an object
                for sink in auth.get("sink") or []:
                    (sink.get("config") or {}).pop("mode", None)  # the app has another uid than the agent
                method = auth.get("method") or {}
                (method.get("config") or {}).pop("token_path", None)
                ((config.get("cache") or {}).get("persist") or {}).pop("service_account_token_file", None)
                config["template"] = sorted(config.get("template") or [], key=lambda t: t["destination"])
                for name in ("disable_idle_connections", "disable_keep_alives"):
                    config[name] = sorted(config.get(name) or [])
                out["config"] = prune(config)
            env = [{"name": v["name"]} if v["name"] == "VAULT_CONFIG" else v for v in env if v["name"] != "HOME"]
            env = sorted(env, key=lambda v: v["name"])
            security = dict(c.get("securityContext") or {})
            security.pop("seccompProfile", None)
            out["securityContext"] = security
            hook = ((c.get("lifecycle") or {}).get("preStop") or {}).get("exec") or {}
            if hook:
                text = " ".join(hook["command"])
                seconds = (
                    re.search(r"""sleep\s+["']?(\d+)""", text)
                    or ("sleep" in text and re.search(r"(\d+)\s*$", text))
                    or None
                )
                out["preStop"] = {
                    "revokes": "token revoke" in text and "-self" in text,
                    "sleep": seconds[1] if seconds else None,
                }
        out["env"] = env
        return prune(out)

    spec = {k: v for k, v in after["spec"].items() if k not in ("containers", "initContainers", "volumes")}
    containers = [container(c) for c in after["spec"].get("containers") or []]
    inits = [container(c) for c in after["spec"].get("initContainers") or []]
    volumes = {}
    for volume in new_volumes:
        if volume["name"] in tokens:
            continue
        body = {k: v for k, v in volume.items() if k != "name"}
        if "emptyDir" in body:
            body["emptyDir"] = {k: v for k, v in (body["emptyDir"] or {}).items() if k != "sizeLimit"}
        volumes[rename(volume["name"])] = body
    return {
        "annotations": dict(after["metadata"].get("annotations") or {}),
        "labels": dict(after["metadata"].get("labels") or {}),
        "containers": containers,
        "initContainers": inits,
        "volumes": volumes,
        "authorVolumes": sorted(v["name"] for v in after["spec"].get("volumes") or [] if v["name"] in old_volumes),
        "spec": prune(spec),
    }


def differences(expected: Any, actual: Any, path: str = "") -> list[str]:
    """List every place where the two normal forms differ, as 'path: expected X, got Y'."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        found = []
        for key in sorted(expected.keys() | actual.keys()):
            if key not in actual:
                found.append(f"{path}/{key}: expected {json.dumps(expected[key])[:160]}, got nothing")
            elif key not in expected:
                found.append(f"{path}/{key}: expected nothing, got {json.dumps(actual[key])[:160]}")
            else:
                found += differences(expected[key], actual[key], f"{path}/{key}")
        return found
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        found = []
        for index, (left, right) in enumerate(zip(expected, actual)):
            found += differences(left, right, f"{path}/{index}")
        return found
    if expected != actual:
        return [f"{path}: expected {json.dumps(expected)[:160]}, got {json.dumps(actual)[:160]}"]
    return []


if __name__ == "__main__":
    with open(sys.argv[1]) as left, open(sys.argv[2]) as right:
        found = differences(json.load(left), json.load(right))
    print("\n".join(found) or "equal")
    sys.exit(1 if found else 0)
