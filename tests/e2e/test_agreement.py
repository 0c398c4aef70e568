"""The promise itself: whom the webhook admits, OpenBao logs in, and whom it refuses, OpenBao refuses; role by role."""

from collections.abc import Mapping

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.openbao import OpenBao
from tests.e2e import roles
from tests.e2e.injectors import Injectors, Kind
from tests.e2e.space import Space, pod

pytestmark = pytest.mark.cluster
ROLES = [*(("kubernetes", name) for name in roles.KUBERNETES), *(("jwt", name) for name in roles.JWT)]
Identity = tuple[str, str]  # namespace, account


@pytest.fixture(scope="module")
def spaces(injectors: Injectors) -> Mapping[str, Space]:
    made = {name: injectors.space(name, Kind.CLASSIC, labels) for name, labels in roles.LABELS.items()}
    for space in made.values():
        space.kubectl("create", "serviceaccount", "shop")
    return made


@pytest.fixture(scope="module")
def jwts(cluster: Cluster, spaces: Mapping[str, Space]) -> Mapping[Identity, str]:
    assert set(spaces) == {namespace for namespace, _ in roles.IDENTITIES}
    return {
        (namespace, account): cluster.token(account, namespace=namespace, audience="vault")
        for namespace, account in roles.IDENTITIES
    }


@pytest.mark.parametrize(("mount", "role"), ROLES)
def test_verdict_and_login_agree(
    vault: OpenBao, spaces: Mapping[str, Space], jwts: Mapping[Identity, str], mount: str, role: str
) -> None:
    logins = {identity: vault.login_kubernetes(f"agree-{role}", jwt, mount) for identity, jwt in jwts.items()}
    verdicts = {identity: _verdict(spaces[identity[0]], identity[1], mount, role) for identity in jwts}
    assert {identity: status == 200 for identity, (status, _) in logins.items()} == {
        identity: refusal == "" for identity, refusal in verdicts.items()
    }, (logins, verdicts)


def test_the_roles_tell_identities_apart(vault: OpenBao, jwts: Mapping[Identity, str]) -> None:
    admitted = {
        identity for identity, jwt in jwts.items() if vault.login_kubernetes("Agree-EXACT", jwt)[0] == 200
    }  # a role's name is the same in any case
    assert admitted == {(roles.NAMESPACE, "default")}


def _verdict(space: Space, account: str, mount: str, role: str) -> str:
    """Return why the API server refuses the identity's pod; empty when it does not."""
    annotations = {"role": f"agree-{role}", "auth-type": mount, "auth-path": f"auth/{mount}"}
    asked = pod("asks", annotations, serviceAccountName=account)
    answer = space.create(asked, check=False, arguments=("--dry-run=server",))
    return answer.stderr if answer.returncode else ""  # a warning is no refusal
