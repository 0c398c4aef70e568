"""The pods and roles a benchmark asks about: 3.3 KB reviews of a pod with two secrets, all different."""

import json
from collections.abc import Iterator

PODS = 1_000
MOUNT = {"name": "kube-api-access-x", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": True}


def bodies(*, secrets: int = 2, containers: int = 1, roles: int = PODS) -> Iterator[bytes]:
    """Yield PODS reviews of different pods; each names other secrets, and one of so many roles."""
    for number in range(PODS):
        pod = _pod(number, secrets, containers, f"role-{number % roles}")
        request = {
            "uid": f"0d6ee1ba-1f9c-4c0e-a6a4-{number:012d}",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "namespace": "shop",
            "operation": "CREATE",
            "userInfo": {
                "username": "system:serviceaccount:kube-system:replicaset-controller",
                "groups": ["system:authenticated"],
            },
            "object": pod,
            "oldObject": None,
            "dryRun": False,
            "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"},
        }
        review = {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request}
        yield json.dumps(review, separators=(",", ":")).encode()


def _pod(number: int, secrets: int, containers: int, role: str) -> dict[str, object]:
    annotations = {
        "vault.hashicorp.com/agent-inject": "true",
        "vault.hashicorp.com/role": role,
        **{f"vault.hashicorp.com/agent-inject-secret-s{n}": f"secret/data/team-{number}/s{n}" for n in range(secrets)},
        "prometheus.io/scrape": "true",
    }
    return {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {**_metadata(number), "annotations": annotations},
        "spec": {**_spec(), "containers": [_container(n) for n in range(containers)]},
    }


def _metadata(number: int) -> dict[str, object]:
    return {
        "generateName": f"shop-{number}-7d8f9b6c5-",
        "namespace": "shop",
        "labels": {"app.kubernetes.io/name": "shop", "pod-template-hash": "7d8f9b6c5"},
        "ownerReferences": [
            {
                "apiVersion": "apps/v1",
                "kind": "ReplicaSet",
                "name": "shop-7d8f9b6c5",
                "uid": "e3f1c8a2",
                "controller": True,
            }
        ],
        "managedFields": [
            {
                "manager": "kube-controller-manager",
                "operation": "Update",
                "fieldsV1": {"f:metadata": {"f:labels": {}}},
            }
        ],
    }


def _spec() -> dict[str, object]:
    return {
        "serviceAccountName": "shop",
        "serviceAccount": "shop",
        "volumes": [
            {"name": "data", "emptyDir": {}},
            {
                "name": "kube-api-access-x",
                "projected": {
                    "sources": [
                        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
                        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                        {
                            "downwardAPI": {
                                "items": [{"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}]
                            }
                        },
                    ],
                    "defaultMode": 420,
                },
            },
        ],
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "securityContext": {"fsGroup": 2000},
        "schedulerName": "default-scheduler",
        "tolerations": [
            {
                "key": f"node.kubernetes.io/{state}",
                "operator": "Exists",
                "effect": "NoExecute",
                "tolerationSeconds": 300,
            }
            for state in ("not-ready", "unreachable")
        ],
        "priority": 0,
        "enableServiceLinks": True,
        "preemptionPolicy": "PreemptLowerPriority",
    }


def _container(number: int) -> dict[str, object]:
    probe = {"httpGet": {"path": "/healthz", "port": 8080, "scheme": "HTTP"}, "timeoutSeconds": 1, "periodSeconds": 10}
    return {
        "name": f"app{number}",
        "image": "registry.example/shop:3.1.4",
        "ports": [{"containerPort": 8080, "protocol": "TCP"}],
        "env": [{"name": f"SETTING_{n}", "value": f"value-{n}"} for n in range(6)],
        "resources": {"limits": {"cpu": "1", "memory": "256Mi"}, "requests": {"cpu": "100m", "memory": "128Mi"}},
        "volumeMounts": [{"name": "data", "mountPath": "/data"}, MOUNT],
        "livenessProbe": probe,
        "readinessProbe": probe,
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent",
        "securityContext": {"runAsNonRoot": True, "allowPrivilegeEscalation": False},
    }


def bindings(roles: int) -> bytes:
    """Return a document with that many roles, the first of them those of the reviews."""
    role = {
        "bound_service_account_names": ["shop"],
        "bound_service_account_namespaces": ["shop"],
        "audience": "vault",
        "token_policies": ["read"],
    }
    mount = {"path": "kubernetes", "type": "kubernetes", "roles": {f"role-{n}": role for n in range(roles)}}
    policy = {"name": "read", "hcl": 'path "secret/data/*" { capabilities = ["read"] }'}
    document = {
        "apiVersion": "vault-bindings/v1",
        "kind": "BindingSnapshot",
        "auth": [mount],
        "policies": [policy],
        "mounts": [{"path": "secret/", "type": "kv", "options": {"version": "2"}}],
    }
    return json.dumps(document).encode()
