"""`agent-copy-volume-mounts`: what agents get of the app's mounts under each preset, and what is said of the rest."""

import pytest

from tests.core.asking import PREFIX, ask, pod_with

KEY = "agent-copy-volume-mounts"
COPY = {KEY: "app"}
PRESETS = ("compat", "baseline", "strict")
presets = pytest.mark.parametrize("preset", PRESETS)
# Every spelling of a place that is the agent's, or of the programs it runs and what they trust.
OURS = [
    *[
        "/",
        "//",
        "/.",
        "/home",
        "/home/vault",
        "/home/vault/",
        "//home//vault",
        "/home/x/../vault",
        "home/vault",
        "/home/vault/x",
    ],
    *[
        "/vault",
        "/vault/secrets",
        "/vault/secrets/",
        "/vault/secrets/sub",
        "/custom/place",
        "/custom",
        "/custom/place/below/",
    ],
    *["/vault/tls", "/vault/tls/ca.crt", "/vault/custom", "/vault/agent-cache/", "/vault/./agent-cache"],
    *[
        "/bin",
        "/bin/",
        "/bin/vault",
        "/usr/bin",
        "/usr",
        "/usr/local/lib/x",
        "/sbin",
        "/lib",
        "/lib64",
        "/libexec",
        "/lib/x",
    ],
    *["/proc", "/proc/self/root/home/vault", "/dev", "/dev/shm", "/sys", "/sys/fs/cgroup"],
    *["/etc", "/etc/", "/etc/hosts", "//etc/hosts", "/etc/../etc/hosts", "/etc/passwd", "/etc/resolv.conf", "/etc/ssl"],
    *["/etc/ssl/certs", "/etc/ssl/certs/mine.pem", "/etc/pki", "/etc/ld.so.preload", "/etc/nsswitch.conf", "etc/hosts"],
    *[
        "/run",
        "/run/secrets",
        "/run/secrets/x",
        "/var/run",
        "/var/run/",
        "/var/run/secrets",
        "/var/run/secrets/x",
        "/var",
    ],
    *["/var/run/../run/secrets", "/var/lib/../../run/secrets/"],
]
THEIRS = [
    "/data",
    "/data/",
    "/opt/app",
    "/var/lib/app",
    "/run/app",
    "/var/run/app",
    "/home/app",
    "/homes",
    "/srv/../data2",
    "/tmp",
]


def app(*paths, volume="data", **members):
    return {"name": "app", "volumeMounts": [{"name": volume, "mountPath": path, **members} for path in paths]}


def copy(*containers, annotations=(), preset="compat", volumes=None, **settings):
    volumes = volumes or [{"name": "data", "emptyDir": {}}, {"name": "node", "hostPath": {"path": "/srv"}}]
    opened = {"AGENT_INJECT_PRESET_ALLOW": KEY} if preset == "strict" else {}
    return ask(
        pod_with({**COPY, **dict(annotations)}, containers=[*containers], volumes=volumes),
        settings={"AGENT_INJECT_PRESET": preset, **opened, **settings},
    )


def copied(result, agent="vault-agent"):
    """Paths of the mounts of the pod's own volumes in an agent."""
    return [m["mountPath"] for m in result.container(agent)["volumeMounts"] if m["name"] in ("data", "node", "tok")]


def said(result):
    return [text for text in result.warnings if PREFIX + KEY in text]


ALL_OF_OURS = {
    "tls-secret": "tls",
    "agent-extra-secret": "extra",
    "agent-cache-enable": "true",
    "agent-inject-secret-a": "p",
    "secret-volume-path-a": "/custom/place",
}


@pytest.mark.parametrize("path", OURS)
def test_nothing_is_mounted_over_or_under_what_is_ours(path):
    result = copy(app(path), annotations=ALL_OF_OURS)
    assert result.allowed == (path.rstrip("/") not in ("/vault/secrets", "/custom/place")), result.message
    if result.allowed:
        assert copied(result) == copied(result, "vault-agent-init") == []
        assert any(path in text for text in said(result))


@pytest.mark.parametrize("preset", ["baseline", "strict"])
@pytest.mark.parametrize(
    "path",
    [
        *(p for p in OURS if "custom/place" not in p and p.rstrip("/") not in ("/vault/secrets", "/custom")),
        "/etc/templates",
    ],
)
def test_presets_keep_more_than_what_is_mounted(path, preset):
    result = copy(app(path), preset=preset)
    assert copied(result) == copied(result, "vault-agent-init") == []
    assert any(path in text for text in said(result))


@presets
@pytest.mark.parametrize("path", THEIRS)
def test_the_rest_is_copied_as_written(path, preset):
    result = copy(app(path, subPath="x", readOnly=True), preset=preset)
    assert said(result) == []
    for agent in ("vault-agent", "vault-agent-init"):
        assert result.mounts(agent)[path] == {"name": "data", "mountPath": path, "subPath": "x", "readOnly": True}


def test_templates_below_etc_are_copied_in_compat():
    assert copied(copy(app("/etc/templates", "/etc/app/db.tpl"))) == ["/etc/templates", "/etc/app/db.tpl"]


@presets
@pytest.mark.parametrize("member", ["subPath", "subPathExpr"])
def test_a_single_file_is_judged_by_its_place_alone(member, preset):
    result = copy(app("/etc/hosts", "/etc/ssl/certs/x.pem", "/data/x", **{member: "hosts"}), preset=preset)
    assert copied(result) == ["/data/x"]


WARN = {"AGENT_INJECT_PRESET_MODE": "warn"}


@pytest.mark.parametrize(
    ("preset", "settings", "kept", "told"),
    [
        ("compat", {}, True, False),
        ("baseline", {}, False, True),
        ("baseline", WARN, True, True),
        ("strict", WARN | {"AGENT_INJECT_PRESET_ALLOW": ""}, True, True),
        ("baseline", {"AGENT_INJECT_PRESET_ALLOW": KEY}, True, False),
    ],
)
def test_folders_of_the_node_are_copied_where_no_preset_keeps_them(preset, settings, kept, told):
    result = copy(app("/node", "/node2", volume="node"), app("/data"), preset=preset, **settings)
    assert copied(result) == (["/node", "/node2"] if kept else []) + ["/data"]
    assert any("/node, /node2" in text for text in said(result)) is told


def test_a_volume_whose_host_path_is_null_is_none_of_the_node():
    volumes = [{"name": "data", "hostPath": None, "emptyDir": {}}]
    assert copied(copy(app("/data"), volumes=volumes, preset="baseline")) == ["/data"]


def test_what_the_api_server_would_refuse_for_an_agent_is_left_out():
    result = copy(app("/both", mountPropagation="Bidirectional"), app("/in", mountPropagation="HostToContainer"))
    assert copied(result) == ["/in"]
    assert any("/both" in text for text in said(result))


def test_one_place_is_mounted_once():
    assert copied(copy(app("/data", "/data/", "//data"), app("/data/x/.."))) == ["/data"]


def test_the_api_servers_own_mount_is_worth_no_warning():
    volume = {"name": "tok", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}
    api = app("/var/run/secrets/kubernetes.io/serviceaccount", volume="tok")
    result = copy(api, app("/elsewhere", volume="tok"), volumes=[volume])
    assert copied(result) == []
    assert [text for text in said(result) if "kubernetes.io" in text] == []
    assert any("/elsewhere" in text for text in said(result))


@pytest.mark.parametrize("n", [1_000, 4_000])
def test_many_mounts_cost_one_look_each(n):
    result = copy(app(*(f"/p{i}" for i in range(n))))
    assert len(copied(result)) == n


def test_what_two_agents_would_mount_is_bounded():
    result = copy(app(*(f"/p{i}" for i in range(20_000))))
    assert (result.reason, result.operations) == ("AnnotationInvalid", [])
    assert f'{PREFIX}{KEY} "app": ' in result.message


def test_a_path_no_kernel_takes_is_left_out():
    assert copied(copy(app("/" + "a/" * 3_000, "/data"))) == ["/data"]


@pytest.mark.parametrize("mount", [{"name": "data"}, {"mountPath": "/data"}, {"name": None, "mountPath": "/data"}, {}])
def test_a_mount_that_is_none_is_for_the_api_server_to_refuse(mount):
    assert copied(copy({"name": "app", "volumeMounts": [mount]})) == []


def test_the_api_servers_token_as_the_one_to_log_in_with_is_ours_without_a_word():
    place = "/var/run/secrets/kubernetes.io/serviceaccount"
    volume = {"name": "tok", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}
    annotations = {"auth-config-token-path": f"{place}/token"}
    result = copy(app(place, volume="tok"), volumes=[volume], annotations=annotations)
    assert result.mounts("vault-agent")[place]["name"] == "vault-agent-token"
    assert said(result) == []


@pytest.mark.parametrize(
    ("path", "volume", "kept"),
    [
        ("/var/run/secrets/eks.amazonaws.com/serviceaccount", "data", True),
        ("/var/run/secrets/eks.amazonaws.com/serviceaccount", "node", False),
        ("/usr/bin/eks.amazonaws.com", "data", False),
        ("/etc/eks.amazonaws.com", "data", False),
        ("/home/vault/eks.amazonaws.com", "data", False),
    ],
)
def test_the_mount_of_aws_covers_nothing_of_ours(path, volume, kept):
    annotations = {KEY: "", "auth-type": "aws", "auth-path": "auth/aws"}
    assert copied(copy(app(path, volume=volume), annotations=annotations)) == ([path] if kept else [])
