"""The command line: the one reader of argv and of the environment.

Exit codes: 0 done, 1 something is refused or failed, 2 the input or a setting is unusable. Errors are one line on stderr.
"""

import os
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, TypeVar

import click

from webhook import __version__, yaml_text
from webhook.admit import Admission
from webhook.answer import MALFORMED
from webhook.commands import asking, check, env_file, explain, inject, manifests, pages, schema, setting_flags
from webhook.commands.setting_flags import SettingsCommand
from webhook.rolecheck.bindings.load import BindingsError, Snapshot, load
from webhook.settings.read import Settings, SettingsError, is_given, read

Command = TypeVar("Command", bound=Callable[..., object])
EXIT_REFUSED, EXIT_UNUSABLE = 1, 2
_GO_FLAG = re.compile(r"-(?P<name>[a-z][a-z-]+)(?P<rest>=.*)?", re.DOTALL)


def main() -> None:
    """Run the program; the console script."""
    arguments = sys.argv[1:]
    if arguments[:1] in (["serve"], ["agent-inject"]):
        arguments = [_double_dash(argument) for argument in arguments if argument != "2>&1"]
    cli(args=arguments, prog_name="vault-webhook")


def _double_dash(argument: str) -> str:
    """Return a flag as the reference injector takes it, -name=value, the way we take it."""
    flag = _GO_FLAG.fullmatch(argument)
    return f"--{flag['name']}{flag['rest'] or ''}" if flag else argument


class _Listed(click.Group):
    """Lists its commands in the order in which a newcomer meets them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 click's signature
        """Return the names in the order in which they are added."""
        return list(self.commands)


@click.group(cls=_Listed, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def cli() -> None:
    """Inject a Vault or OpenBao agent into pods, and refuse pods whose Vault role would not accept them.

    \b
    See it at work, without a cluster:  vault-webhook demo
    Would this be admitted?             vault-webhook check -f app.yaml --bindings bindings.yaml
    What becomes of a manifest?         vault-webhook inject -f app.yaml -o diff
    What may I annotate?                vault-webhook annotations
    Run the webhook:                    vault-webhook serve --vault-address https://vault:8200 ...

    Settings are flags, or variables: --vault-address is AGENT_INJECT_VAULT_ADDR. `vault-webhook settings` explains all.
    """


def _fail(message: str, code: int = EXIT_UNUSABLE) -> NoReturn:
    click.echo(f"vault-webhook: error: {message}", err=True)
    sys.exit(code)


def _env_file_option(command: Command) -> Command:
    option = click.option(
        "--env-file",
        metavar="FILE",
        help="Settings of a cluster: NAME=value lines, or the chart's ConfigMap as YAML. The environment beats it.",
    )
    return option(command)


def _settings(
    flags: Mapping[str, Any], file: str | None = None, *, binding_check: str = "", vault_address: str = ""
) -> Settings:
    try:
        flags_given, environment = _given(flags, file)
        return read(flags_given, environment, binding_check=binding_check, vault_address=vault_address)
    except SettingsError as error:
        _fail(str(error))


def _given(flags: Mapping[str, Any], file: str | None) -> tuple[dict[str, str], dict[str, str]]:
    """Return the settings that are given, as flags and as variables."""
    try:
        return setting_flags.given(flags), {**(env_file.read(file) if file else {}), **os.environ}
    except env_file.EnvFileError as error:
        _fail(str(error))


def _bindings(chosen: Settings) -> Snapshot | None:
    if not chosen.bindings or chosen.binding_check == "off":
        return None
    return _document(chosen.bindings)


def _document(file: str) -> Snapshot:
    try:
        document = Path(file).read_bytes()
        return load(document, yaml_text.documents)
    except (OSError, ValueError) as error:  # a name with a NUL is a ValueError
        place = explain.place_of(document, error) if isinstance(error, BindingsError) else ""
        _fail(f"{file}{place}: {getattr(error, 'strerror', None) or error}")


@cli.command()
@click.option("--keep", is_flag=True, help="Leave the server running until Ctrl-C.")
@click.option(
    "--examples", "folder", default="examples", show_default=True, metavar="FOLDER", help="Manifests to send."
)
def demo(keep: bool, folder: str) -> None:  # noqa: FBT001 click gives flags so
    """Send example manifests to a real server on a loopback port. It is asked as the API server would ask."""
    from webhook.commands.demo import DemoError, run  # noqa: PLC0415 the other commands start faster without a server

    try:
        run(Path(folder), keep=keep)
    except DemoError as error:
        _fail(str(error), EXIT_REFUSED)


def _manifest_options(command: Command) -> Command:
    """Give a command what it takes to ask about the pods of manifests."""
    for option in (
        _env_file_option,
        click.option(
            "--template-path",
            "template_paths",
            multiple=True,
            metavar="PATH",
            help="Where kinds that are not known keep a pod template, such as spec.template. May be given again.",
        ),
        click.option(
            "-n",
            "--kube-namespace",
            metavar="NAME",
            default="default",
            show_default=True,
            help="Namespace of objects that name none.",
        ),
        click.option(
            "-f",
            "--file",
            "files",
            multiple=True,
            required=True,
            metavar="FILE",
            help="Manifest, YAML or JSON, or a folder of them; - for standard input. May be given again.",
        ),
    ):
        command = option(command)
    return command


class _Asker:
    """Answers reviews with the settings and bindings given; `live`: with those that Vault has now."""

    def __init__(self, env_file: str | None, flags: Mapping[str, Any], *, live: bool = False) -> None:
        self.notes: list[str] = []  # what whoever reads the answers has to know
        if live:
            chosen = _settings(flags, env_file, binding_check="enforce")
            self.snapshot: Snapshot | None = _live_bindings(chosen)
        else:
            chosen = _settings(flags, env_file, vault_address=asking.STAND_IN)
            self.snapshot = _bindings(chosen)
            if not is_given("VAULT_ADDR", *_given(flags, env_file)):
                chosen = _settings(flags, env_file, vault_address=self._address_instead())
        self._admission, self._now = Admission(chosen), time.time()

    def __call__(self, body: bytes) -> bytes:
        """Return the answer to a review."""
        return self._admission.answer(body, self.snapshot, self._now).body

    def _address_instead(self) -> str:
        """Return the Vault address to go by where none is given: the document's, else one that is said to be made up."""
        if self.snapshot and self.snapshot.server_address:
            return self.snapshot.server_address
        self.notes.append(f"no --vault-address is given; {asking.STAND_IN} stands in for it")
        return asking.STAND_IN


def _live_bindings(chosen: Settings) -> Snapshot:
    from webhook.commands.bindings_pull import PullError, read  # noqa: PLC0415 as for control

    try:
        return load(read(chosen), yaml_text.documents)
    except (PullError, BindingsError) as error:
        _fail(str(error))


def _sources(files: Sequence[str]) -> list[tuple[str, list[Any]]]:
    try:
        named = [file for given in files for file in manifests.files_of(given)]
        return [(file, manifests.read(file, sys.stdin.buffer)) for file in named]
    except manifests.ManifestError as error:
        _fail(str(error))


def _judged(
    sources: Sequence[tuple[str, list[Any]]], ask: _Asker, namespace: str, template_paths: Sequence[str]
) -> list[asking.Judged]:
    """Return what came of every template, once the notes have been said: an error is to be the one line there is."""
    try:
        judged = list(asking.replies(sources, ask, namespace=namespace, template_paths=template_paths))
    except manifests.ManifestError as error:
        _fail(str(error))
    for note in ask.notes:
        click.echo(f"vault-webhook: {note}", err=True)
    return judged


@cli.command("check", cls=SettingsCommand, scope=setting_flags.CHECK)
@click.option(
    "-o", "--output", type=click.Choice(check.OUTPUTS), default=check.TABLE, show_default=True, help="How to write it."
)
@click.option(
    "--live", is_flag=True, help="Read the roles from Vault now, as `bindings pull` does, instead of --bindings."
)
@_manifest_options
def check_command(
    output: str,
    live: bool,  # noqa: FBT001 click gives flags so
    files: tuple[str, ...],
    kube_namespace: str,
    template_paths: tuple[str, ...],
    env_file: str | None,
    **flags: Any,
) -> None:
    """Tell whether the pods of manifests would be admitted. For pipelines.

    \b
    vault-webhook check -f app.yaml --bindings bindings.yaml
    helm template app | vault-webhook check -f - --bindings bindings.yaml -o junit

    Service account and namespace are the manifest's. Exits 1 when a pod would be refused, 2 when the input cannot be used;
    "not checked" alone is no failure.
    """
    sources = _sources(files)
    ask = _Asker(env_file, flags, live=live)
    if ask.snapshot is None:
        ask.notes.append("no Vault role is checked: --bindings names no document of them")
    judged = _judged(sources, ask, kube_namespace, template_paths)
    click.echo(check.render([check.line_of(one) for one in judged], output), nl=False)
    if output != check.TABLE:  # where the table does not say it
        for one in judged:
            if one.decision == asking.NOT_CHECKED:
                click.echo(f"{one.found.source}: {one.found.title}: not checked: {one.messages[0]}", err=True)
    sys.exit(EXIT_REFUSED if any(one.decision == asking.REFUSED for one in judged) else 0)


@cli.command("inject", cls=SettingsCommand, scope=setting_flags.ANSWER)
@click.option(
    "-o", "--output", type=click.Choice(inject.OUTPUTS), default="yaml", show_default=True, help="What to write."
)
@_manifest_options
def inject_command(
    output: str,
    files: tuple[str, ...],
    kube_namespace: str,
    template_paths: tuple[str, ...],
    env_file: str | None,
    **flags: Any,
) -> None:
    """Show what the webhook makes of manifests. Any workload, any number of documents.

    \b
    vault-webhook inject -f app.yaml -o diff
    kubectl get deployment app -o yaml | vault-webhook inject -f -

    Exits 1, and prints nothing but the reasons, when a pod would be refused; 2 when the input cannot be used. Objects that
    may make pods and could not be read are named on standard error.
    """
    sources = _sources(files)
    ask = _Asker(env_file, flags)
    judged = _judged(sources, ask, kube_namespace, template_paths)
    try:
        injected = inject.Injected([document for _, documents in sources for document in documents], judged)
    except manifests.ManifestError as error:
        _fail(str(error))
    for one in judged:
        label = "" if one.decision in (asking.ALLOW, asking.WARN) else f"{one.decision}: "
        for text in one.messages:
            click.echo(f"{one.found.source}: {one.found.title}: {label}{text}", err=True)
            label = ""
    if injected.is_refused:
        sys.exit(EXIT_REFUSED)
    click.echo(injected.render(output), nl=False)


@cli.command(cls=SettingsCommand, scope=setting_flags.ANSWER)
@_env_file_option
def review(env_file: str | None, **flags: Any) -> None:
    """Answer one AdmissionReview as the server would. It comes from standard input.

    \b
    vault-webhook review --env-file settings.env < review.json > answer.json
    """
    chosen = _settings(flags, env_file)
    answer = Admission(chosen).answer(sys.stdin.buffer.read(), _bindings(chosen), time.time())
    click.echo(answer.body, err=answer.decision == MALFORMED)
    sys.exit(EXIT_UNUSABLE if answer.decision == MALFORMED else 0)


@cli.command(cls=SettingsCommand, scope=setting_flags.SERVE)
def serve(**flags: Any) -> None:
    """Run the webhook. /mutate over TLS; probes, metrics and pages on the admin port.

    \b
    vault-webhook serve --vault-address https://vault:8200 --bindings /etc/vault-webhook/bindings.yaml \\
        --tls-cert-file /tls/tls.crt --tls-key-file /tls/tls.key
    """
    from webhook.server.serve import serve as run  # noqa: PLC0415 the other commands start faster without a server

    sys.exit(run(_settings(flags)))


_alias = copy(serve)  # the name that the reference injector's manifests use
_alias.hidden = True
cli.add_command(_alias, "agent-inject")


@cli.command(cls=SettingsCommand, scope=setting_flags.CONTROL)
def control(**flags: Any) -> None:
    """Keep the bindings file fresh. Asks Vault for roles, and answers the server before it refuses a pod."""
    from webhook.controller.control import run  # noqa: PLC0415 the other commands start faster without its clients

    sys.exit(run(_settings(flags)))


@cli.command()
@click.argument("key", required=False)
@click.option("--markdown", is_flag=True, help="All of them as docs/annotations.md.")
def annotations(key: str | None, markdown: bool) -> None:  # noqa: FBT001 click gives flags so
    """List the annotations, or explain one."""
    if markdown:
        click.echo(pages.annotations(), nl=False)
        return
    try:
        click.echo(pages.annotation(key) if key else pages.annotation_list(), nl=False)
    except KeyError as error:
        _fail(str(error.args[0]))


@cli.command("reasons")
def reasons_command() -> None:
    """Print docs/reasons.md: every reason code explained."""
    click.echo(pages.reasons(), nl=False)


@cli.command("presets")
def presets_command() -> None:
    """Print docs/presets.md: what each preset lets annotations do."""
    click.echo(pages.presets(), nl=False)


@cli.command("settings")
def settings_command() -> None:
    """Print docs/settings.md: every setting explained."""
    click.echo(pages.settings(), nl=False)


@cli.group("bindings")
def bindings_group() -> None:
    """Look into documents of Vault roles, or make one. Pods are checked against them."""


@bindings_group.command("explain")
@click.option(
    "--case",
    "cases",
    type=click.File("rb"),
    required=True,
    metavar="FILE",
    help="- for standard input.",
)
def bindings_explain(cases: BinaryIO) -> None:
    """Judge cases, one JSON object a line: {"bindings", "request", "identity", "settings", "now"}.

    Answers each with one line: {"decision", "reason", "message", "findings"}.
    """
    try:
        for line in explain.explain_lines(cases):
            click.echo(line)
    except explain.ExplainError as error:
        _fail(str(error))


@bindings_group.command("validate")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
def bindings_validate(files: tuple[str, ...]) -> None:
    """Check bindings documents; exits 2 on the first that cannot be used, naming the place and its line."""
    for file in files:
        click.echo(explain.summary(file, _document(file)))


@bindings_group.command("schema")
def bindings_schema() -> None:
    """Print docs/bindings.schema.json: the JSON Schema of the document."""
    click.echo(schema.bindings(), nl=False)


@bindings_group.command("pull", cls=SettingsCommand, scope=setting_flags.PULL)
@click.option("-o", "--output", default="-", show_default=True, metavar="FILE", help="Where to; - for standard output.")
@_env_file_option
def bindings_pull(output: str, env_file: str | None, **flags: Any) -> None:
    """Read all roles from Vault once, and write the document."""
    from webhook.commands.bindings_pull import PullError, pull  # noqa: PLC0415 as for control

    try:
        pull(_settings(flags, env_file), output)
    except PullError as error:
        _fail(str(error), EXIT_REFUSED)


@bindings_group.command("policy", cls=SettingsCommand, scope=setting_flags.PULL)
@_env_file_option
def bindings_policy(env_file: str | None, **flags: Any) -> None:
    """Print the Vault policy that `control` and `bindings pull` need."""
    from webhook.controller.policy import policy  # noqa: PLC0415 as for control

    click.echo(policy(_settings(flags, env_file).control), nl=False)


if __name__ == "__main__":
    main()
