"""Settings are checked once, at start; a bad one stops the process with one line that names it."""

import base64
import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.core.annotations.table import BY_KEY
from webhook.settings.parsers import Address
from webhook.settings.read import SettingsError, is_given, read
from webhook.settings.rows import PREFIX, ROWS

VAULT = {"AGENT_INJECT_VAULT_ADDR": "https://vault:8200"}
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


def test_defaults_are_the_references():
    settings = read({}, VAULT)
    assert settings.listen == Address("", 8080)
    usual = {row.variable: row.default for row in ROWS}
    assert usual["VAULT_IMAGE"] == "hashicorp/vault:2.0.4"
    assert (usual["CPU_LIMIT"], usual["MEM_REQUEST"], usual["RUN_AS_USER"]) == ("500m", "64Mi", "100")


def test_a_flag_beats_a_variable_and_an_empty_variable_is_unset():
    environment = {**VAULT, "AGENT_INJECT_CPU_LIMIT": "", "AGENT_INJECT_MEM_LIMIT": "1Gi"}
    given_ = read({"memory-limit": "2Gi", "cpu-request": ""}, environment).given
    assert (given_["CPU_LIMIT"], given_["MEM_LIMIT"], given_["CPU_REQUEST"]) == ("500m", "2Gi", "")


def test_openbaos_names_are_read_where_vaults_are_unset():
    given_ = read(
        {},
        {
            "AGENT_INJECT_BAO_ADDR": "https://bao:8200",
            "AGENT_INJECT_VAULT_NAMESPACE": "a",
            "AGENT_INJECT_BAO_NAMESPACE": "b",
        },
    ).given
    assert (given_["VAULT_ADDR"], given_["VAULT_NAMESPACE"]) == ("https://bao:8200", "a")


def test_a_caller_that_brings_roles_and_needs_no_server_says_so():
    bare = read({}, {}, binding_check="enforce", vault_address="https://mine")
    assert (bare.binding_check, bare.given["VAULT_ADDR"]) == ("enforce", "https://mine")
    told = read(
        {}, {**VAULT, "AGENT_INJECT_BINDING_CHECK": "warn"}, binding_check="enforce", vault_address="https://mine"
    )
    assert (told.binding_check, told.given["VAULT_ADDR"]) == ("warn", "https://vault:8200")
    assert [is_given("VAULT_ADDR", {}, environment) for environment in ({}, VAULT)] == [False, True]


BAD = [
    ("LISTEN", "8080"),
    ("LISTEN", ":99999"),
    ("WORKERS", "0"),
    ("TLS_MIN_VERSION", "tls9"),
    ("LOG_LEVEL", "loud"),
    ("KEEP_ALIVE", "long"),
    ("HEADER_TIMEOUT", "0"),
    ("TELEMETRY_PATH", "metrics"),
    ("VAULT_CACERT_BYTES", "abcd"),
    ("VAULT_CACERT_BYTES", "no certificate"),
    ("RUN_AS_USER", "root"),
    ("RUN_AS_GROUP", "-1"),
    ("RUN_AS_SAME_USER", "perhaps"),
    ("DEFAULT_TEMPLATE", "JSON"),
    ("CPU_REQUEST", "much"),
    ("AUTH_MIN_BACKOFF", "5"),
    ("TEMPLATE_LEASE_RENEWAL_THRESHOLD", "2"),
    ("DISABLE_IDLE_CONNECTIONS", "all"),
    ("SIDECAR_MODE", "both"),
    ("TOKEN_EXPIRATION", "9m"),
    ("MEMORY_VOLUME_SIZE_LIMIT", "big"),
    ("BINDING_CHECK", "maybe"),
    ("POLICY_CHECK", "enforce"),
    ("BINDINGS_ON_STALE", "perhaps"),
    ("WILDCARD", "off"),
    ("REQUIRE_AUDIENCE", "allow"),
    ("DISCLOSURE", "some"),
    ("PRESET", "loose"),
    ("PRESET_MODE", "off"),
    ("MAX_CPU", ""),
]


@pytest.mark.parametrize(("variable", "value"), BAD)
def test_a_bad_value_is_named_with_its_variable_and_flag(variable, value):
    row = next(row for row in ROWS if row.variable == variable)
    with pytest.raises(SettingsError) as error:
        read({row.option: value}, VAULT)
    assert PREFIX + variable in str(error.value)
    assert f"--{row.option}" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({}, "VAULT_ADDR"),
        ({**VAULT, "AGENT_INJECT_TLS_CERT_FILE": "c"}, "TLS_KEY_FILE"),
        ({**VAULT, "AGENT_INJECT_TLS_KEY_FILE": "k"}, "TLS_CERT_FILE"),
        ({**VAULT, "AGENT_INJECT_BINDING_CHECK": "enforce"}, "BINDINGS"),
        ({**VAULT, "AGENT_INJECT_AUTH_MIN_BACKOFF": "5m", "AGENT_INJECT_AUTH_MAX_BACKOFF": "1m"}, "AUTH_MIN_BACKOFF"),
    ],
)
def test_settings_that_do_not_fit_together_are_named(environment, named):
    with pytest.raises(SettingsError, match=named):
        read({}, environment)


@pytest.mark.parametrize(
    ("raw", "address"),
    [(":0", ("", 0)), ("127.0.0.1:80", ("127.0.0.1", 80)), ("[::1]:443", ("::1", 443)), ("[::]:1", ("::", 1))],
)
def test_addresses(raw, address):
    assert read({"listen": raw}, VAULT).listen == address


@pytest.mark.parametrize("raw", [PEM, base64.b64encode(PEM.encode()).decode()])
def test_a_ca_is_pem_or_base64_of_pem(raw):
    assert read({"vault-cacert-bytes": raw}, VAULT).pod_settings.ca_certificates == PEM


@pytest.mark.parametrize(("document", "check"), [("", "off"), ("/b.yaml", "enforce")])
def test_the_role_check_is_on_when_there_are_bindings(document, check):
    assert read({"bindings": document}, VAULT).binding_check == check


def test_every_setting_has_one_flag_and_one_variable():
    assert len({row.option for row in ROWS}) == len({row.variable for row in ROWS}) == len(ROWS)


def test_every_annotation_a_setting_is_the_default_of_exists():
    assert {row.annotation for row in ROWS if row.annotation} <= BY_KEY.keys()


def test_every_attribute_comes_from_a_row():
    made = {"pod_settings", "rules", "policy", "control", "reader", "given"}
    assert {field.name for field in dataclasses.fields(read({}, VAULT))} - made <= {row.field for row in ROWS}


@given(st.sampled_from(ROWS), st.text(max_size=40))
def test_any_text_is_taken_or_refused_by_name(row, text):
    try:
        read({row.option: text}, VAULT)
    except SettingsError as error:
        assert PREFIX in str(error)
        assert str(error).isprintable()
