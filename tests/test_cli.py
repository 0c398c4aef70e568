"""The command line as people and scripts use it."""

import base64
import json
from pathlib import Path
from xml.etree import ElementTree as ET

import jsonpatch
import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from tests.cases.compare import differences, normalize
from tests.core.asking import pod_with, review
from webhook.cli import cli
from webhook.commands import check
from webhook.commands.asking import STAND_IN

ROOT = Path(__file__).parents[1]
INJECTION = json.loads((ROOT / "tests" / "cases" / "injection.json").read_text())["cases"]
ENV = {"AGENT_INJECT_VAULT_ADDR": "https://vault:8200"}
ROLES = ["--bindings", str(ROOT / "examples" / "bindings.yaml")]


def run(*arguments, stdin=None, env=None):
    return CliRunner(env={**ENV, **(env or {})}).invoke(cli, list(arguments), input=stdin, catch_exceptions=False)


class TestReview:
    def test_it_answers_as_the_server_would_and_exits_0(self):
        result = run("review", *ROLES, stdin=json.dumps(review(pod_with())))
        assert (result.exit_code, json.loads(result.stdout)["response"]["allowed"]) == (0, True)

    def test_a_refusal_is_an_answer(self):
        result = run("review", *ROLES, stdin=json.dumps(review(pod_with(role="nobody"))))
        assert result.exit_code == 0
        assert json.loads(result.stdout)["response"]["status"]["reason"] == "RoleNotFound"

    def test_settings_come_from_a_config_map_too(self, tmp_path):
        file = tmp_path / "map.yaml"
        file.write_text("apiVersion: v1\nkind: ConfigMap\ndata:\n  AGENT_INJECT_VAULT_IMAGE: mine:1\n")
        result = run("review", "--env-file", str(file), stdin=json.dumps(review(pod_with())))
        assert result.exit_code == 0

    @pytest.mark.parametrize("body", ["", "{}", "nonsense"])
    def test_what_is_no_review_exits_2_with_json_on_stderr(self, body):
        result = run("review", stdin=body)
        assert (result.exit_code, result.stdout) == (2, "")
        assert json.loads(result.stderr)["error"]


class TestInject:
    def test_comments_and_key_order_stay(self):
        result = run("inject", "-f", str(ROOT / "examples" / "deployment.yaml"), *ROLES)
        assert result.exit_code == 0
        before = (ROOT / "examples" / "deployment.yaml").read_text().splitlines()
        after = result.stdout.splitlines()
        assert [line for line in before if line not in after] == []
        assert after[0] == before[0]

    @pytest.mark.parametrize("name", ["unknown-role", "service-account", "namespace"])
    def test_a_refused_pod_exits_1_and_prints_nothing_but_the_reason(self, name):
        result = run("inject", "-f", str(ROOT / "examples" / f"refused-{name}.yaml"), *ROLES)
        assert (result.exit_code, result.stdout) == (1, "")
        assert "refused: vault.hashicorp.com/role" in result.stderr

    @pytest.mark.parametrize(
        "text", ["a: [", "- 1\n- 2", "7", "metadata: {}", "kind: Deployment\nmetadata: {name: x}\nspec: {}", "\x00"]
    )
    def test_unusable_input_exits_2_in_one_line(self, text):
        result = run("inject", "-f", "-", stdin=text)
        assert (result.exit_code, result.stdout) == (2, "")
        assert len(result.stderr.splitlines()) == 1
        assert result.stderr.startswith("vault-webhook: error: -")

    def test_a_missing_file_exits_2(self):
        assert run("inject", "-f", "nowhere.yaml").exit_code == 2

    def test_every_kind_of_workload(self):
        template = {key: pod_with()[key] for key in ("metadata", "spec")}
        spec = {"spec": {"template": template}}
        documents = [
            {"kind": kind, "metadata": {"name": kind.lower()}, **body}
            for kind, body in [
                *(
                    (k, spec)
                    for k in ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "ReplicationController")
                ),
                ("CronJob", {"spec": {"jobTemplate": spec}}),
                ("PodTemplate", {"template": template}),
                ("Pod", template),
                ("ConfigMap", {"data": {}}),
            ]
        ]
        text = json.dumps({"kind": "List", "items": documents})
        patches = json.loads(run("inject", "-f", "-", "-o", "patch", stdin=text).stdout)
        assert [len(item["patch"]) > 0 for item in patches] == [True] * 9

    def test_a_kind_of_its_own_by_template_path(self):
        gizmo = {"apiVersion": "x.y/v1", "kind": "Gizmo", "metadata": {"name": "g"}, "spec": {"template": pod_with()}}
        text = json.dumps(gizmo)
        result = run("inject", "-f", "-", "-o", "patch", stdin=text)
        assert (result.exit_code, json.loads(result.stdout)) == (0, [])
        assert "Gizmo default/g: not checked: " in result.stderr
        told = run("inject", "-f", "-", "-o", "patch", "--template-path", "spec.template", stdin=text)
        assert json.loads(told.stdout)[0]["patch"]

    def test_many_documents(self):
        text = "---\n".join(json.dumps({"kind": "Pod", **pod_with()}) + "\n" for _ in range(3))
        documents = list(YAML(typ="safe").load_all(run("inject", "-f", "-", stdin=text).stdout))
        assert [len(d["spec"]["containers"]) for d in documents] == [2, 2, 2]

    @pytest.mark.parametrize("output", ["yaml", "json"])
    def test_the_output_is_what_would_be_applied(self, output):
        shown = run("inject", "-f", str(ROOT / "examples" / "statefulset.yaml"), "-o", output, *ROLES).stdout
        spec = YAML(typ="safe").load(shown)["spec"]["template"]["spec"]
        assert [c["name"] for c in spec["containers"]] == ["ledger", "exporter", "vault-agent"]

    def test_a_diff_has_only_additions(self):
        shown = run("inject", "-f", str(ROOT / "examples" / "deployment.yaml"), "-o", "diff", *ROLES).stdout
        assert [line for line in shown.splitlines()[2:] if line.startswith("-")] == []

    def test_namespaces_of_objects_that_name_none(self):
        text = json.dumps({"kind": "Pod", **pod_with()})
        assert run("inject", "-f", "-", *ROLES, stdin=text).exit_code == 1
        assert run("inject", "-f", "-", *ROLES, "-n", "shop", stdin=text).exit_code == 0


@pytest.mark.parametrize("command", ["inject", "check"])
@pytest.mark.parametrize("text", ["a: -_", "a: 1", "kind: Deployment"])
def test_an_error_is_the_only_line_whatever_else_is_missing(command, text):
    result = run(command, "-f", "-", stdin=text, env={"AGENT_INJECT_VAULT_ADDR": ""})
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["review", "--cpu-limit", "much"], "AGENT_INJECT_CPU_LIMIT"),
        (["review", "--bindings", "/nowhere"], "/nowhere"),
        (["review", "--env-file", "/nowhere"], "/nowhere"),
        (["serve", "--workers", "0"], "AGENT_INJECT_WORKERS"),
        (["annotations", "nosuch"], "nosuch"),
    ],
)
def test_a_bad_setting_is_one_line_and_exit_2(arguments, named):
    result = run(*arguments, stdin="")
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert named in result.stderr


@pytest.mark.parametrize(
    "key", ["role", "vault.hashicorp.com/role", "agent-inject-secret-db", "agent-inject-secret-<name>"]
)
def test_an_annotation_is_explained(key):
    assert "default:" in run("annotations", key).stdout


@pytest.mark.parametrize(
    ("page", "command"),
    [
        ("annotations", ["annotations", "--markdown"]),
        ("settings", ["settings"]),
        ("reasons", ["reasons"]),
        ("presets", ["presets"]),
    ],
)
def test_generated_pages_are_fresh(page, command):
    assert (ROOT / "docs" / f"{page}.md").read_text() == run(*command).stdout


def test_the_schema_is_fresh_and_knows_every_member_of_the_example():
    published = json.loads((ROOT / "docs" / "bindings.schema.json").read_text())
    assert published == json.loads(run("bindings", "schema").stdout)
    example = YAML(typ="safe").load((ROOT / "examples" / "bindings.yaml").read_text())
    parts = published["$defs"]
    assert example.keys() <= published["properties"].keys()
    assert example["auth"][0].keys() <= parts["MountShape"]["properties"].keys()
    assert example["auth"][0]["roles"]["shop"].keys() <= parts["RoleShape"]["properties"].keys()
    assert example["policies"][0].keys() <= parts["PolicyShape"]["properties"].keys()


def test_every_command_explains_itself():
    for name in cli.commands:
        assert run(name, "--help").exit_code == 0


ODD = (
    b"a: -_",
    b"a: !!bool x",
    b'a: !!int ""',
    b"a: &a [*a]",
    b"a: 1\na: 2",
    b"[" * 5_000,
    b"a: \xff",
    b"a: \0",
    b"a: .inf",
)


@pytest.mark.parametrize("text", ODD)
@pytest.mark.parametrize(
    ("command", "head"),
    [
        (["inject", "-f"], b""),
        (["check", "-f"], b""),
        (["review", "--env-file"], b"kind: ConfigMap\n"),
        (["review", "--bindings"], b""),
        (["bindings", "validate"], b""),
        (["bindings", "explain", "--case"], b""),
    ],
    ids=lambda value: value if isinstance(value, list) and value[0] else None,
)
def test_odd_yaml_is_one_line_that_names_the_file(tmp_path, command, head, text):
    file = tmp_path / "odd"
    file.write_bytes(head + text)
    result = run(*command, str(file), stdin="")
    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (2, "", 1)
    assert str(file) in result.stderr or "explain" in command


@pytest.mark.parametrize(
    "document",
    [
        {"kind": "List", "items": 5},
        {"kind": "List", "items": {"a": 1}},
        {"kind": "List", "items": [5]},
        {"kind": "Pod", "metadata": 5, "spec": {}},
        {"kind": "Pod", "metadata": {"annotations": 5}, "spec": {"containers": [{"name": "a"}]}},
        {"kind": "Pod", "metadata": {"name": ["a"]}, "spec": {"containers": 5}},
        {"kind": "Deployment", "metadata": [], "spec": {"template": {"metadata": "x", "spec": 7}}},
        {"kind": "Deployment", "spec": {"template": {}}},
        {"kind": "CronJob", "spec": {"jobTemplate": []}},
        {"kind": 5},
    ],
    ids=str,
)
@pytest.mark.parametrize("command", ["inject", "check"])
def test_odd_objects_are_answered_without_a_fault(command, document):
    result = run(command, "-f", "-", stdin=json.dumps(document))
    assert result.exit_code in (0, 1, 2)
    assert "Traceback" not in result.stderr


def test_anchors_of_a_pod_do_not_share_what_is_added():
    text = """
kind: Pod
metadata: {name: p, annotations: {vault.hashicorp.com/agent-inject: "true", vault.hashicorp.com/role: shop}}
spec:
  containers:
    - {name: a, volumeMounts: &mounts [{name: v, mountPath: /v}]}
    - {name: b, volumeMounts: *mounts}
"""
    pod = YAML(typ="safe").load(run("inject", "-f", "-", stdin=text).stdout)
    mounts = [
        [mount["mountPath"] for mount in container["volumeMounts"]] for container in pod["spec"]["containers"][:2]
    ]
    assert mounts == [["/v", "/vault/secrets"]] * 2


class TestVaultAddress:
    """`inject` and `check` do without one."""

    @pytest.fixture
    def address(self, tmp_path):
        """Return what finds the address that the agents of a manifest get, and what is said of it on stderr."""

        def find(*arguments, server="", **env):
            bindings = tmp_path / "b.yaml"
            bindings.write_text(
                f"apiVersion: vault-bindings/v1\nkind: BindingSnapshot\nserver: {{address: '{server}'}}\n"
            )
            given = ["--bindings", str(bindings), "--binding-check", "warn"] if server else []
            manifest = json.dumps({"kind": "Pod", **pod_with()})
            result = run(
                "inject",
                "-f",
                "-",
                "-o",
                "json",
                *given,
                *arguments,
                stdin=manifest,
                env={"AGENT_INJECT_VAULT_ADDR": "", **env},
            )
            assert result.exit_code == 0
            agent = json.loads(result.stdout)["spec"]["containers"][-1]
            (text,) = [variable["value"] for variable in agent["env"] if variable["name"] == "VAULT_CONFIG"]
            return json.loads(base64.b64decode(text))["vault"]["address"], "stands in" in result.stderr

        return find

    def test_one_given_counts(self, address):
        assert address("--vault-address", "https://a") == ("https://a", False)
        assert address(AGENT_INJECT_VAULT_ADDR="https://a", server="https://b") == ("https://a", False)
        assert address(AGENT_INJECT_BAO_ADDR="https://a") == ("https://a", False)
        assert address("--vault-address", STAND_IN, server="https://b") == (STAND_IN, False)

    def test_else_the_documents(self, address):
        assert address(server="https://b") == ("https://b", False)

    def test_else_one_that_is_said_to_stand_in(self, address):
        assert address() == (STAND_IN, True)

    def test_check_needs_none_and_review_does(self):
        manifest = json.dumps({"kind": "Pod", **pod_with()})
        assert run("check", "-f", "-", stdin=manifest, env={"AGENT_INJECT_VAULT_ADDR": ""}).exit_code == 0
        result = run("review", stdin="", env={"AGENT_INJECT_VAULT_ADDR": ""})
        assert (result.exit_code, "AGENT_INJECT_VAULT_ADDR" in result.stderr) == (2, True)


class TestEnvFile:
    @pytest.mark.parametrize(
        ("text", "image"),
        [
            ("AGENT_INJECT_VAULT_IMAGE=mine:1\n# no\n\n", "mine:1"),
            ("\ufeffexport AGENT_INJECT_VAULT_IMAGE=mine:1\n", "mine:1"),
            ("kind: ConfigMap\ndata: {AGENT_INJECT_VAULT_IMAGE: mine:1}", "mine:1"),
            ('{"kind": "ConfigMap", "data": {"AGENT_INJECT_VAULT_IMAGE": "mine:1"}}', "mine:1"),
            (
                "kind: ConfigMap\ndata: {AGENT_INJECT_VAULT_IMAGE: mine:1, AGENT_INJECT_LIFETIME_ADVISORIES: true}",
                "mine:1",
            ),
            ("kind: ConfigMap\ndata: {AGENT_INJECT_VAULT_IMAGE: mine:1, AGENT_INJECT_PRESET: null}", "mine:1"),
        ],
    )
    def test_settings_of_a_file_count(self, tmp_path, text, image):
        file = tmp_path / "settings"
        file.write_text(text)
        manifest = json.dumps({"kind": "Pod", **pod_with()})
        assert f"image: {image}" in run("inject", "-f", "-", "--env-file", str(file), stdin=manifest).stdout

    @pytest.mark.parametrize("text", ["nonsense", "kind: ConfigMap\ndata: {A: [1]}", "kind: ConfigMap", "kind: Secret"])
    def test_what_is_none_exits_2(self, tmp_path, text):
        file = tmp_path / "settings"
        file.write_text(text)
        result = run("review", "--env-file", str(file), stdin="")
        assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)
        assert str(file) in result.stderr


CHECKED = [
    part for name in ("deployment", "refused-namespace") for part in ("-f", str(ROOT / "examples" / f"{name}.yaml"))
]


class TestCheck:
    def test_it_exits_1_when_a_pod_would_be_refused(self):
        assert run("check", *CHECKED[:2], *ROLES).exit_code == 0
        assert run("check", *CHECKED, *ROLES).exit_code == 1

    def test_json(self):
        lines = json.loads(run("check", *CHECKED, *ROLES, "-o", "json").stdout)
        assert [(line["decision"], line["reason"]) for line in lines] == [
            ("allow", ""),
            ("refused", "NamespaceNotBound"),
        ]

    def test_junit(self):
        suite = ET.fromstring(run("check", *CHECKED, *ROLES, "-o", "junit").stdout)
        assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
        assert suite.find("testcase/failure").get("type") == "NamespaceNotBound"

    def test_the_table_shows_the_whole_message(self):
        shown = run("check", *CHECKED, *ROLES).stdout
        assert 'namespace "billing" is not bound to Vault role "shop"' in shown

    def test_unusable_input_exits_2(self):
        assert run("check", "-f", "-", stdin="a: [").exit_code == 2

    def test_what_was_not_checked_is_a_row_of_every_output_and_no_failure(self):
        workflow = {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Workflow",
            "metadata": {"name": "w"},
            "spec": {"templates": [{"container": {"image": "a"}}]},
        }
        texts = {output: run("check", "-f", "-", "-o", output, stdin=json.dumps(workflow)) for output in check.OUTPUTS}
        assert {result.exit_code for result in texts.values()} == {0}
        assert [line.split()[:3] for line in texts["table"].stdout.splitlines() if "default/w" in line] == [
            ["not", "checked", "Workflow"],
            ["Workflow", "default/w:", "holds"],
        ]
        (line,) = json.loads(texts["json"].stdout)
        assert (line["decision"], line["kind"], line["name"]) == ("not checked", "Workflow", "w")
        suite = ET.fromstring(texts["junit"].stdout)
        assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("1", "0", "1")
        assert "spec.templates" in suite.find("testcase/skipped").get("message")
        for output in ("json", "junit"):
            assert "-: Workflow default/w: not checked: " in texts[output].stderr

    def test_a_folder_is_checked_whole(self):
        lines = json.loads(run("check", "-f", str(ROOT / "examples"), *ROLES, "-o", "json").stdout)
        assert [line["decision"] for line in lines] == ["not checked", "allow", "allow", *["refused"] * 3, "allow"]

    def test_without_roles_it_says_that_none_is_checked(self):
        manifest = json.dumps({"kind": "Pod", **pod_with()})
        said = [run("check", "-f", "-", *given, stdin=manifest).stderr for given in ([], ROLES)]
        assert ["no Vault role is checked" in text for text in said] == [True, False]

    def test_a_file_without_pods_is_a_row_too(self):
        text = "kind: Service\nmetadata: {name: s}\n"
        assert "(no pod)" in run("check", "-f", "-", stdin=text).stdout
        (line,) = json.loads(run("check", "-f", "-", "-o", "json", stdin=text).stdout)
        assert (line["source"], line["kind"], line["decision"]) == ("-", "", "not checked")

    def test_misplaced_annotations_are_a_warning(self):
        deployment = {
            "kind": "Deployment",
            "metadata": {"annotations": {"vault.hashicorp.com/agent-inject": "true"}},
            "spec": {"template": {"spec": {"containers": [{"name": "a", "image": "a"}]}}},
        }
        result = run("check", "-f", "-", "-o", "json", stdin=json.dumps(deployment))
        (line,) = json.loads(result.stdout)
        assert (result.exit_code, line["decision"]) == (0, "warn")
        assert "spec.template.metadata.annotations" in line["messages"][0]

    def test_a_report_is_xml_whatever_names_hold(self):
        pod = {
            "kind": "Pod",
            "metadata": {"name": "a\u0001\ufffe<&"},
            **{k: v for k, v in pod_with().items() if k == "spec"},
        }
        suite = ET.fromstring(run("check", "-f", "-", "-o", "junit", stdin=json.dumps(pod)).stdout)
        assert suite.find("testcase").get("name") == "Pod default/a??<&"


class TestBindings:
    @pytest.mark.parametrize("name", ["bindings", "policies"])
    def test_every_case_is_explained_as_it_should_be(self, name):
        cases = json.loads((ROOT / "tests" / "cases" / f"{name}.json").read_text())["cases"]
        expected = [case.pop("expected") for case in cases]
        result = run("bindings", "explain", "--case", "-", stdin="".join(json.dumps(case) + "\n" for case in cases))
        answers = [json.loads(line) for line in result.stdout.splitlines()]
        assert [{key: answer[key] for key in ("decision", "reason")} for answer in answers] == expected

    def test_what_is_no_case_exits_2_and_names_the_line(self):
        result = run("bindings", "explain", "--case", "-", stdin="\n{}\n")
        assert result.exit_code == 2
        assert "line 2" in result.stderr

    def test_a_good_document_is_summed_up(self):
        assert "2 roles" in run("bindings", "validate", str(ROOT / "examples" / "bindings.yaml")).stdout

    @pytest.mark.parametrize(
        ("text", "line"),
        [
            ("apiVersion: x\nkind: BindingSnapshot\n", 1),
            ("apiVersion: vault-bindings/v1\nkind: BindingSnapshot\nauth:\n  - type: kubernetes\n", 4),
            (
                (
                    "apiVersion: vault-bindings/v1\nkind: BindingSnapshot\nauth:\n  - path: k\n    type: kubernetes\n    roles:\n"
                    "      a.b:\n        token_ttl: soon\n"
                ),
                8,
            ),
        ],
    )
    def test_a_bad_document_exits_2_and_names_the_line(self, tmp_path, text, line):
        file = tmp_path / "b.yaml"
        file.write_text(text)
        result = run("bindings", "validate", str(file))
        assert result.exit_code == 2
        assert f"{file} line {line}: " in result.stderr


@pytest.mark.parametrize("case", INJECTION, ids=lambda case: case["id"])
def test_review_answers_the_recorded_cases(case):
    result = run("review", stdin=json.dumps(review(case["pod"], namespace=case["namespace"])), env=case["settings"])
    response = json.loads(result.stdout)["response"]
    assert (result.exit_code, response["allowed"]) == (0, case["expected"]["allowed"])
    if "pod" in case["expected"]:
        after = jsonpatch.apply_patch(case["pod"], json.loads(base64.b64decode(response["patch"])))
        assert differences(case["expected"]["pod"], normalize(case["pod"], after)) == []
