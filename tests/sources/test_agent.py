"""The login that the agents of a pod will try, read from its annotations and from what is injected."""

import base64
import json

import pytest

from tests.core.asking import PREFIX, ask, pod_with
from webhook.core.inject.names import TOKEN_PATH
from webhook.rolecheck.bindings.load import Snapshot, load
from webhook.yaml_text import documents

ROLE = {"bound_service_account_names": ["shop"], "bound_service_account_namespaces": ["shop"]}


def snapshot(**members) -> Snapshot:
    auth = {"path": "kubernetes", "type": "kubernetes", "roles": {"shop": ROLE | {"audience": "pinned"}}}
    document = {"apiVersion": "vault-bindings/v1", "kind": "BindingSnapshot", "auth": [auth]} | members
    return load(json.dumps(document).encode(), documents)


class TestTheAudienceARolePins:
    @pytest.mark.parametrize(
        ("annotations", "audience"),
        [
            ({}, "pinned"),
            ({"service": "https://vault:8200/"}, "pinned"),
            ({"service": "https://other-vault:8200"}, "vault"),
            ({"service": "http://vault:8200"}, "vault"),
            ({"auth-path": "auth/other"}, "vault"),
            ({"namespace": "team-a"}, "vault"),
            ({"role": "nobody"}, "vault"),
        ],
    )
    def test_it_is_that_of_the_role_of_this_server(self, annotations, audience):
        known = snapshot(server={"address": "https://vault:8200"}, complete={"auth": False})
        settings = {
            "AGENT_INJECT_BINDINGS": "given",
            "AGENT_INJECT_BINDING_CHECK": "warn",
            "AGENT_INJECT_TOKEN_AUDIENCE": "auto",
        }
        result = ask(pod_with(annotations), bindings=known, settings=settings)
        [volume] = [volume for volume in result.pod["spec"]["volumes"] if volume["name"] == "vault-agent-token"]
        assert volume["projected"]["sources"][0]["serviceAccountToken"]["audience"] == audience

    @pytest.mark.parametrize(
        "pinned",
        ["https://kubernetes.default.svc", "https://kubernetes.default.svc.cluster.local/", "https://issuer/1"],
    )
    def test_one_that_opens_the_api_server_is_never_taken(self, pinned):
        role = ROLE | {"audience": pinned}
        known = snapshot(auth=[{"path": "kubernetes", "type": "kubernetes", "roles": {"shop": role}}])
        settings = {
            "AGENT_INJECT_BINDINGS": "given",
            "AGENT_INJECT_BINDING_CHECK": "warn",
            "AGENT_INJECT_TOKEN_AUDIENCE": "auto",
            "AGENT_INJECT_CLUSTER_ISSUER": "https://issuer/1",
        }
        result = ask(pod_with(), bindings=known, settings=settings)
        [volume] = [volume for volume in result.pod["spec"]["volumes"] if volume["name"] == "vault-agent-token"]
        assert volume["projected"]["sources"][0]["serviceAccountToken"]["audience"] == "vault"


def patched(*operations, init=(), role="shop"):
    patches = {"agent-json-patch": operations, "agent-init-json-patch": init}
    return pod_with({key: json.dumps(value) for key, value in patches.items() if value}, role=role)


def config(*changes, **members):
    """The configuration an author may write; each change sets a member of the method, or of its config."""
    method = {"type": "kubernetes", "mount_path": "auth/kubernetes", "config": {"role": "shop"}, **dict(changes)}
    return {"auto_auth": {"method": method}, "vault": {"address": "https://vault:8200"}, **members}


def encoded(document):
    text = document if isinstance(document, str) else json.dumps(document)
    return base64.b64encode(text.encode()).decode()


def variable(name, value):
    return {"op": "add", "path": "/env/-", "value": {"name": name, "value": value}}


def first(name, value):
    return {"op": "add", "path": "/env/0", "value": {"name": name, "value": value}}


def judged(pod, **settings):
    roles = {
        "shop": ROLE | {"audience": "vault"},
        "admin": {"bound_service_account_names": ["admin"], "bound_service_account_namespaces": ["admin"]},
    }
    auth = [
        {"path": path, "namespace": namespace, "type": "kubernetes", "roles": roles if role is None else {"shop": role}}
        for path, namespace, role in (("kubernetes", "", None), ("kubernetes", "admin", roles["admin"]))
    ]
    known = snapshot(auth=auth, server={"address": "https://vault:8200"})
    return ask(pod, bindings=known, settings={"AGENT_INJECT_BINDINGS": "given", **settings})


def with_own_token(mount):
    """A pod whose agents log in with the app's own token at /own/token; a patch mounts something else besides."""
    tokens = [
        {"name": name, "projected": {"sources": [{"serviceAccountToken": {"path": "token", "audience": audience}}]}}
        for name, audience in (("own", "vault"), ("other", "elsewhere"))
    ]
    own = {"name": "app", "image": "app:1", "volumeMounts": [{"name": "own", "mountPath": "/own"}]}
    annotations = {"agent-copy-volume-mounts": "app", "auth-config-token-path": "/own/token"}
    if mount:
        annotations["agent-json-patch"] = json.dumps([{"op": "add", "path": "/volumeMounts/-", "value": mount}])
    volumes = [*tokens, {"name": "secret", "secret": {"secretName": "x"}}]
    return pod_with(annotations, containers=[own], volumes=volumes)


PLAIN = encoded(config())
AS_ADMIN = encoded(config(("config", {"role": "admin"})))
OTHER_COMMAND = {"op": "replace", "path": "/args", "value": ["vault agent -config=/tmp/mine.hcl"]}
UNSEEN = ("AgentConfigNotInspected",)


class TestPatchedAgents:
    """Every agent is judged as its container will log in, and the worst login counts."""

    @pytest.mark.parametrize(
        ("change", "where"),
        [
            ([variable("VAULT_CONFIG", AS_ADMIN)], "agent-json-patch"),
            ([first("BAO_CONFIG", PLAIN), variable("VAULT_CONFIG", AS_ADMIN)], "agent-json-patch"),
            ([first("VAULT_CONFIG", PLAIN), variable("VAULT_CONFIG", AS_ADMIN)], "agent-json-patch"),
            ([variable("VAULT_NAMESPACE", "admin")], "agent-json-patch"),
            ([variable("VAULT_NAMESPACE", ""), variable("VAULT_NAMESPACE", "admin/")], "agent-json-patch"),
            ([variable("VAULT_CONFIG", encoded(config(("namespace", "admin"))))], "agent-json-patch"),
            ([variable("VAULT_CONFIG", encoded(config(("mount_path", "admin/auth/kubernetes"))))], "agent-json-patch"),
        ],
    )
    @pytest.mark.parametrize("mode", ["classic", "native"])
    def test_a_login_that_the_role_refuses_is_refused(self, change, where, mode):
        result = judged(patched(*change), AGENT_INJECT_SIDECAR_MODE=mode)
        assert (result.reason, result.status["code"]) == ("ServiceAccountNotBound", 403)
        assert result.message.startswith(f"vault.hashicorp.com/{where}: ")
        if mode == "classic":
            result = judged(patched(init=change))
            assert result.reason == "ServiceAccountNotBound"
            assert result.message.startswith("vault.hashicorp.com/agent-init-json-patch: ")

    @pytest.mark.parametrize(
        "pod",
        [
            patched(variable("VAULT_CONFIG", AS_ADMIN), init=[variable("VAULT_CONFIG", PLAIN)]),
            patched(variable("VAULT_CONFIG", PLAIN), init=[variable("VAULT_CONFIG", AS_ADMIN)]),
            patched(OTHER_COMMAND, init=[variable("VAULT_CONFIG", AS_ADMIN)]),
            patched(OTHER_COMMAND, role="admin"),
        ],
    )
    def test_the_worst_login_counts(self, pod):
        assert judged(pod).reason == "ServiceAccountNotBound"

    def test_a_decoy_that_the_script_does_not_read_counts_for_nothing(self):
        result = judged(patched(first("BAO_CONFIG", AS_ADMIN), first("VAULT_CONFIG", AS_ADMIN)))
        assert (result.allowed, result.answer.outcome.findings) == (True, ())

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ([variable("VAULT_CONFIG", encoded(config(("mount_path", "auth/x/../kubernetes"))))], "AuthMountUnknown"),
            ([variable("VAULT_CONFIG", encoded(config(("type", "approle"))))], "AuthTypeMismatch"),
            ([variable("VAULT_CONFIG", encoded(config(("config", {}))))], "RoleMissing"),
        ],
    )
    def test_other_reasons(self, change, reason):
        assert judged(patched(*change)).reason == reason

    def test_another_server_is_not_that_of_the_data(self):
        result = judged(patched(variable("VAULT_ADDR", "https://other:8200")))
        assert result.answer.outcome.findings == ("ServerNotCovered",)

    @pytest.mark.parametrize(
        "change",
        [
            [OTHER_COMMAND],
            [{"op": "replace", "path": "/command", "value": ["/bin/sh", "-c"]}],
            [{"op": "add", "path": "/args/-", "value": "-namespace=admin"}],
            [{"op": "remove", "path": "/args"}],
            [{"op": "add", "path": "/envFrom", "value": [{"configMapRef": {"name": "x"}}]}],
            [
                {
                    "op": "add",
                    "path": "/env/-",
                    "value": {"name": "VAULT_CONFIG", "valueFrom": {"secretKeyRef": {"name": "x"}}},
                }
            ],
            [{"op": "add", "path": "/env/-", "value": {"name": "VAULT_NAMESPACE", "valueFrom": {"fieldRef": {}}}}],
            [variable("VAULT_CONFIG", "$(OTHER)")],
            [variable("VAULT_NAMESPACE", "$(NAMESPACE)")],
            [variable("VAULT_AGENT_ADDR", "https://other:8200")],
            [variable("VAULT_HTTP_PROXY", "http://other")],
            [variable("PATH", "/vault/secrets")],
            [variable("LD_PRELOAD", "/vault/secrets/x.so")],
            [variable("HOME", "/tmp")],
            [variable("VAULT_CONFIG", "not base64")],
            [variable("VAULT_CONFIG", "")],
            [variable("VAULT_CONFIG", encoded('auto_auth { method { type = "kubernetes" } }'))],
            [variable("VAULT_CONFIG", encoded("[]"))],
            [variable("VAULT_CONFIG", encoded("[" * 50_000))],
            [variable("VAULT_CONFIG", encoded(json.dumps(config()).replace('"role"', '"role": "admin", "role"')))],
            [
                variable(
                    "VAULT_CONFIG", encoded(json.dumps(config()).replace('"type"', '"MOUNT_PATH": "auth/x", "type"'))
                )
            ],
            [variable("VAULT_CONFIG", encoded(json.dumps(config()).replace("mount_path", "Mount_Path")))],
            [variable("VAULT_CONFIG", encoded(config(("config", {"role": 7}))))],
            [variable("VAULT_CONFIG", encoded(config(("config", [{"role": "admin"}]))))],
            [variable("VAULT_CONFIG", encoded(config(vault={"address": "https://vault:8200", "namespace": "admin"})))],
            [variable("VAULT_CONFIG", encoded(config(vault=[])))],
            [{"op": "add", "path": "/lifecycle/postStart", "value": {"exec": {"command": ["id"]}}}],
            [{"op": "add", "path": "/livenessProbe", "value": {"exec": {"command": ["id"]}}}],
            *[
                [{"op": "add", "path": "/volumeMounts/-", "value": {"name": "app", "mountPath": path}}]
                for path in ("/bin", "/usr/bin/", "/home/vault/config.json", "/etc/../bin", "/", "/etc", "/lib/x")
            ],
            [{"op": "replace", "path": "/volumeMounts/0/name", "value": "app"}],
        ],
    )
    def test_what_cannot_be_known_says_so(self, change):
        sidecar = judged(patched(*change))
        assert (sidecar.allowed, sidecar.answer.outcome.findings) == (True, UNSEEN)
        if "lifecycle" not in str(change):
            init = judged(patched(init=change))
            assert (init.allowed, init.answer.outcome.findings) == (True, UNSEEN)

    @pytest.mark.parametrize(
        "change",
        [
            [variable("TZ", "Europe/Berlin"), variable("VAULT_LOG_LEVEL", "debug"), variable("BAO_ADDR", "https://x")],
            [{"op": "replace", "path": "/image", "value": "mirror/vault:1"}],
            [{"op": "add", "path": "/readinessProbe", "value": {"httpGet": {"port": 8200}}}],
            [{"op": "add", "path": "/resources/limits/cpu", "value": "1"}],
            [{"op": "add", "path": "/volumeMounts/-", "value": {"name": "app", "mountPath": "/etc/ssl/certs"}}],
            [variable("VAULT_CONFIG", PLAIN)],
        ],
    )
    def test_what_changes_no_login_is_no_other_login(self, change):
        result = judged(patched(*change, init=change))
        assert (result.allowed, result.answer.outcome.findings) == (True, ())

    def test_another_token_in_the_place_of_ours_has_an_audience_we_do_not_know(self):
        swap = {"op": "add", "path": "/volumeMounts/-", "value": {"name": "app", "mountPath": f"{TOKEN_PATH}/token"}}
        assert judged(patched(swap)).answer.outcome.findings == ("AudienceUndecidable",)

    @pytest.mark.parametrize(
        ("mount", "findings"),
        [
            (None, ()),
            ({"name": "other", "mountPath": "/elsewhere"}, ()),
            ({"name": "other", "mountPath": "/own/"}, ("AudienceUndecidable",)),
            ({"name": "other", "mountPath": "/x/../own"}, ("AudienceUndecidable",)),
            ({"name": "secret", "mountPath": "/own/token", "subPath": "token"}, ("AudienceUndecidable",)),
        ],
    )
    def test_a_mount_over_the_token_that_annotations_name_hides_it(self, mount, findings):
        result = judged(with_own_token(mount))
        assert (result.allowed, result.answer.outcome.findings) == (True, findings)

    def test_another_token_at_the_place_that_annotations_name_is_the_one_judged(self):
        result = judged(with_own_token({"name": "other", "mountPath": "/own/token", "subPath": "token"}))
        assert result.reason == "AudienceMismatch"

    @pytest.mark.parametrize(("change", "findings"), [(variable("X", "y"), ()), (OTHER_COMMAND, UNSEEN)])
    def test_the_second_round_finds_what_the_first_found(self, change, findings):
        first_round = judged(patched(change))
        assert first_round.answer.outcome.findings == findings
        assert judged(first_round.pod).answer.outcome.findings == findings

    def test_with_the_check_off_nothing_is_missed(self):
        pod = patched(OTHER_COMMAND)
        assert judged(pod, AGENT_INJECT_BINDING_CHECK="off").answer.outcome.findings == ()

    def test_a_configuration_from_a_configmap_is_not_seen(self):
        assert judged(pod_with({"agent-configmap": "mine"})).answer.outcome.findings == UNSEEN


class TestAgentsThatAPodBrings:
    """Whoever writes the agents into the pod is judged by what these do, whether or not the pod is marked as injected."""

    @staticmethod
    def brought(member, *, marked, mode="classic", **members):
        pod = judged(pod_with(), AGENT_INJECT_SIDECAR_MODE=mode).pod
        if not marked:
            del pod["metadata"]["annotations"][PREFIX + "agent-inject-status"]
        agent = next(c for c in pod["spec"][member] if c["name"].startswith("vault-agent"))
        agent |= members
        return judged(pod, AGENT_INJECT_SIDECAR_MODE=mode)

    @pytest.mark.parametrize(
        ("member", "mode"), [("containers", "classic"), ("initContainers", "classic"), ("initContainers", "native")]
    )
    @pytest.mark.parametrize("marked", [True, False])
    def test_each_is_read_as_it_is(self, member, mode, marked):
        env = [{"name": "VAULT_CONFIG", "value": AS_ADMIN}]
        result = self.brought(member, marked=marked, mode=mode, env=env)
        assert result.reason == "ServiceAccountNotBound"
        assert result.message.startswith("container vault-agent")

    @pytest.mark.parametrize("members", [{"args": ["id"]}, {"envFrom": [{"secretRef": {"name": "x"}}]}])
    @pytest.mark.parametrize("marked", [True, False])
    def test_what_cannot_be_read_says_so(self, members, marked):
        assert self.brought("containers", marked=marked, **members).answer.outcome.findings == UNSEEN

    @pytest.mark.parametrize("mode", ["classic", "native"])
    def test_our_own_are_as_before(self, mode):
        result = self.brought("initContainers", marked=True, mode=mode)
        assert (result.allowed, result.operations, result.answer.outcome.findings) == (True, [], ())


@pytest.mark.parametrize("path", ["auth/x/../kubernetes", "./auth/kubernetes", "auth/kubernetes/.."])
def test_an_auth_path_with_dots_is_refused_with_or_without_roles(path):
    result = ask(pod_with({"auth-path": path}))
    assert (result.reason, result.status["code"]) == ("AnnotationInvalid", 400)
    assert path in result.message
