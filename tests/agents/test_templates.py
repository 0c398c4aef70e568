"""What preset strict promises of templates holds in the real agent, and what it leaves to templates still works."""

import pytest

from tests.agents.rendering import VARIABLE, render
from tests.controller.openbao import Bao
from tests.core.asking import PREFIX, ask, pod_with
from webhook.core.annotations.template_rules import DENIED_FUNCTIONS

pytestmark = pytest.mark.slow
STRICT = {"AGENT_INJECT_PRESET": "strict"}
RUN = "leak-of-a-command"
TOKEN = "/home/vault/.vault-token"  # where the agent writes its token
ASKED = {"secret/data/db": {"data": {"user": "shop", "password": "pw-of-db"}}}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with (tmp_path_factory.mktemp("bao") / "log").open("w") as log:
        running = Bao(log)
        try:
            for path, body in ASKED.items():
                running.write(path, body)
            yield running
        finally:
            running.stop()


@pytest.fixture(scope="module")
def token(server):
    return server.token({"secret/*": ["read", "update", "create"], "auth/token/lookup-self": ["read"]})


def command(argument):
    return f'plugin "/bin/sh" "-c" "{argument}"'


ECHO = command(f"echo {RUN}")
ADMITTED = {  # the agent itself refuses these: template, or annotations of the secret x, and what leaks where nothing is refused
    "plugin": (f"{{{{ {ECHO} }}}}", RUN),
    "plugin, trimmed": (f"{{{{- {ECHO} -}}}}", RUN),
    "plugin in a definition": (f'{{{{ define "a" }}}}{{{{ {ECHO} }}}}{{{{ end }}}}{{{{ template "a" }}}}', RUN),
    "plugin by executeTemplate": (
        f'{{{{ define "a" }}}}{{{{ {ECHO} }}}}{{{{ end }}}}{{{{ executeTemplate "a" }}}}',
        RUN,
    ),
    "plugin in a pipe": (f'{{{{ "echo {RUN}" | plugin "/bin/sh" "-c" }}}}', RUN),
    "plugin in parentheses": (f"{{{{ with ({ECHO}) }}}}{{{{ . }}}}{{{{ end }}}}", RUN),
    "plugin, other delimiters": (
        {
            "agent-inject-template-x": f"[[ {ECHO} ]]",
            "agent-template-left-delim-x": "[[",
            "agent-template-right-delim-x": "]]",
        },
        RUN,
    ),
    "file": (f'{{{{ file "{TOKEN}" }}}}', None),
    "file by dots": ('{{ file "/vault/secrets/../../home/vault/.vault-token" }}', None),
    "file by a link": ('{{ file "/vault/secrets/link" }}', None),
    "env": ('{{ env "LEAK" }}', VARIABLE),
    "mustEnv": ('{{ mustEnv "LEAK" }}', VARIABLE),
    "envOrDefault": ('{{ envOrDefault "LEAK" "" }}', VARIABLE),
    "sprig_env": ('{{ sprig_env "LEAK" }}', VARIABLE),
    "sprig_expandenv": ('{{ sprig_expandenv "$LEAK" }}', VARIABLE),
    "sprig_getHostByName": ('{{ sprig_getHostByName "localhost" }}', "127.0.0.1"),
    "sockaddr": ('{{ sockaddr "GetAllInterfaces" }}', "127.0.0.1"),
    "writeToFile": (f'{{{{ "{RUN}" | writeToFile "/vault/secrets/w" "" "" "0644" }}}}', RUN),
}


def as_annotations(template):
    return template if isinstance(template, dict) else {"agent-inject-template-x": template}


@pytest.mark.parametrize("name", ADMITTED)
def test_the_agent_runs_nothing_and_reads_nothing_outside_the_secrets(name, server, token, tmp_path):
    template, leak = ADMITTED[name]
    annotations = as_annotations(template)
    before = {"links": {"/vault/secrets/link": TOKEN}, "files": {TOKEN: token}}  # as after a restart
    (tmp_path / "compat").mkdir()
    (tmp_path / "strict").mkdir()
    free = render(server, token, tmp_path / "compat", annotations, settings={}, **before)
    assert any((leak or token) in text for text in free.texts()), free.said
    walled = render(server, token, tmp_path / "strict", annotations, settings=STRICT, **before)
    assert walled["/vault/secrets/x"] is None
    assert not any((leak or token) in text for text in walled.texts())
    assert "function is disabled" in walled.said or "is outside of sandbox" in walled.said


def test_what_is_written_to_the_agents_output_is_refused_too(server, token, tmp_path):
    walled = render(
        server, token, tmp_path, {"agent-inject-template-x": f'{{{{ spew_printf "{RUN}" }}}}'}, settings=STRICT
    )
    assert "function is disabled" in walled.said


@pytest.mark.parametrize("function", ["plugin", "env", "writeToFile", "spew_dump", "sprig_getHostByName"])
def test_the_author_is_told_what_will_not_run(function):
    result = ask(pod_with({"agent-inject-template-x": f'{{{{ {function} "a" }}}}'}), settings=STRICT)
    assert result.allowed
    named = f"{PREFIX}agent-inject-template-x: under preset strict the agent will not run {function}"
    assert any(named in text for text in result.warnings)
    assert function in DENIED_FUNCTIONS


@pytest.mark.parametrize("settings", [{}, STRICT], ids=["compat", "strict"])
def test_template_files_are_held_to_the_same(settings, server, token, tmp_path):
    annotations = {"agent-inject-template-file-x": "/vault/custom/x.ctmpl"}
    rendered = render(
        server, token, tmp_path, annotations, settings=settings, files={"/vault/custom/x.ctmpl": f"{{{{ {ECHO} }}}}"}
    )
    assert (rendered["/vault/secrets/x"] == RUN) == (settings == {})


LOOKUP = "auth/token/lookup-self"
PATHS = [  # each is the agent's own token to the real agent
    LOOKUP,
    f"/{LOOKUP}",
    f" {LOOKUP}/ ",
    "auth//token/lookup-self",
    f"secret/../{LOOKUP}",
    f"./{LOOKUP}",
    "auth%2Ftoken%2flookup-self",
    f"x://y/{LOOKUP}",
    f"{LOOKUP}?version=1#x",
]
CALLS = [
    '{{ with secret (printf "%s/token/lookup-self" "auth") }}{{ .Data.id }}{{ end }}',
    '{{ with "auth/token/lookup-self" | secret }}{{ .Data.id }}{{ end }}',
    '{{ $p := "auth/token/lookup-self" }}{{ with secret $p }}{{ .Data.id }}{{ end }}',
    '{{ with secret "\\x61uth/token/lookup-self" }}{{ .Data.id }}{{ end }}',
    "{{ with secret `auth/token/lookup-self` }}{{ .Data.id }}{{ end }}",
    '{{- /* a */ -}}{{ with (secret "auth/token/lookup-self") }}{{ .Data.id }}{{ end }}',
    '{{/* {{ */}}{{ with secret "auth/token/lookup-self" }}{{ .Data.id }}{{ end }}',
    '{{ "}}" }}{{ with secret "auth/token/lookup-self" }}{{ .Data.id }}{{ end }}',
]
OTHER_ENDS = {  # closing delimiters that Go takes for a part of what they follow
    "=": '{{ with $x := secret (print "auth/token/" "lookup-self") ={{ $x.Data.id ={{ end =',
    "+": '{{ with and 1+0i (secret (print "auth/token/" "lookup-self")) +{{ .Data.id +{{ end +',
    "-": '{{- with secret (print "auth/token/" "lookup-self") -{{ .Data.id -{{ end -',
}
TOKEN_REQUESTS = [
    *({"agent-inject-secret-x": path} for path in PATHS),
    *({"agent-inject-template-x": f'{{{{ with secret "{path}" }}}}{{{{ .Data.id }}}}{{{{ end }}}}'} for path in PATHS),
    *({"agent-inject-template-x": template} for template in CALLS),
    *({"agent-template-right-delim-x": end, "agent-inject-template-x": text} for end, text in OTHER_ENDS.items()),
]


@pytest.mark.parametrize("annotations", TOKEN_REQUESTS, ids=lambda annotations: next(iter(annotations.values())))
def test_strict_refuses_every_way_to_ask_vault_for_the_agents_token(annotations, server, token, tmp_path):
    free = render(server, token, tmp_path, annotations, settings={})
    assert token in (free["/vault/secrets/x"] or ""), free.said
    result = ask(pod_with(annotations), settings=STRICT)
    assert result.reason == "PolicyForbids"
    assert PREFIX + next(iter(annotations)) in result.message


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        ({"agent-inject-secret-x": "secret/db"}, "pw-of-db"),
        ({"agent-inject-secret-x": "secret/data/db", "agent-inject-default-template": "json"}, '"password":"pw-of-db"'),
        ({"agent-inject-template-x": '{{ with secret "secret/db" }}{{ .Data.data.user }}{{ end }}'}, "shop"),
        (
            {"agent-inject-template-x": '{{ with secret "secret/db" }}{{ .Data.data.user | sprig_upper }}{{ end }}'},
            "SHOP",
        ),
        (
            {"agent-inject-template-x": '{{ with secret "secret/w" "a=b" }}{{ .Data.version }}{{ end }}'},
            "1",
        ),
        (
            {
                "agent-inject-template-x": '<% with secret "secret/db" %><% .Data.data.user %><% end %>',
                "agent-template-left-delim-x": "<%",
                "agent-template-right-delim-x": "%>",
            },
            "shop",
        ),
        (
            {
                "agent-inject-template-x": '{{ define "u" }}{{ .Data.data.user }}{{ end }}'
                '{{ with secret "secret/db" }}{{ executeTemplate "u" . }}{{ end }}'
            },
            "shop",
        ),
        ({"agent-inject-template-x": '{{ file "/vault/secrets/there" }}'}, "in the volume"),
        ({"agent-inject-template-file-x": "/vault/custom/t"}, "shop"),
    ],
)
def test_ordinary_secrets_are_rendered_in_strict(annotations, expected, server, token, tmp_path):
    files = {
        "/vault/secrets/there": "in the volume",
        "/vault/custom/t": '{{ with secret "secret/db" }}{{ .Data.data.user }}{{ end }}',
    }
    rendered = render(server, token, tmp_path, annotations, settings=STRICT, files=files)
    assert expected in (rendered["/vault/secrets/x"] or ""), rendered.said


def test_an_app_that_may_write_to_the_secrets_takes_file_from_templates(server, token, tmp_path):
    settings = {**STRICT, "AGENT_INJECT_PRESET_ALLOW": "secret-volume-read-only"}
    annotations = {"agent-inject-template-x": '{{ file "/vault/secrets/there" }}'}
    rendered = render(server, token, tmp_path, annotations, settings=settings, files={"/vault/secrets/there": "x"})
    assert rendered["/vault/secrets/x"] is None
    assert "function is disabled" in rendered.said


@pytest.mark.parametrize("opened", ["agent-inject-template-<name>", "agent-inject-template-x"])
def test_an_operator_who_opens_templates_opens_all_of_them(opened, server, token, tmp_path):
    settings = {**STRICT, "AGENT_INJECT_PRESET_ALLOW": opened}
    rendered = render(server, token, tmp_path, {"agent-inject-template-x": f"{{{{ {ECHO} }}}}"}, settings=settings)
    assert rendered["/vault/secrets/x"] == RUN
