"""The app starts when the agent has logged in and rendered its files, not before."""

import pytest

from tests.cluster.openbao import OpenBao
from tests.e2e.holdings import ASKING, PASSWORD, PRINT, PRINTED, ROLE
from tests.e2e.injectors import MODES, Injectors, Kind
from tests.e2e.space import AGENT, INIT_AGENT, pod

pytestmark = pytest.mark.cluster


@pytest.mark.parametrize("kind", MODES)
def test_the_app_waits_for_a_login_that_fails_at_first(injectors: Injectors, vault: OpenBao, kind: Kind) -> None:
    space = injectors.space(f"e2e-waiting-{kind}", kind)
    late = ASKING | {"role": f"late-{kind}", "auth-min-backoff": "500ms", "auth-max-backoff": "1s"}
    # An init container after the agent has the secret too, in native mode always, else on request.
    own = {"name": "own", "image": "docker.io/local/app:1", "command": ["cat", "/vault/secrets/db"]}
    space.create(pod("waits", late | {"agent-init-first": "true"}, PRINT, initContainers=[own]))
    agent = INIT_AGENT if kind is Kind.CLASSIC else AGENT
    space.says("waits", f'* invalid role name "late-{kind}"', agent)
    assert space.logs("waits", "own") == space.logs("waits") == ""
    vault.write(f"auth/kubernetes/role/late-{kind}", ROLE)
    space.ready("waits")
    assert (space.logs("waits", "own"), space.says("waits", PASSWORD)) == (PASSWORD, PRINTED)
