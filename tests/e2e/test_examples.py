"""The examples, unchanged, as a user applies them: each in both modes, the app prints what OpenBao holds."""

import json
from collections.abc import Iterator, Mapping

import pytest

from tests.cluster import examples
from tests.cluster.cluster import Cluster
from tests.e2e.injectors import MODES, Injectors, Kind
from tests.e2e.space import AGENT, INIT_AGENT, READY_TIMEOUT_S, Space

pytestmark = pytest.mark.cluster
SHOP_LINE = "database: postgres://shop:quiet-otter@db:5432/shop\n"


@pytest.fixture(scope="module", params=MODES)
def kind(
    request: pytest.FixtureRequest, cluster: Cluster, example_spaces: Mapping[str, Space], injectors: Injectors
) -> Iterator[Kind]:
    """Apply the examples with a webhook of this kind; the next one finds nothing of them."""
    wanted: Kind = request.param
    injectors.take_all(example_spaces.values(), wanted)
    files = examples.files_of(examples.ADMITTED)
    cluster.kubectl("apply", *files)
    cluster.kubectl("create", "job", "report", "--from=cronjob/shop-report", "--namespace=shop")
    yield wanted
    cluster.kubectl("delete", *files, "--cascade=foreground")
    cluster.kubectl(
        "delete", "job", "report", "--namespace=shop", "--ignore-not-found"
    )  # it may have gone with its CronJob


def test_a_deployment_prints_its_secret(example_spaces: Mapping[str, Space], kind: Kind) -> None:
    shop = example_spaces["shop"]
    rollout = shop.kubectl("rollout", "status", "deployment/shop", f"--timeout={READY_TIMEOUT_S}s", check=False)
    (pod,) = shop.items("pods", "--selector=app=shop")
    name = pod["metadata"]["name"]
    assert rollout.returncode == 0, shop.describe(name)
    assert shop.says(name, "\n") == SHOP_LINE
    config = json.loads(shop.run(name, "cat", "/vault/secrets/config.json"))
    assert config["data"] == {"currency": "EUR"}
    containers = [container["name"] for container in pod["spec"]["containers"]]
    inits = [container["name"] for container in pod["spec"]["initContainers"]]
    assert (inits, containers) == (([INIT_AGENT], ["app", AGENT]) if kind is Kind.CLASSIC else ([AGENT], ["app"]))


@pytest.mark.usefixtures("kind")
def test_a_stateful_set_has_its_secret_where_and_as_it_asks(example_spaces: Mapping[str, Space]) -> None:
    billing = example_spaces["billing"]
    billing.eventually(lambda: billing.items("pods", "--selector=app=billing"), bool)
    billing.ready("billing-0")
    # The default template writes what version 2 of the key-value engine answers, metadata and all.
    assert "key: calm-heron" in billing.says("billing-0", "\n", "ledger")
    file = "/etc/billing/secrets/keys/api.txt"
    assert billing.run("billing-0", "stat", "-Lc", "%a %g", file, container="ledger") == "440 2000\n"
    gone = billing.kubectl("exec", "billing-0", "--container=exporter", "--", "ls", "/etc/billing", check=False)
    assert "No such file" in gone.stderr


@pytest.mark.usefixtures("kind")
def test_a_job_of_a_cron_job_completes(example_spaces: Mapping[str, Space]) -> None:
    shop = example_spaces["shop"]
    waiting = ("wait", "job/report", "--for=condition=Complete", f"--timeout={READY_TIMEOUT_S}s")
    (pod,) = shop.items("pods", "--selector=job-name=report")
    name = pod["metadata"]["name"]
    assert shop.kubectl(*waiting, check=False).returncode == 0, shop.describe(name)
    assert shop.logs(name, "report").startswith("report with ")
    assert [container["name"] for container in pod["spec"]["initContainers"]] == [INIT_AGENT]
    assert len(pod["spec"]["containers"]) == 1
