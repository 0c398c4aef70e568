"""Which files a pod gets, where, and from which templates."""

import pytest

from tests.core.asking import PREFIX, ask, pod_with
from webhook.core.annotations.secrets import PATH_MAX


def templates(annotations, **spec):
    return {t["destination"]: t for t in ask(pod_with(annotations, **spec)).config().get("template", [])}


@pytest.mark.parametrize(
    ("annotations", "destination"),
    [
        ({"agent-inject-secret-db": "p"}, "/vault/secrets/db"),
        ({"agent-inject-secret-DB": "p"}, "/vault/secrets/db"),
        ({"agent-inject-secret-DB": "p", "preserve-secret-case": "true"}, "/vault/secrets/DB"),
        ({"agent-inject-secret-DB": "p", "preserve-secret-case-DB": "true"}, "/vault/secrets/DB"),
        (
            {"agent-inject-secret-DB": "p", "preserve-secret-case": "1", "preserve-secret-case-DB": "0"},
            "/vault/secrets/db",
        ),
        ({"agent-inject-secret-db": "p", "agent-inject-file-db": "a//b/../c"}, "/vault/secrets/a/c"),
        ({"agent-inject-secret-db": "p", "agent-inject-file-db": "/x/f"}, "/vault/secrets/x/f"),
        ({"agent-inject-secret-db": "p", "secret-volume-path": "/v//"}, "/v/db"),
        ({"agent-inject-secret-db": "p", "secret-volume-path": ""}, "/vault/secrets/db"),
        ({"agent-inject-secret-db": "p", "secret-volume-path-db": "/own/"}, "/own/db"),
        ({"agent-inject-secret-db": "p", "secret-volume-path-db": ""}, "/vault/secrets/db"),
        ({"agent-inject-template-db": "text"}, "/vault/secrets/db"),
        ({"agent-inject-template-file-db": "/t"}, "/vault/secrets/db"),
    ],
)
def test_where_a_file_goes(annotations, destination):
    assert list(templates(annotations)) == [destination]


@pytest.mark.parametrize("value", ["", " ", "\n\t"])
def test_a_blank_value_declares_no_secret(value):
    assert templates({"agent-inject-secret-db": value}) == {}


def test_a_blank_template_counts_as_absent():
    template = templates({"agent-inject-secret-db": "p", "agent-inject-template-db": "  \n"})["/vault/secrets/db"]
    assert 'with secret "p"' in template["contents"]


def test_secrets_come_in_byte_order_of_their_names():
    found = ask(pod_with({f"agent-inject-secret-{name}": "p" for name in ("b", "a", "C", "a-1")})).config()
    assert [t["destination"].rpartition("/")[2] for t in found["template"]] == ["c", "a", "a-1", "b"]


def test_the_default_template_speaks_the_secrets_own_delimiters():
    found = templates(
        {
            "agent-inject-secret-db": "p",
            "agent-template-left-delim-db": "[[",
            "agent-template-right-delim-db": "]]",
            "agent-inject-default-template": "JSON",
        }
    )["/vault/secrets/db"]
    assert found["contents"] == '[[ with secret "p" ]][[ .Data | toJSON ]]\n[[ end ]]'
    assert (found["left_delimiter"], found["right_delimiter"]) == ("[[", "]]")


def test_a_path_cannot_break_out_of_its_quotes():
    found = templates({"agent-inject-secret-db": 'a" }}{{ env "HOME'})["/vault/secrets/db"]
    assert 'with secret "a\\" }}{{ env \\"HOME" ' in found["contents"]


def test_a_template_file_is_the_source_unless_there_is_an_inline_template():
    both = {"agent-inject-template-db": "inline", "agent-inject-template-file-db": "/t"}
    assert templates(both)["/vault/secrets/db"].get("source") is None
    assert templates({"agent-inject-template-file-db": "/t"})["/vault/secrets/db"]["source"] == "/t"


AMBIGUOUS = {"agent-inject-template-file-foo": "TEXT"}


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        ({"agent-inject-secret-file-foo": "p"}, {"/vault/secrets/file-foo": ("contents", "TEXT")}),
        ({"agent-inject-secret-foo": "p"}, {"/vault/secrets/foo": ("source", "TEXT")}),
        ({}, {"/vault/secrets/foo": ("source", "TEXT")}),
    ],
)
def test_template_file_foo_has_one_meaning(annotations, expected):
    found = templates({**AMBIGUOUS, **annotations})
    assert found.keys() == expected.keys()
    for destination, (member, text) in expected.items():
        assert found[destination][member] == text


def test_per_secret_members():
    found = templates(
        {
            "agent-inject-secret-db": "p",
            "agent-inject-perms-db": "0440",
            "agent-inject-command-db": "kill -HUP 1",
            "error-on-missing-key-db": "true",
        }
    )["/vault/secrets/db"]
    assert (found["perms"], found["command"], found["error_on_missing_key"]) == ("0440", "kill -HUP 1", True)


def test_each_other_mount_path_is_a_volume_of_its_own():
    result = ask(
        pod_with(
            {
                "agent-inject-secret-a": "p",
                "agent-inject-secret-b": "p",
                "agent-inject-secret-c": "p",
                "secret-volume-path-a": "/one",
                "secret-volume-path-b": "/one/",
                "secret-volume-path-c": "/two",
            }
        )
    )
    assert {path: m["name"] for path, m in result.mounts("app").items()} == {
        "/vault/secrets": "vault-secrets",
        "/one": "vault-secrets-custom-0",
        "/two": "vault-secrets-custom-1",
    }
    assert result.volume("vault-secrets-custom-1")["emptyDir"]["medium"] == "Memory"


def test_orphans_are_warned_of_by_their_whole_key():
    result = ask(
        pod_with({"agent-inject-secret-db": "p", "agent-inject-template-bd": " ", "agent-inject-perms-dB": "0440"})
    )
    assert result.allowed
    said = f"no effect: no secret 'dB' is declared; add {PREFIX}agent-inject-secret-dB, or correct the name"
    assert f"vault-webhook: {PREFIX}agent-inject-perms-dB: {said}" in result.warnings
    assert any(f"{PREFIX}agent-inject-template-bd: " in text for text in result.warnings)


@pytest.mark.parametrize("key", ["agent-inject-perms-token", "agent-inject-file-token", "agent-inject-command-token"])
def test_an_annotation_for_the_file_of_the_agents_token_has_no_effect_and_says_so(key):
    result = ask(pod_with({"agent-inject-token": "true", key: "0440"}))
    assert [text for text in result.warnings if f"{PREFIX}{key}: no effect: the file of agent-inject-token" in text]
    assert not any("agent-inject-secret-token" in text for text in result.warnings)
    alone = ask(pod_with({key: "0440"}))
    assert any(f"{PREFIX}{key}: " in text and "agent-inject-secret-token" in text for text in alone.warnings)


@pytest.mark.parametrize(
    "path", ["pki/issue/web", "pki_int/issue/x", "/team/pki/issue/x", "ssh/sign/x", "transit/encrypt/k"]
)
def test_a_path_that_is_written_needs_a_template_that_writes(path):
    key = f"{PREFIX}agent-inject-secret-db: "
    result = ask(pod_with({"agent-inject-secret-db": path}))
    assert any(key in text and "template that writes, with pkiCert" in text for text in result.warnings) == (
        not path.startswith("/team")
    )
    assert ask(pod_with({"agent-inject-secret-db": path, "agent-inject-template-db": "x"})).warnings == []


@pytest.mark.parametrize("path", ["secret/data/issue", "kv/pki/cert", "pki/cert/ca", "pki/issue", "secret/issue/x"])
def test_other_paths_are_read(path):
    assert ask(pod_with({"agent-inject-secret-db": path})).warnings == []


def test_the_apps_token_is_readable_by_another_user():
    sinks = ask(pod_with({"agent-inject-token": "true", "secret-volume-path": "/s"})).config()["auto_auth"]["sink"]
    assert sinks[1]["config"] == {"path": "/s/token", "mode": 0o644}


def test_a_path_has_a_limit_that_the_refusal_names():
    assert ask(pod_with({"agent-inject-secret-a": "s/" + "x" * (PATH_MAX - 2)})).allowed
    result = ask(pod_with({"agent-inject-secret-a": "x/" * PATH_MAX}))
    assert (result.status["code"], result.reason) == (400, "AnnotationInvalid")
    assert "agent-inject-secret-a" in result.message
    assert str(PATH_MAX) in result.message
