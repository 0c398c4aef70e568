"""Settings: one frozen value, read from flags and variables by the rows of the table, and checked once at start."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from webhook.core.annotations.family import OPENBAO, VAULT
from webhook.core.annotations.go_values import backoffs_fit, quantity_value
from webhook.core.annotations.presets import READ_ONLY, Preset, PresetMode, PresetPolicy
from webhook.core.annotations.read import Reader
from webhook.core.inject.pod_settings import PodSettings, SidecarMode
from webhook.one_line import clean
from webhook.rolecheck.login_request import Disclosure, Lapse, Mode, PolicyCheck, Rules
from webhook.rolecheck.verdict import Level
from webhook.settings.control import Control, control
from webhook.settings.parsers import Address
from webhook.settings.rows import PREFIX, ROWS, SettingRow

_DEFAULTS = {row.variable: row.default for row in ROWS}
_LEVELS = {"allow": Level.ALLOW, "off": Level.ALLOW, "warn": Level.WARN, "deny": Level.DENY}


class SettingsError(ValueError):
    """A setting has a value we cannot work with; the text names it in one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the process was told, checked; attributes are the rows' fields."""

    listen: Address
    admin_listen: Address
    workers: int
    tls_cert_file: str
    tls_key_file: str
    tls_min_version: str
    tls_cipher_suites: str
    client_ca_file: str  # "": clients need no certificate
    client_allowed_names: tuple[str, ...]
    refusals_per_second: int  # of one address; 0: any number
    telemetry_path: str
    log_level: str
    log_format: str
    keep_alive_s: int
    handshake_timeout_s: int
    header_timeout_s: int
    body_timeout_s: int
    body_limit_bytes: int
    connection_max_age_s: int
    drain_s: int
    runtime_dir: str
    bindings: str
    binding_check: str
    pod_settings: PodSettings  # what shapes a pod
    rules: Rules  # what the role check goes by
    preset: PresetPolicy  # what annotations may do
    reader: Reader  # reads annotations with these settings' defaults
    confirm_socket: str
    control: Control  # what the controller goes by
    given: Mapping[str, str]  # every variable, without PREFIX, as it was given or by default

    def masked(self) -> dict[str, str]:
        """Return every setting as text for people, those that may hold a secret as ***."""
        return {
            PREFIX + row.variable: "***" if row.masked and self.given[row.variable] else self.given[row.variable]
            for row in ROWS
        }


def read(
    flags: Mapping[str, str], environment: Mapping[str, str], *, binding_check: str = "", vault_address: str = ""
) -> Settings:
    """Read all settings.

    Args:
        flags: option without dashes to text, those given only.
        environment: variable to text, such as {"AGENT_INJECT_VAULT_ADDR": "https://vault:8200"}; others are ignored.
        binding_check: the BINDING_CHECK of a caller that brings the roles itself, where the setting is not given.
        vault_address: the VAULT_ADDR of a caller that can do with another one, where the setting is not given.

    Raises:
        SettingsError: a value does not fit, or two do not fit together; names the setting and the value.
    """
    given = {row.variable: _text(row, flags, environment) for row in ROWS}
    given["VAULT_ADDR"] = given["VAULT_ADDR"] or vault_address
    found: dict[str, Any] = {}
    for row in ROWS:
        try:
            found[row.variable] = row.read(given[row.variable])
        except ValueError as error:
            shown = "***" if row.masked else clean(given[row.variable], 60)
            raise SettingsError(f'{PREFIX}{row.variable} "{shown}" (--{row.option}): {error}') from error
    _check_together(given, has_bindings=bool(given["BINDINGS"] or binding_check))
    fields = {row.field: found[row.variable] for row in ROWS if row.field in Settings.__slots__}
    fields["preset"] = preset = _preset(found)  # in place of its name alone
    fields["binding_check"] = found["BINDING_CHECK"] or binding_check or ("enforce" if found["BINDINGS"] else "off")
    return Settings(
        **fields,
        pod_settings=_pod_settings(found, preset),
        rules=_rules(found, fields["binding_check"]),
        reader=_reader(given, preset),
        control=control(found, given),
        given=given,
    )


def is_given(variable: str, flags: Mapping[str, str], environment: Mapping[str, str]) -> bool:
    """Tell whether a setting, by its variable without PREFIX, has a value that is not its default."""
    row = next(row for row in ROWS if row.variable == variable)
    return _text(row, flags, environment) != row.default


def _text(row: SettingRow, flags: Mapping[str, str], environment: Mapping[str, str]) -> str:
    if row.option in flags:
        return flags[row.option]
    for variable in (row.variable, *row.also):
        if text := environment.get(PREFIX + variable, ""):
            return text
    return row.default


def _check_together(given: Mapping[str, str], *, has_bindings: bool) -> None:
    if not given["VAULT_ADDR"]:
        raise SettingsError(
            f"{PREFIX}VAULT_ADDR (--vault-address) is not set: give the address of the Vault server, such as https://vault:8200"
        )
    for one, other in (("TLS_CERT_FILE", "TLS_KEY_FILE"), ("TLS_KEY_FILE", "TLS_CERT_FILE")):
        if given[one] and not given[other]:
            raise SettingsError(f"{PREFIX}{one} is set and {PREFIX}{other} is not: a certificate needs its key")
    if given["CLIENT_ALLOWED_NAMES"] and not given["CLIENT_CA_FILE"]:
        raise SettingsError(
            f"{PREFIX}CLIENT_ALLOWED_NAMES is set and {PREFIX}CLIENT_CA_FILE is not: names count in certificates of a CA only"
        )
    if given["BINDING_CHECK"] in ("enforce", "warn") and not has_bindings:
        raise SettingsError(
            f"{PREFIX}BINDING_CHECK is {given['BINDING_CHECK']} and {PREFIX}BINDINGS is not set: name a bindings file"
        )
    least, most = given["AUTH_MIN_BACKOFF"], given["AUTH_MAX_BACKOFF"]
    if not backoffs_fit(least, most):
        raise SettingsError(
            f'{PREFIX}AUTH_MIN_BACKOFF "{least}" is not below {PREFIX}AUTH_MAX_BACKOFF "{most}": no agent would start'
        )
    _check_resources(given)


def _check_resources(given: Mapping[str, str]) -> None:
    """Refuse a request above a limit where both are given; a default gives way to what is."""
    for resource in ("CPU", "MEM", "EPHEMERAL"):
        request, limit = f"{resource}_REQUEST", f"{resource}_LIMIT"
        both_are_given = all(given[variable] not in ("", _DEFAULTS[variable]) for variable in (request, limit))
        if both_are_given and quantity_value(given[request]) > quantity_value(given[limit]):
            raise SettingsError(
                f'{PREFIX}{request} "{given[request]}" is above {PREFIX}{limit} "{given[limit]}": no agent would be admitted'
            )


def _pod_settings(found: Mapping[str, Any], preset: PresetPolicy) -> PodSettings:
    return PodSettings(
        preset=preset,
        sidecar_mode=SidecarMode(found["SIDECAR_MODE"]),
        token_audience=found["TOKEN_AUDIENCE"],
        token_expiration_s=found["TOKEN_EXPIRATION"],
        memory_volume_size_limit=found["MEMORY_VOLUME_SIZE_LIMIT"],
        ca_certificates=found["VAULT_CACERT_BYTES"],
    )


def _rules(found: Mapping[str, Any], mode: str) -> Rules:
    return Rules(
        mode=Mode(mode),
        policy_check=PolicyCheck(found["POLICY_CHECK"]),
        on_unavailable=Lapse(found["BINDINGS_ON_UNAVAILABLE"]),
        on_stale=Lapse(found["BINDINGS_ON_STALE"]),
        max_staleness_s=found["BINDINGS_MAX_STALENESS"],
        wildcard=_LEVELS[found["WILDCARD"]],
        require_audience=_LEVELS[found["REQUIRE_AUDIENCE"]],
        api_server_audiences=found["API_SERVER_AUDIENCES"],
        default_token_audiences=found["DEFAULT_TOKEN_AUDIENCES"],
        cluster_issuer=found["CLUSTER_ISSUER"],
        lifetime_advisories=found["LIFETIME_ADVISORIES"],
        disclosure=Disclosure(found["DISCLOSURE"]),
    )


def _preset(found: Mapping[str, Any]) -> PresetPolicy:
    issuer = (found["CLUSTER_ISSUER"],) if found["CLUSTER_ISSUER"] else ()
    return PresetPolicy(
        preset=Preset(found["PRESET"]),
        mode=PresetMode(found["PRESET_MODE"]),
        opened=frozenset(found["PRESET_ALLOW"]),
        api_server_audiences=(*(found["API_SERVER_AUDIENCES"] or ()), *issuer),
        secrets_max=found["MAX_SECRETS"],
        template_bytes_max=found["MAX_TEMPLATE_BYTES"],
        annotation_bytes_max=found["MAX_ANNOTATION_BYTES"],
        cpu_max=found["MAX_CPU"],
        memory_max=found["MAX_MEMORY"],
        ephemeral_max=found["MAX_EPHEMERAL"],
    )


def _reader(given: Mapping[str, str], preset: PresetPolicy) -> Reader:
    defaults = {row.annotation: given[row.variable] for row in ROWS if row.annotation}
    if preset.confines(READ_ONLY):  # an app that can put links among the secrets leads the agent out of their volume
        defaults[READ_ONLY] = "true"
    return Reader(defaults, {VAULT.prefix: given["VAULT_IMAGE"], OPENBAO.prefix: given["BAO_IMAGE"]})
