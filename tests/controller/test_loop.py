"""The loop in its thread, on the real clock: what happens between polls; and the limit of requests on a moved one."""

import json
import math
import threading

import pytest

from tests.controller.parts import Log
from tests.eventually import eventually
from webhook.controller.control import Parts
from webhook.controller.known import Key, Known

pytestmark = pytest.mark.slow


@pytest.fixture
def running(controller):
    """Run the loop of a controller; polls are a minute apart."""
    started = []

    def run(*, begun=None, **flags):
        polling = controller(**flags)
        polling.parts = Parts(polling.control, Known(), Log())
        polling.loop, polling.shared = polling.parts.loop, polling.parts.shared
        thread = threading.Thread(target=polling.loop.run)
        thread.start()
        started.append((polling, thread))
        eventually(begun or polling.path.exists)
        return polling

    yield run
    for polling, thread in started:
        polling.loop.stop()
        thread.join(timeout=30)
        assert not thread.is_alive()
        polling.parts.session.close()
        polling.parts.confirmer.close()


def test_the_first_document_has_the_texts(running):
    polling = running()
    assert polling.mount().role("shop").audience == "vault"
    assert (polling.loop.health.polls, polling.loop.health.problems) == (1, {})


def test_a_role_confirmed_between_polls_is_in_the_document_soon(bao, mount, running):
    polling = running()
    bao.role(mount, "cart", audience="vault")
    polling.parts.reader.text(Key("", mount, "cart"))
    eventually(lambda: "cart" in polling.mount().texts)
    assert polling.loop.health.polls == 1


def test_a_role_that_is_wanted_is_read_before_the_next_poll(mount, running):
    polling = running()
    with polling.shared.lock:
        key, text = next((key, text) for key, text in polling.shared.known.texts() if key.name == "shop")
        text.value, text.read_at = None, -math.inf
        polling.shared.wanted[key] = None
    polling.loop.wake()
    eventually(lambda: text.value is None and polling.shared.known.text(key).value)
    assert (key.mount, polling.loop.health.polls) == (mount, 1)


def test_it_stops_in_the_middle_of_a_stalled_poll(proxy, running):
    proxy.fault = lambda *_: proxy.stalls
    polling = running(begun=lambda: proxy.requests)
    polling.loop.stop()
    assert not polling.path.exists()


@pytest.mark.parametrize("rate", [5, 50])
def test_the_server_never_sees_more_than_the_rate(bao, mount, proxy, controller, rate):
    for number in range(60):
        bao.role(mount, f"r-{number}")
    polling = controller(bindings_max_reads_per_second=rate)
    lock = threading.Lock()
    seen = []

    def sleep(seconds):
        with lock:
            polling.now += seconds

    polling.slept = sleep
    proxy.fault = lambda *_: seen.append(polling.now)
    polling.poll()
    assert len(seen) == len(proxy.requests) >= 66
    seen.sort()
    for count, moment in enumerate(seen):
        assert count <= 1 + rate * (moment - seen[0]) + 1e-6
    assert json.loads(polling.path.read_bytes())["auth"]
