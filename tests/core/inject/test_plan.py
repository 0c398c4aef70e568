"""What is added to which pod: shapes of agents, placement, mounts, tokens, users, volumes."""

import pytest

from tests.core.asking import ask, pod_with

NATIVE = {"AGENT_INJECT_SIDECAR_MODE": "native"}
API_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
OUR_PATH = "/var/run/secrets/vault.hashicorp.com/serviceaccount"
SECRET = {"agent-inject-secret-db": "secret/data/db"}


def names(result, member):
    return [container["name"] for container in result.pod["spec"].get(member) or []]


@pytest.mark.parametrize(
    ("settings", "annotations", "spec", "inits", "containers"),
    [
        ({}, {}, {}, ["own", "vault-agent-init"], ["app", "vault-agent"]),
        ({}, {"agent-init-first": "true"}, {}, ["vault-agent-init", "own"], ["app", "vault-agent"]),
        ({}, {"agent-pre-populate-only": "true"}, {}, ["own", "vault-agent-init"], ["app"]),
        ({}, {"agent-pre-populate": "false"}, {}, ["own"], ["app", "vault-agent"]),
        (NATIVE, {}, {}, ["vault-agent", "own"], ["app"]),
        (NATIVE, {"agent-pre-populate": "false"}, {}, ["vault-agent", "own"], ["app"]),
        (NATIVE, {"agent-pre-populate-only": "true"}, {}, ["vault-agent-init", "own"], ["app"]),
        (NATIVE, {"agent-configmap": "c"}, {}, ["vault-agent-init", "vault-agent", "own"], ["app"]),
        (NATIVE, {}, {"restartPolicy": "Never"}, ["vault-agent-init", "vault-agent", "own"], ["app"]),
    ],
)
def test_which_agents_a_pod_gets_and_where(settings, annotations, spec, inits, containers):
    result = ask(pod_with({**SECRET, **annotations}, initContainers=[{"name": "own"}], **spec), settings=settings)
    assert (names(result, "initContainers"), names(result, "containers")) == (inits, containers)


def test_a_native_agent_holds_the_app_back_until_every_file_is_there():
    result = ask(pod_with({**SECRET, "agent-inject-secret-api key": "x"}), settings=NATIVE)
    agent = result.container("vault-agent")
    assert agent["restartPolicy"] == "Always"
    assert agent["startupProbe"]["exec"]["command"][-2:] == ["/vault/secrets/api key", "/vault/secrets/db"]


@pytest.mark.parametrize(
    ("annotations", "spec"),
    [({"agent-pre-populate": "false"}, {}), ({"agent-configmap": "c"}, {}), ({}, {"restartPolicy": "Never"})],
)
def test_a_native_agent_that_cannot_hold_the_app_back_has_no_probe(annotations, spec):
    result = ask(pod_with({**SECRET, **annotations}, **spec), settings=NATIVE)
    assert "startupProbe" not in result.container("vault-agent")


def test_without_files_the_probe_waits_for_the_login():
    result = ask(pod_with(), settings=NATIVE)
    assert result.container("vault-agent")["startupProbe"]["exec"]["command"][-1] == "/home/vault/.vault-token"


@pytest.mark.parametrize(
    ("annotations", "settings", "expected"),
    [
        ({}, {}, ("30s", False)),
        ({"auth-max-backoff": "5s"}, {}, ("5s", False)),
        ({"auth-min-backoff": "29s"}, {}, ("30s", False)),
        ({"auth-min-backoff": "45s"}, {}, (None, False)),  # the agent wants less than the most; its own most is 5m
        ({"template-config-exit-on-retry-failure": "true"}, {}, ("30s", True)),
        ({}, {"AGENT_INJECT_AUTH_MAX_BACKOFF": "2m"}, ("2m", False)),
    ],
)
def test_a_native_agent_retries_unless_told_otherwise(annotations, settings, expected):
    config = ask(pod_with(annotations), settings={**NATIVE, **settings}).config()
    found = (config["auto_auth"]["method"].get("max_backoff"), config["template_config"]["exit_on_retry_failure"])
    assert found == expected
    assert "exit_on_err" not in config["auto_auth"]["method"]


def test_a_native_agent_revokes_after_the_app_has_ended_not_before():
    result = ask(pod_with({"agent-revoke-on-shutdown": "true"}), settings=NATIVE)
    agent = result.container("vault-agent")
    assert "lifecycle" not in agent
    script, _name, *flags = agent["args"]
    assert "trap 'kill $! || :; wait $! || :; HOME=/home/vault vault token revoke" in script
    assert flags == ["-address=https://vault:8200"]


def test_revocation_conveys_all_of_the_connection():
    result = ask(
        pod_with(
            {
                "agent-revoke-on-shutdown": "true",
                "agent-revoke-grace": "01",
                "namespace": "a b",
                "ca-key": "/ca",
                "tls-server-name": "$(x)",
                "tls-skip-verify": "true",
            }
        )
    )
    command = result.container("vault-agent")["lifecycle"]["preStop"]["exec"]["command"]
    assert command == [
        "/bin/sh",
        "-c",
        '/bin/sleep 1 && HOME=/home/vault vault token revoke "$@" -self',
        "vault-agent",
        "-address=https://vault:8200",
        "-namespace=a b",
        "-ca-path=/ca",
        "-tls-server-name=$(x)",
        "-tls-skip-verify",
    ]


class TestToken:
    def test_only_agents_get_it_and_nothing_else_can_stand_in_its_place(self):
        result = ask(pod_with(SECRET, initContainers=[{"name": "own"}]))
        source = result.volume("vault-agent-token")["projected"]["sources"]
        assert source == [{"serviceAccountToken": {"audience": "vault", "expirationSeconds": 3600, "path": "token"}}]
        for agent in ("vault-agent", "vault-agent-init"):
            mounts = result.mounts(agent)
            assert mounts[API_PATH] == {"name": "vault-agent-token", "mountPath": API_PATH, "readOnly": True}
            assert mounts[OUR_PATH]["name"] == "vault-agent-token"
        for own in ("app", "own"):
            assert set(result.mounts(own)) == {"/vault/secrets"}

    def test_a_taken_name_gives_way(self):
        volumes = [{"name": "vault-agent-token", "emptyDir": {}}, {"name": "vault-agent-token-1", "emptyDir": {}}]
        result = ask(pod_with(volumes=volumes))
        assert result.volume("vault-agent-token-2")["projected"]

    @pytest.mark.parametrize(
        ("annotations", "settings", "audience"),
        [
            ({}, {"AGENT_INJECT_TOKEN_AUDIENCE": "bao"}, "bao"),
            ({"agent-token-audience": "mine"}, {"AGENT_INJECT_TOKEN_AUDIENCE": "bao"}, "mine"),
            ({"agent-token-audience": "auto"}, {}, "vault"),
        ],
    )
    def test_whose_audience_it_carries(self, annotations, settings, audience):
        result = ask(pod_with(annotations), settings=settings)
        source = result.volume("vault-agent-token")["projected"]["sources"][0]["serviceAccountToken"]
        assert source["audience"] == audience

    def test_a_named_volume_is_used_as_it_is_and_keeps_the_api_token_out(self):
        volume = {"name": "mine", "projected": {"sources": [{"serviceAccountToken": {"audience": "a", "path": "t"}}]}}
        app = {
            "name": "app",
            "volumeMounts": [
                {"name": "mine", "mountPath": "/sub", "subPath": "x"},
                {"name": "mine", "mountPath": "/tok"},
            ],
        }
        result = ask(pod_with({"agent-service-account-token-volume-name": "mine"}, volumes=[volume], containers=[app]))
        assert result.volume("vault-agent-token") is None
        assert result.mounts("vault-agent")["/tok"]["name"] == result.mounts("vault-agent")[API_PATH]["name"] == "mine"
        assert result.config()["auto_auth"]["method"]["config"]["token_path"] == "/tok/t"

    def test_jwt_reads_it_by_default(self):
        config = ask(pod_with({"auth-type": "jwt", "auth-path": "auth/jwt"})).config()
        method = config["auto_auth"]["method"]["config"]
        assert (method["path"], method["remove_jwt_after_reading"]) == (f"{OUR_PATH}/token", "false")
        assert "token_path" not in method


class TestMounts:
    def test_the_filter_is_trimmed_and_spares_init_containers(self):
        spec = {"containers": [{"name": "app"}, {"name": "web"}], "initContainers": [{"name": "own"}]}
        result = ask(pod_with({"agent-inject-containers": " web ,, "}, **spec))
        assert set(result.mounts("web")) == set(result.mounts("own")) == {"/vault/secrets"}
        assert result.mounts("app") == {}

    def test_an_empty_filter_is_no_container(self):
        assert ask(pod_with({"agent-inject-containers": ""})).mounts("app") == {}

    def test_without_pre_population_only_native_sidecars_among_init_containers_see_secrets(self):
        inits = [{"name": "plain"}, {"name": "stays", "restartPolicy": "Always"}]
        result = ask(pod_with({"agent-pre-populate": "false"}, initContainers=inits))
        assert result.mounts("plain") == {}
        assert set(result.mounts("stays")) == {"/vault/secrets"}

    def test_read_only_for_the_app_alone(self):
        result = ask(pod_with({"secret-volume-read-only": "true"}, initContainers=[{"name": "own"}]))
        assert result.mounts("app")["/vault/secrets"]["readOnly"] is True
        assert result.mounts("own")["/vault/secrets"]["readOnly"] is True
        assert "readOnly" not in result.mounts("vault-agent")["/vault/secrets"]

    def test_the_authors_own_mount_of_our_volume_counts(self):
        app = {
            "name": "app",
            "volumeMounts": [{"name": "vault-secrets", "mountPath": "/vault/secrets", "readOnly": True}],
        }
        result = ask(pod_with(containers=[app]))
        assert result.container("app")["volumeMounts"] == app["volumeMounts"]

    def test_copied_mounts_leave_tokens_and_taken_paths_out(self):
        projected = {"sources": [{"serviceAccountToken": {"path": "t"}}]}
        app = {
            "name": "app",
            "volumeMounts": [
                {"name": "data", "mountPath": "/data", "subPath": "a", "mountPropagation": "None"},
                {"name": "data", "mountPath": "/etc/ServiceAccounts"},
                {"name": "tok", "mountPath": "/tok"},
                {"name": "data", "mountPath": "/vault/tls/"},
            ],
        }
        volumes = [{"name": "data", "emptyDir": {}}, {"name": "tok", "projected": projected}]
        annotations = {"agent-copy-volume-mounts": "app", "tls-secret": "tls"}
        mounts = ask(pod_with(annotations, containers=[app], volumes=volumes)).mounts("vault-agent")
        assert mounts["/data"] == app["volumeMounts"][0]
        assert mounts["/vault/tls"]["name"] == "vault-tls-secrets"
        assert not {"/etc/ServiceAccounts", "/tok", "/vault/tls/"} & set(mounts)


class TestUsers:
    @pytest.mark.parametrize(
        ("annotations", "settings", "expected"),
        [
            ({}, {}, (100, 1000, True)),
            ({"agent-run-as-user": ""}, {}, (100, 1000, True)),
            ({"agent-run-as-user": "0"}, {}, (0, 1000, False)),
            ({"agent-run-as-group": "0"}, {}, (100, 0, True)),
            ({"agent-run-as-group": "0100"}, {}, (100, 100, True)),
            ({"agent-set-security-context": "false"}, {}, None),
            ({}, {"AGENT_INJECT_SET_SECURITY_CONTEXT": "false"}, None),
            ({"agent-run-as-user": "7"}, {"AGENT_INJECT_SET_SECURITY_CONTEXT": "false"}, (7, 1000, True)),
            ({"agent-run-as-same-user": "false"}, {"AGENT_INJECT_SET_SECURITY_CONTEXT": "false"}, None),
        ],
    )
    def test_who_the_agent_runs_as(self, annotations, settings, expected):
        context = ask(pod_with(annotations), settings=settings).container("vault-agent").get("securityContext")
        assert expected == (context and (context["runAsUser"], context["runAsGroup"], context["runAsNonRoot"]))

    @pytest.mark.parametrize(
        ("spec", "filter_", "user"),
        [
            ({"containers": [{"name": "app", "securityContext": {"runAsUser": 5}}]}, None, 5),
            ({"containers": [{"name": "app"}], "securityContext": {"runAsUser": 6}}, None, 6),
            (
                {
                    "containers": [
                        {"name": "proxy", "securityContext": {"runAsUser": 1}},
                        {"name": "app", "securityContext": {"runAsUser": 2}},
                    ]
                },
                "app",
                2,
            ),
        ],
    )
    def test_as_the_same_user(self, spec, filter_, user):
        annotations = {"agent-run-as-same-user": "true", "agent-run-as-user": "9"}
        if filter_:
            annotations["agent-inject-containers"] = filter_
        context = ask(pod_with(annotations, **spec)).container("vault-agent")["securityContext"]
        assert (context["runAsUser"], context["runAsGroup"]) == (user, 1000)

    @pytest.mark.parametrize("own", [None, {"type": "RuntimeDefault"}])
    def test_a_seccomp_profile_is_set_where_the_pod_sets_none(self, own):
        context = {"seccompProfile": own} if own else {"fsGroup": 1}
        agent = ask(pod_with(securityContext=context)).container("vault-agent")
        assert agent["securityContext"].get("seccompProfile") == (None if own else {"type": "RuntimeDefault"})


class TestResources:
    def test_empty_means_none(self):
        annotations = {
            "agent-limits-cpu": "",
            "agent-requests-cpu": "",
            "agent-requests-mem": "",
            "agent-limits-mem": "",
        }
        assert ask(pod_with(annotations)).container("vault-agent")["resources"] == {}

    def test_the_init_container_may_have_its_own(self):
        result = ask(pod_with({"agent-init-limits-cpu": "2", "agent-init-requests-mem": ""}))
        assert result.container("vault-agent-init")["resources"] == {
            "limits": {"cpu": "2", "memory": "128Mi"},
            "requests": {"cpu": "250m"},
        }
        assert result.container("vault-agent")["resources"]["limits"]["cpu"] == "500m"

    @pytest.mark.parametrize(
        ("annotations", "settings", "home", "secrets"),
        [
            ({}, {}, "64Mi", "64Mi"),
            ({"secret-volume-size-limit": "8Mi"}, {}, "64Mi", "8Mi"),
            ({"secret-volume-size-limit": "0"}, {}, "64Mi", None),
            ({}, {"AGENT_INJECT_MEMORY_VOLUME_SIZE_LIMIT": "0"}, None, None),
        ],
    )
    def test_memory_volumes_have_a_size(self, annotations, settings, home, secrets):
        result = ask(pod_with(annotations), settings=settings)
        assert result.volume("home-sidecar")["emptyDir"].get("sizeLimit") == home
        assert result.volume("vault-secrets")["emptyDir"].get("sizeLimit") == secrets


def test_share_process_namespace_only_ever_becomes_true():
    assert ask(pod_with({"agent-share-process-namespace": "true"})).pod["spec"]["shareProcessNamespace"] is True
    assert "shareProcessNamespace" not in ask(pod_with({"agent-share-process-namespace": "false"})).pod["spec"]
    kept = ask(pod_with({"agent-share-process-namespace": ""}, shareProcessNamespace=True))
    assert kept.pod["spec"]["shareProcessNamespace"] is True
    assert kept.warnings


def test_aws_copies_what_the_app_has_in_a_fixed_order():
    app = {
        "name": "app",
        "env": [
            {"name": "AWS_REGION", "value": "eu-1"},
            {"name": "AWS_ROLE_ARN", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}},
            {"name": "OTHER", "value": "x"},
        ],
        "volumeMounts": [{"name": "irsa", "mountPath": "/var/run/secrets/eks.amazonaws.com/serviceaccount"}],
    }
    annotations = {"auth-type": "aws", "auth-path": "auth/aws", "auth-config-region": "us-2"}
    result = ask(pod_with(annotations, containers=[app], volumes=[{"name": "irsa", "emptyDir": {}}]))
    aws = [v for v in result.container("vault-agent")["env"] if v["name"].startswith("AWS_")]
    assert aws == [
        {"name": "AWS_ROLE_ARN", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}},
        {"name": "AWS_REGION", "value": "us-2"},
    ]
    assert result.mounts("vault-agent")["/var/run/secrets/eks.amazonaws.com/serviceaccount"]["readOnly"] is True
    assert "token_path" not in result.config()["auto_auth"]["method"]["config"]


def test_configmap_mode_conveys_the_connection_by_variables():
    result = ask(pod_with({"agent-configmap": "c", "role": None, "namespace": "team"}))
    env = result.env()
    assert (env["VAULT_ADDR"], env["VAULT_NAMESPACE"], env["VAULT_SKIP_VERIFY"]) == (
        "https://vault:8200",
        "team",
        "false",
    )
    assert "VAULT_CONFIG" not in env
    assert result.container("vault-agent-init")["args"] == [
        "touch /home/vault/.vault-token && vault agent -config=/vault/configs/config-init.hcl"
    ]


class TestCache:
    def test_it_is_handed_from_the_init_container_to_the_sidecar(self):
        result = ask(pod_with({"agent-cache-enable": "true"}))
        persist = result.config()["cache"]["persist"]
        assert persist["service_account_token_file"] == f"{OUR_PATH}/token"
        assert result.config("vault-agent-init")["cache"]["persist"] == persist
        assert result.volume("vault-agent-cache")

    def test_a_native_agent_alone_hands_nothing_on(self):
        result = ask(pod_with({"agent-cache-enable": "true"}), settings=NATIVE)
        assert result.config()["cache"] == {"use_auto_auth_token": "true"}
        assert result.volume("vault-agent-cache") is None

    def test_a_pod_without_sidecar_has_none(self):
        config = ask(pod_with({"agent-cache-enable": "true", "agent-pre-populate-only": "true"})).config(
            "vault-agent-init"
        )
        assert "cache" not in config

    def test_quit_needs_a_listener(self):
        config = ask(pod_with({"agent-enable-quit": "true", "agent-cache-listener-port": "8300"})).config()
        assert config["listener"] == [
            {"type": "tcp", "address": "127.0.0.1:8300", "tls_disable": True, "agent_api": {"enable_quit": True}}
        ]
        assert config["cache"] == {}


class TestContainerPatch:
    @pytest.mark.parametrize(
        ("operation", "member", "value"),
        [
            ('{"op":"replace","path":"/imagePullPolicy","value":"Never"}', "imagePullPolicy", "Never"),
            (
                '{"op":"add","path":"/lifecycle/postStart","value":{"sleep":{"seconds":1}}}',
                "lifecycle",
                {"postStart": {"sleep": {"seconds": 1}}},
            ),
            ('{"op":"replace","path":"/env/-1","value":{"name":"LAST","value":"x"}}', "env", None),
            ('{"op":"add","path":"/someFutureField","value":7}', "someFutureField", 7),
        ],
    )
    def test_what_the_reference_took_still_applies(self, operation, member, value):
        container = ask(pod_with({"agent-json-patch": f"[{operation}]"})).container("vault-agent")
        if member == "env":
            assert container["env"][-1] == {"name": "LAST", "value": "x"}
        else:
            assert container[member] == value

    def test_a_patch_of_an_agent_that_is_not_injected_is_only_read(self):
        patch = '[{"op":"test","path":"/name","value":"no"}]'
        assert ask(pod_with({"agent-json-patch": patch, "agent-pre-populate-only": "true"})).allowed

    @pytest.mark.parametrize("settings", [{}, NATIVE])
    def test_a_renamed_agent_is_known_again(self, settings):
        patch = '[{"op":"replace","path":"/name","value":"helper"}]'
        pod = pod_with({"agent-json-patch": patch, "agent-init-first": "true"}, initContainers=[{"name": "own"}])
        once = ask(pod, settings=settings)
        assert once.container("helper")
        twice = ask(once.pod, settings=settings)
        assert (twice.allowed, twice.operations) == (True, []), twice.message
