"""Which calls of a template could reach the agent's token, read as Go's text/template reads them."""

import pytest

from webhook.core.annotations.template_rules import file_problem, findings, is_plain_delimiter, path_problem


def problem(template):
    return findings(template, "{{", "}}").problem


@pytest.mark.parametrize(
    "template",
    [
        "",
        'text secret "auth/x" text',
        '{{ with secret "kv/x" }}{{ .Data.secret }}{{ $secret }}{{ end }}',
        '{{secret "kv/x"}}',
        '{{ secret "kv/x?version=2" "a=b" | toJSON }}',
        "{{ secret `kv/x` }}",
        '{{ "a=b" | secret "pki/issue/x" }}',
        '{{/* secret "auth/x" */}}',
        "{{- /* secret $x */ -}}",
        '{{ "secret" }}{{ `secrets` }}{{ \'"\' }}',
        '{{ secretive "auth/x" }}{{ mysecret $x }}',
        '{{ with pkiCert "pki/issue/x" (printf "%s" "a=b") }}{{ .Key }}{{ end }}',
        '{{ range secrets "kv/" }}{{ . }}{{ end }}',
        '{{ secret "kv/auth/x" }}{{ secret "kv/auth/token" }}',
    ],
)
def test_ordinary_templates_pass(template):
    assert problem(template) == ""


@pytest.mark.parametrize(
    "template",
    [
        "{{ secret }}",
        "{{ secret $x }}",
        "{{ secret .x }}",
        '{{ secret (print "kv/x") }}',
        '{{ "kv/x" | secret }}',
        '{{ secret"sys/x" }}',
        '{{secret "auth/x"}}',
        '{{ pkiCert "auth/token/create" }}',
        '{{ secrets "auth/token/accessors" }}',
        '{{ secret "team/auth/token/lookup-self" }}',
        '{{ secret "\\x61uth/x" }}',
        '{{ "}}" | secret }}',
        "{{ `}}` | secret }}",
        "{{ '\"' | print }}{{ secret $x }}",
        "{{ /* not a comment */ secret $x }}",
        "{{-/* not a comment */ secret $x }}",
        "{{/* {{ */}}{{ secret $x }}",
        '{{ if secret.x "kv/x" }}',
        "{{ secret",
        '{{ secret "kv/x',
        "{{ `",
        "{{/* secret",
        "{{/* x */ secret }}",
        '{{ secret "" }}',
    ],
)
def test_calls_that_could_be_anything_do_not(template):
    assert problem(template)


@pytest.mark.parametrize(
    "path", ["kv/x", "/kv/x/", "kv/data/a:b", "kv/x?version=1#a", "pki/issue/x", "identity/oidc/token/x"]
)
def test_paths_of_secrets_engines(path):
    assert path_problem(path) == ""


ELSEWHERE = "auth", "auth/token/lookup-self", "//sys/mounts", "t/auth/token/lookup-self"
NOT_PLAIN = (
    "",
    " ",
    "/",
    "?",
    "#x",
    "kv/../auth/x",
    "./kv",
    "kv/%61",
    "kv\\x",
    "a:b/c",
    "http://h/kv/x",
    "x" * 5_000,
    "kv/\0",
)


@pytest.mark.parametrize("path", [*ELSEWHERE, *NOT_PLAIN])
def test_other_paths(path):
    assert path_problem(path)


@pytest.mark.parametrize("path", ["/vault/custom/x", "/vault/configs/a/b.ctmpl"])
def test_template_files_lie_below_the_mounts_that_authors_fill(path):
    assert file_problem(path) == ""


@pytest.mark.parametrize(
    "path",
    [
        "/vault/custom",
        "/vault/custom/",
        "/vault/custom/../../home/vault/.vault-token",
        "/vault/custom/./x",
        "/vault/custom//x",
        "vault/custom/x",
        "/vault/customs/x",
        "/vault/secrets/x",
        "/home/vault/.vault-token",
        "/proc/self/environ",
        "",
    ],
)
def test_and_nowhere_else(path):
    assert file_problem(path)


@pytest.mark.parametrize(("delimiter", "plain"), [("{{", True), ("<%", True), ("[[", True), ("", False), ('"', False)])
@pytest.mark.parametrize("more", ["", "x", " ", "`", "(", "$", "|", ".", "'", "é", "\n", "=", "+", "-"])
def test_delimiters_are_plain_punctuation(delimiter, plain, more):
    assert is_plain_delimiter(delimiter + more) == (plain and not more)
