"""The login that the agents of a pod will try, read from its annotations and from what is injected."""

import json

import pytest

from tests.core.asking import ask, pod_with
from webhook.rolecheck.bindings.load import Snapshot, load
from webhook.yaml_text import documents

ROLE = {"bound_service_account_names": ["shop"], "bound_service_account_namespaces": ["shop"]}


def snapshot(**members) -> Snapshot:
    auth = {"path": "kubernetes", "type": "kubernetes", "roles": {"shop": ROLE | {"audience": "pinned"}}}
    document = {"apiVersion": "vault-bindings/v1", "kind": "BindingSnapshot", "auth": [auth]} | members
    return load(json.dumps(document).encode(), documents)


class TestTheAudienceARolePins:
    @pytest.mark.parametrize(
        ("annotations", "audience"),
        [
            ({}, "pinned"),
            ({"service": "https://vault:8200/"}, "pinned"),
            ({"service": "https://other-vault:8200"}, "vault"),
            ({"service": "http://vault:8200"}, "vault"),
            ({"auth-path": "auth/other"}, "vault"),
            ({"namespace": "team-a"}, "vault"),
            ({"role": "nobody"}, "vault"),
        ],
    )
    def test_it_is_that_of_the_role_of_this_server(self, annotations, audience):
        known = snapshot(server={"address": "https://vault:8200"}, complete={"auth": False})
        settings = {
            "AGENT_INJECT_BINDINGS": "given",
            "AGENT_INJECT_BINDING_CHECK": "warn",
            "AGENT_INJECT_TOKEN_AUDIENCE": "auto",
        }
        result = ask(pod_with(annotations), bindings=known, settings=settings)
        [volume] = [volume for volume in result.pod["spec"]["volumes"] if volume["name"] == "vault-agent-token"]
        assert volume["projected"]["sources"][0]["serviceAccountToken"]["audience"] == audience
