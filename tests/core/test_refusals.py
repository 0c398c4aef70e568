"""Every annotation that does not fit is refused, with the annotation named, in one line a person can act on."""

import pytest

from tests.core.asking import PREFIX, ask, pod_with

BAD_VALUES = [
    ("agent-pre-populate", "yes", "AnnotationInvalid"),
    ("agent-pre-populate", "true\n", "AnnotationInvalid"),
    ("agent-image", "", "AnnotationInvalid"),
    ("agent-request-namespace", "", "AnnotationInvalid"),
    ("agent-limits-cpu", "1,5", "AnnotationInvalid"),
    ("agent-limits-mem", "-1Mi", "AnnotationInvalid"),
    ("agent-init-requests-mem", "x", "AnnotationInvalid"),
    ("agent-run-as-user", "-1", "AnnotationInvalid"),
    ("agent-run-as-user", "2147483648", "AnnotationInvalid"),
    ("agent-run-as-group", "1_000", "AnnotationInvalid"),
    ("agent-run-as-user", "٣", "AnnotationInvalid"),
    ("agent-run-as-user", "9" * 400, "AnnotationInvalid"),
    ("preserve-secret-case", "perhaps", "AnnotationInvalid"),
    ("preserve-secret-case-db", "perhaps", "AnnotationInvalid"),
    ("agent-inject-default-template", "", "AnnotationInvalid"),
    ("agent-inject-default-template", "xml", "AnnotationInvalid"),
    ("agent-inject-perms-db", "rw-r--r--", "AnnotationInvalid"),
    ("agent-inject-perms-db", "0999", "AnnotationInvalid"),
    ("agent-inject-perms-db", "100644", "AnnotationInvalid"),
    ("agent-inject-file-db", "../../etc/passwd", "AnnotationInvalid"),
    ("agent-inject-file-db", "", "AnnotationInvalid"),
    ("agent-inject-file-db", ".", "AnnotationInvalid"),
    ("secret-volume-path", "relative", "AnnotationInvalid"),
    ("secret-volume-path", "/", "AnnotationInvalid"),
    ("secret-volume-path-db", "a/b", "AnnotationInvalid"),
    ("secret-volume-size-limit", "lots", "AnnotationInvalid"),
    ("service", "", "AnnotationInvalid"),
    ("auth-path", "", "AnnotationInvalid"),
    ("auth-type", "", "AnnotationInvalid"),
    ("auth-min-backoff", "-5s", "AnnotationInvalid"),
    ("auth-min-backoff", "5", "AnnotationInvalid"),
    ("auth-max-backoff", "1d", "AnnotationInvalid"),
    ("agent-revoke-grace", "", "AnnotationInvalid"),
    ("agent-revoke-grace", "+5", "AnnotationInvalid"),
    ("agent-cache-listener-port", "0", "AnnotationInvalid"),
    ("agent-cache-listener-port", "65536", "AnnotationInvalid"),
    ("agent-cache-listener-port", "", "AnnotationInvalid"),
    ("agent-cache-use-auto-auth-token", "maybe", "AnnotationInvalid"),
    ("template-static-secret-render-interval", "soon", "AnnotationInvalid"),
    ("client-timeout", "a while", "AnnotationInvalid"),
    ("template-lease-renewal-threshold", "", "AnnotationInvalid"),
    ("template-lease-renewal-threshold", "NaN", "AnnotationInvalid"),
    ("template-lease-renewal-threshold", "inf", "AnnotationInvalid"),
    ("template-lease-renewal-threshold", "1.01", "AnnotationInvalid"),
    ("template-lease-renewal-threshold", "-0.5", "AnnotationInvalid"),
    ("template-max-connections-per-host", "1.5", "AnnotationInvalid"),
    ("agent-disable-idle-connections", "everything", "AnnotationInvalid"),
    ("agent-telemetry-disable-hostname", "perhaps", "AnnotationInvalid"),
    ("agent-telemetry-maximum-gauge-cardinality", "many", "AnnotationInvalid"),
    ("agent-telemetry-prefix-filter", '{"a": 1}', "AnnotationInvalid"),
    ("agent-telemetry-unknown", "[" * 9 + "]" * 9, "AnnotationInvalid"),
    ("agent-telemetry-unknown", '{"a":' * 900 + "1" + "}" * 900, "AnnotationInvalid"),
    ("agent-limits-cpu", "1e999999999", "AnnotationInvalid"),
    ("agent-limits-cpu", "\u0663", "AnnotationInvalid"),
    ("agent-limits-mem", "9" * 100_000, "AnnotationInvalid"),
    ("auth-min-backoff", "1h" * 50_000, "AnnotationInvalid"),
    ("auth-min-backoff", "\u0663s", "AnnotationInvalid"),
    ("agent-telemetry-maximum-gauge-cardinality", "9" * 100_000, "AnnotationInvalid"),
    ("agent-cache-listener-port", "0" * 100_000, "AnnotationInvalid"),
    ("agent-inject-perms-db", "\u0667\u0665\u0665", "AnnotationInvalid"),
    ("agent-json-patch", '[["add"]]', "AnnotationInvalid"),
    ("agent-init-json-patch", '{"op": "add"}', "AnnotationInvalid"),
    ("agent-token-audience", "", "AnnotationInvalid"),
    ("agent-share-process-namespace", "x", "AnnotationInvalid"),
    ("agent-pre-populate-only", "t r u e", "AnnotationInvalid"),
]


@pytest.mark.parametrize(("key", "value", "reason"), BAD_VALUES)
def test_a_value_that_does_not_fit_is_refused_by_name(key, value, reason):
    result = ask(pod_with({"agent-inject-secret-db": "secret/data/db", key: value}))
    assert (result.allowed, result.status["code"], result.reason) == (False, 400, reason)
    assert PREFIX + key in result.message
    assert result.message.endswith(f"({reason})")


@pytest.mark.parametrize(("key", "value"), [row[:2] for row in BAD_VALUES])
def test_a_refusal_is_one_short_line(key, value):
    message = ask(pod_with({"agent-inject-secret-db": "secret/data/db", key: value})).message
    assert message.isprintable()
    assert len(message) <= 300


CONFLICTS = [
    (
        {"agent-pre-populate": "false", "agent-pre-populate-only": "true"},
        "agent-pre-populate-only",
        "AnnotationConflict",
    ),
    ({"agent-inject-secret-Foo": "a", "agent-inject-secret-foo": "b"}, "agent-inject-secret-foo", "AnnotationInvalid"),
    (
        {"agent-inject-secret-a": "a", "agent-inject-secret-b": "b", "agent-inject-file-b": "x/../a"},
        "agent-inject-secret-b",
        "AnnotationInvalid",
    ),
    ({"agent-inject-secret-token": "a", "agent-inject-token": "true"}, "agent-inject-token", "AnnotationConflict"),
    ({"auth-min-backoff": "5m", "auth-max-backoff": "1m"}, "auth-min-backoff", "AnnotationInvalid"),
    ({"auth-min-backoff": "1s", "auth-max-backoff": "1s"}, "auth-min-backoff", "AnnotationInvalid"),
    ({"auth-max-backoff": "1s"}, "auth-min-backoff", "AnnotationInvalid"),
    ({"auth-min-backoff": "5m"}, "auth-min-backoff", "AnnotationInvalid"),
    ({"role": ""}, "role", "RoleMissing"),
    ({"role": None}, "role", "RoleMissing"),
    ({"agent-inject-template-big": "x" * 100_000}, "agent-inject-template", "ConfigTooLarge"),
    (
        {"agent-json-patch": '[{"op":"test","path":"/name","value":"other"}]'},
        "agent-json-patch",
        "ContainerPatchFailed",
    ),
    ({"agent-json-patch": '[{"op":"remove","path":"/ports"}]'}, "agent-json-patch", "ContainerPatchFailed"),
    ({"agent-json-patch": '[{"op":"frobnicate","path":"/name"}]'}, "agent-json-patch", "ContainerPatchFailed"),
    (
        {"agent-json-patch": '[{"op":"replace","path":"/command","value":7}]'},
        "agent-json-patch",
        "ContainerPatchFailed",
    ),
    ({"agent-json-patch": '[{"op":"replace","path":""}]'}, "agent-json-patch", "ContainerPatchFailed"),
    ({"agent-init-json-patch": '[{"op":"add"}]'}, "agent-init-json-patch", "ContainerPatchFailed"),
]


@pytest.mark.parametrize(("annotations", "key", "reason"), CONFLICTS)
def test_annotations_that_do_not_fit_together_are_refused(annotations, key, reason):
    result = ask(pod_with(annotations))
    assert (result.allowed, result.status["code"], result.reason) == (False, 400, reason)
    assert PREFIX + key in result.message
    assert len(result.message) <= 300


def test_the_first_mistake_by_the_tables_order_is_named_whatever_the_pods_order():
    mistakes = {"tls-skip-verify": "x", "agent-init-first": "x", "agent-run-as-user": "x"}
    messages = {ask(pod_with(dict(sorted(mistakes.items(), reverse=backwards)))).message for backwards in (False, True)}
    assert len(messages) == 1
    assert f"{PREFIX}agent-init-first" in messages.pop()


@pytest.mark.parametrize("key", ["agent-json-patch", "agent-init-json-patch"])
def test_a_value_that_may_hold_a_secret_is_not_shown(key):
    result = ask(pod_with({key: "s3cr3t"}))
    assert not result.allowed
    assert "s3cr3t" not in result.message
    assert "***" in result.message


def test_a_hostile_value_is_cleaned_and_cut():
    result = ask(pod_with({"agent-init-first": "a\n\t\x1b[31m\u202e" + "b" * 100_000}))
    assert result.message.isprintable()
    assert len(result.message) <= 300


@pytest.mark.parametrize("namespace", ["kube-system", "kube-public"])
def test_no_agent_in_a_system_namespace(namespace):
    result = ask(pod_with(), namespace=namespace)
    assert (result.status["code"], result.reason) == (403, "SystemNamespace")


OWN = {"name": "vault-secrets", "emptyDir": {}}
POD_CONFLICTS = [
    ({"containers": [{"name": "vault-agent", "image": "x"}]}, {}, "NameTaken", "vault-agent"),
    ({"initContainers": [{"name": "vault-agent-init", "image": "x"}]}, {}, "NameTaken", "vault-agent-init"),
    ({"volumes": [OWN]}, {}, "NameTaken", "vault-secrets"),
    ({"volumes": [{"name": "home-init", "emptyDir": {}}]}, {}, "NameTaken", "home-init"),
    (
        {"containers": [{"name": "app", "volumeMounts": [{"name": "data", "mountPath": "/vault/secrets"}]}]},
        {},
        "MountPathTaken",
        "Mount it elsewhere, or set the annotation vault.hashicorp.com/secret-volume-path.",
    ),
    (
        {"containers": [{"name": "app", "volumeMounts": [{"name": "data", "mountPath": "/vault/secrets/"}]}]},
        {},
        "MountPathTaken",
        "data",
    ),
    (
        {"containers": [{"name": "app", "volumeMounts": [{"name": "data", "mountPath": "//vault/./secrets"}]}]},
        {},
        "MountPathTaken",
        "data",
    ),
    (
        {
            "containers": [
                {"name": "app", "volumeMounts": [{"name": "vault-secrets", "mountPath": "/vault/secrets/"}]}
            ],
            "volumes": [OWN],
        },
        {},
        "NameTaken",
        "Remove volume and mount, they are added",
    ),
    (
        {
            "containers": [{"name": "app", "volumeMounts": [{"name": "vault-secrets", "mountPath": "/mine"}]}],
            "volumes": [OWN],
        },
        {},
        "NameTaken",
        "Rename the pod's volume",
    ),
    ({"shareProcessNamespace": False}, {"agent-share-process-namespace": "true"}, "ProcessNamespaceRefused", "share"),
    ({}, {"agent-run-as-same-user": "true"}, "SameUserUnknown", "same-user"),
    ({"securityContext": {"runAsUser": 0}}, {"agent-run-as-same-user": "true"}, "SameUserUnknown", "same-user"),
    (
        {},
        {"agent-service-account-token-volume-name": "v"},
        "TokenVolumeUnusable",
        'failed to find service account volume "v"',
    ),
    (
        {"volumes": [{"name": "v", "secret": {"secretName": "s"}}]},
        {"agent-service-account-token-volume-name": "v"},
        "TokenVolumeUnusable",
        'failed to find tokenPath for projected volume "v"',
    ),
    (
        {"containers": [{"name": "app", "volumeMounts": [{"name": "v", "mountPath": "/t"}]}]},
        {"agent-service-account-token-volume-name": "v"},
        "TokenVolumeUnusable",
        'failed to find volume "v" in Pod',
    ),
]


@pytest.mark.parametrize(("spec", "annotations", "reason", "named"), POD_CONFLICTS)
def test_a_conflict_with_the_pods_own_parts_is_refused_by_name(spec, annotations, reason, named):
    result = ask(pod_with(annotations, **spec))
    assert (result.status.get("code"), result.reason) == (422, reason), result.message
    assert named in result.message
    assert len(result.message) <= 300


BODYLESS = [
    ({}, "spec"),
    ({"spec": None}, "spec"),
    ({"spec": {}}, "spec.containers"),
    ({"spec": {"containers": None}}, "spec.containers"),
    ({"spec": {"containers": []}}, "spec.containers"),
    ({"spec": {"containers": [], "initContainers": [{"name": "a"}]}}, "spec.containers"),
    ({"spec": {"containers": [None]}}, "spec.containers"),
    ({"spec": {"containers": {}}}, "spec.containers"),
    ({"spec": []}, "spec"),
    ({"spec": {"containers": [{"name": "a"}], "volumes": [None]}}, "spec.volumes"),
    ({"spec": {"containers": [{"name": "a"}], "initContainers": [None]}}, "spec.initContainers"),
    ({"spec": {"containers": [{"name": "a", "volumeMounts": [None]}]}}, "spec.containers"),
]


@pytest.mark.parametrize("settings", [{}, {"AGENT_INJECT_SIDECAR_MODE": "native"}])
@pytest.mark.parametrize(("body", "field"), BODYLESS)
def test_a_pod_that_is_none_is_refused_naming_the_field(body, field, settings):
    pod = {"metadata": pod_with()["metadata"], **body}
    result = ask(pod, settings=settings)
    assert (result.allowed, result.status["code"], result.reason) == (False, 400, "PodInvalid")
    assert field in result.message


@pytest.mark.parametrize("nothing", [None, []])
@pytest.mark.parametrize("settings", [{}, {"AGENT_INJECT_SIDECAR_MODE": "native"}])
@pytest.mark.parametrize("first", ["true", "false"])
def test_lists_that_are_null_or_empty_are_filled(nothing, settings, first):
    spec = {
        "initContainers": nothing,
        "volumes": nothing,
        "containers": [{"name": "app", "volumeMounts": nothing, "env": nothing}],
    }
    result = ask(pod_with({"agent-init-first": first}, **spec), settings=settings)  # the patch is applied here
    assert result.mounts("app").keys() == {"/vault/secrets"}
    assert result.volume("vault-secrets")


def test_more_annotations_than_an_object_may_have_are_refused():
    foreign = pod_with({})
    foreign["metadata"]["annotations"]["example.com/x"] = "x" * 262_144
    for pod in (foreign, pod_with({"agent-inject-template-db": "x" * 262_144}), pod_with({"unknown" * 40_000: "x"})):
        result = ask(pod)
        assert (result.reason, result.status["code"]) == ("AnnotationInvalid", 400)
        assert "more than 262144 bytes of annotations" in result.message
    foreign["metadata"]["annotations"]["example.com/x"] = "x" * 200_000
    assert ask(foreign).allowed
