"""A webhook that asks its clients for a certificate: a real API server presents one, nobody else gets an answer."""

import pytest

from tests.e2e.holdings import ASKING, PRINT
from tests.e2e.injectors import Injectors, Kind
from tests.e2e.space import AGENT, names, pod

pytestmark = pytest.mark.cluster


def test_the_api_server_presents_its_certificate_and_nobody_else_is_heard(injectors: Injectors) -> None:
    space = injectors.space("e2e-guarded", Kind.GUARDED)
    space.create(pod("web", ASKING, PRINT))
    assert AGENT in names(space.get("pod", "web")["spec"]["containers"])
    webhook = injectors.webhook(Kind.GUARDED)
    assert webhook.reviews_as("scheduler").ask("GET", "/mutate").status == 403
    with pytest.raises(OSError, match=r"(?i)certificate|reset|closed|EOF"):
        webhook.reviews_as().ask("GET", "/mutate")
