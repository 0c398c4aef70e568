"""Hold what an author asks for against the preset: refuse what it forbids, or warn of it."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from webhook.core.annotations import template_rules
from webhook.core.annotations.go_values import quantity_value
from webhook.core.annotations.intent import Intent, SecretRequest
from webhook.core.annotations.presets import (
    BASELINE,
    BOUNDS,
    INLINE,
    READ_ONLY,
    STRICT,
    Preset,
    PresetMode,
    PresetPolicy,
)
from webhook.core.annotations.secrets import DECLARATION
from webhook.core.annotations.table import row_of
from webhook.core.refusal import WARNINGS_OF_A_KIND_MAX, Refused, refused, warning
from webhook.reasons import Reason


class Breach(NamedTuple):
    """One thing that is forbidden."""

    key: str  # of the annotation, without prefix
    what: str


def enforce(intent: Intent, usual: Intent, policy: PresetPolicy) -> list[str]:
    """Refuse what the preset forbids, or return it as warnings; say which template functions the agent will not run.

    Args:
        intent: what the author asks for.
        usual: what a pod gets that asks for nothing particular: the operator's defaults.
        policy: the preset.

    Raises:
        Refused: names the first annotation that is forbidden, and the preset.
    """
    if policy.preset is Preset.COMPAT:
        return []
    looked_through = _look_through(intent, policy)
    warnings = verdict(
        ((intent.annotation(key), what) for key, what in sorted(_breaches(intent, usual, policy, looked_through))),
        policy,
    )
    return [*warnings, *_of_disabled(intent, looked_through, policy)]


def verdict(breaches: Iterable[tuple[str, str]], policy: PresetPolicy) -> list[str]:
    """Refuse for the first breach, or return those an answer has room for as warnings, as the operator chose.

    Args:
        breaches: subject, such as an annotation's whole key, and what is forbidden.
        policy: the preset.

    Raises:
        Refused: the preset is enforced and there is a breach.
    """
    if policy.mode is PresetMode.WARN:
        said = f"preset {policy.preset} will forbid this: {{}} ({Reason.POLICY_FORBIDS})"
        return [warning(subject, said.format(what)) for subject, what in islice(breaches, WARNINGS_OF_A_KIND_MAX)]
    for subject, what in breaches:
        raise _forbidden(subject, what, policy)
    return []


def _forbidden(subject: str, what: str, policy: PresetPolicy) -> Refused:
    return refused(
        Reason.POLICY_FORBIDS,
        subject,
        f"preset {policy.preset} of this cluster forbids {what}",
        "Remove it, or ask the platform team to allow it",
    )


Looked = list[tuple[SecretRequest, template_rules.Findings]]


def _breaches(intent: Intent, usual: Intent, policy: PresetPolicy, looked_through: Looked) -> Iterator[Breach]:
    for key in intent.in_pod:
        if policy.opens(key) or not _differs(key, intent, usual):
            continue
        row = row_of(key)
        rule = BASELINE.get(row.key) if row else None
        if rule is not None and rule.forbids(intent, policy, key):
            yield Breach(key, rule.what)
        elif policy.preset is Preset.STRICT and not (key in STRICT or (row is not None and row.key in STRICT)):
            yield Breach(key, "what is not on its list")
    if policy.preset is Preset.STRICT:
        yield from _out_of_bounds(intent, usual, policy)
        yield from _of_secrets(intent, policy)
        yield from _of_templates(intent, looked_through)
    yield from _too_much(intent, policy)


def _differs(key: str, intent: Intent, usual: Intent) -> bool:
    """Tell whether the annotation changes anything; those completed by the author always do."""
    row = row_of(key)
    if row is None:
        return False
    if row.is_open or not row.field:
        return row.is_open
    mine, theirs = getattr(intent, row.field, None), getattr(usual, row.field, None)
    return bool(mine != theirs) and not (mine is False and theirs is None)


def _out_of_bounds(intent: Intent, usual: Intent, policy: PresetPolicy) -> Iterator[Breach]:
    for bound in BOUNDS:
        for kind in ("limits", "requests", "init-limits", "init-requests"):
            key = f"agent-{kind}-{bound.what}"
            if key not in intent.in_pod or policy.opens(key) or not _differs(key, intent, usual):
                continue
            amount = getattr(intent, f"{kind.replace('-', '_')}_{bound.field}")
            most = bound.most(policy)
            if kind.endswith("limits") and not (amount and quantity_value(amount)):  # the kubelet reads 0 as no limit
                yield Breach(key, "an agent without this limit")
            elif amount and quantity_value(amount) > quantity_value(most):
                yield Breach(key, f"more than {most}")
    if READ_ONLY in intent.in_pod and not intent.secret_volume_read_only and not policy.opens(READ_ONLY):
        yield Breach(READ_ONLY, "secrets the app can write to")


def _of_secrets(intent: Intent, policy: PresetPolicy) -> Iterator[Breach]:
    """Yield what strict forbids of one secret, templates of its own aside."""
    for secret in intent.secrets:
        name = _name(secret)
        key = f"secret-volume-path-{name}"
        if not policy.opens(key) and not f"{secret.mount_path}/".startswith(f"{intent.secret_volume_path}/"):
            yield Breach(key, f"a path outside {intent.secret_volume_path}")
        for side, delimiter in (("left", secret.left_delimiter), ("right", secret.right_delimiter)):
            key = f"agent-template-{side}-delim-{name}"
            if not (template_rules.is_plain_delimiter(delimiter) or policy.opens(key)):
                yield Breach(key, "a delimiter that is not plain punctuation")
        if secret.template:
            continue
        key, problem = secret.key, template_rules.path_problem(secret.path)
        if secret.template_file:
            key, problem = f"agent-inject-template-file-{name}", template_rules.file_problem(secret.template_file)
        if problem and not policy.opens(key):
            yield Breach(key, problem)


def _look_through(intent: Intent, policy: PresetPolicy) -> Looked:
    """Look through the inline templates; none of a pod that has too much of them, which is a breach itself."""
    if policy.preset is not Preset.STRICT or _templates_too_much(intent):
        return []
    return [
        (secret, template_rules.findings(secret.template, secret.left_delimiter, secret.right_delimiter))
        for secret in intent.secrets
        if secret.template
        and not policy.opens(f"agent-inject-template-{_name(secret)}")
        # odd delimiters are a breach themselves
        and template_rules.is_plain_delimiter(secret.left_delimiter)
        and template_rules.is_plain_delimiter(secret.right_delimiter)
    ]


def _templates_too_much(intent: Intent) -> str:
    if sum(len(secret.template) for secret in intent.secrets) > template_rules.TEMPLATES_MAX:
        return f"more than {template_rules.TEMPLATES_MAX} characters of templates"
    if len({secret.right_delimiter for secret in intent.secrets}) > template_rules.DELIMITERS_MAX:
        return f"more than {template_rules.DELIMITERS_MAX} kinds of delimiters in a pod"
    return ""


def _of_templates(intent: Intent, looked_through: Looked) -> Iterator[Breach]:
    if problem := _templates_too_much(intent):
        yield Breach(INLINE, problem)
    for secret, found in looked_through:
        if found.problem:
            yield Breach(f"agent-inject-template-{_name(secret)}", found.problem)


def _of_disabled(intent: Intent, looked_through: Looked, policy: PresetPolicy) -> list[str]:
    """Return a warning for each template that names functions which the agent will not run."""
    said = "will not run" if policy.mode is PresetMode.ENFORCE else "would not run"
    return [
        warning(
            intent.annotation(f"agent-inject-template-{_name(secret)}"),
            f"under preset {policy.preset} the agent {said} {', '.join(sorted(found.disabled))}; the file is not rendered",
        )
        for secret, found in looked_through
        if found.disabled
    ]


def _too_much(intent: Intent, policy: PresetPolicy) -> Iterator[Breach]:
    if len(intent.secrets) > policy.secrets_max:
        yield Breach("agent-inject-secret-<name>", f"more than {policy.secrets_max} secrets in a pod")
    for secret in intent.secrets:
        if len(secret.template.encode("utf-8", "replace")) > policy.template_bytes_max:
            yield Breach(
                f"agent-inject-template-{_name(secret)}", f"templates of more than {policy.template_bytes_max} bytes"
            )
    if intent.annotation_bytes > policy.annotation_bytes_max:
        yield Breach("agent-inject", f"more than {policy.annotation_bytes_max} bytes of annotations")


def _name(secret: SecretRequest) -> str:
    """Return the secret's name as the author wrote it."""
    return secret.key.removeprefix(DECLARATION)
