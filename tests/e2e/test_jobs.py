"""Jobs in native mode: they end, well when the app does, badly when the agent may not log in."""

from typing import Any

import pytest

from tests.e2e.holdings import ASKING, PASSWORD
from tests.e2e.injectors import Injectors, Kind
from tests.e2e.space import AGENT, INIT_AGENT, READY_TIMEOUT_S, Space, names, pod

pytestmark = pytest.mark.cluster


def test_jobs_complete(injectors: Injectors) -> None:
    space = injectors.space("e2e-jobs", Kind.NATIVE)
    space.create(
        _job("on-failure", ASKING, restart_policy="OnFailure"),
        _job("never", ASKING, restart_policy="Never"),
        _job("once", ASKING | {"agent-pre-populate-only": "true"}, restart_policy="Never"),
    )
    agents = {"on-failure": [AGENT], "never": [INIT_AGENT, AGENT], "once": [INIT_AGENT]}
    for name, inits in agents.items():
        _ends(space, name, "Complete")
        (done,) = space.items("pods", f"--selector=job-name={name}")
        assert (done["status"]["phase"], names(done["spec"]["initContainers"])) == ("Succeeded", inits)
        assert space.logs(done["metadata"]["name"]) == PASSWORD


def test_a_job_that_may_not_log_in_fails(injectors: Injectors) -> None:
    space = injectors.space("e2e-failing-jobs", Kind.UNCHECKED_NATIVE)
    wrong = ASKING | {"role": "absent", "agent-auto-auth-exit-on-err": "true"}
    space.create(_job("fails", wrong, restart_policy="Never"))
    _ends(space, "fails", "Failed")
    (failed,) = space.items("pods", "--selector=job-name=fails")
    assert failed["status"]["phase"] == "Failed"
    assert '* invalid role name "absent"' in space.logs(failed["metadata"]["name"], INIT_AGENT)


def _job(name: str, annotations: dict[str, str], *, restart_policy: str) -> dict[str, Any]:
    made = pod(name, annotations, "cat /vault/secrets/db", restartPolicy=restart_policy)
    template = {"metadata": {"annotations": made["metadata"]["annotations"]}, "spec": made["spec"]}
    spec = {"backoffLimit": 0, "template": template}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": spec}


def _ends(space: Space, name: str, condition: str) -> None:
    waiting = ("wait", f"job/{name}", f"--for=condition={condition}", f"--timeout={READY_TIMEOUT_S}s")
    answer = space.kubectl(*waiting, check=False)
    assert answer.returncode == 0, answer.stderr + space.kubectl("describe", "pods").stdout
