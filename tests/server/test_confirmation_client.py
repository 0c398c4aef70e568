"""What the server asks before a refusal, over a real socket whose other end is the test's."""

import asyncio
import json
from collections import Counter
from time import perf_counter

import msgspec
import pytest

from webhook.answer import Answer, Outcome
from webhook.rolecheck.bindings.load import load_json
from webhook.rolecheck.confirmation import Question
from webhook.rolecheck.role_ref import RoleRef
from webhook.server.confirmation_client import QUESTIONS_MAX, ConfirmationClient

DOCUMENT = {"apiVersion": "vault-bindings/v1", "kind": "BindingSnapshot", "auth": []}


SNAPSHOT = load_json(json.dumps(DOCUMENT).encode())


def refusal(role="web", namespace="shop"):
    question = Question(RoleRef("", "kubernetes", role), namespace)
    return Answer(
        status=200, body=b"", decision="refused", reason="RoleNotFound", outcome=Outcome(role=role, question=question)
    )


class Controller:
    """The other end: keeps the questions, and answers each with an empty document once `answering` is set."""

    def __init__(self, path):
        self.path = str(path)
        self.asked = []
        self.answering = asyncio.Event()

    async def __aenter__(self):
        self._server = await asyncio.start_unix_server(self._connected, self.path)
        return self

    async def __aexit__(self, *_):
        self._server.close()

    async def _connected(self, reader, writer):
        self.asked.append(json.loads(await reader.readline()))
        await self.answering.wait()
        writer.write(json.dumps(DOCUMENT).encode() + b"\n")
        writer.close()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "confirm.sock"


async def second(client, answer, **more):
    """Ask as the application does; the answer by newer data says so."""
    again = Answer(status=200, body=b"", decision="injected")
    return await client.second(answer, SNAPSHOT, lambda _: again, query=b"", began=perf_counter(), **more)


def test_a_question_carries_who_asks(path):
    async def act():
        async with Controller(path) as controller:
            controller.answering.set()
            answer = await second(ConfirmationClient(controller.path), refusal(), peer="10.0.0.7")
            return answer.decision, controller.asked

    decision, asked = asyncio.run(act())
    assert decision == "injected"
    assert [(question["peer"], question["kube_namespace"], question["ref"][:3]) for question in asked] == [
        ("10.0.0.7", "shop", ["", "kubernetes", "web"])
    ]


def asked_at_once(path, asks):
    """Return role and namespace of what reaches a controller that does not answer yet, of (role, namespace, peer)."""

    async def act():
        async with Controller(path) as controller:
            client = ConfirmationClient(controller.path)
            waiting = [
                asyncio.ensure_future(second(client, refusal(role, namespace), peer=peer))
                for role, namespace, peer in asks
            ]
            while len(controller.asked) < len(client._under_way):  # noqa: SLF001, ASYNC110 - all that were let through
                await asyncio.sleep(0.01)
            controller.answering.set()
            answers = await asyncio.gather(*waiting)
            asked = Counter((question["peer"], question["kube_namespace"]) for question in controller.asked)
            return asked, Counter(answer.decision for answer in answers)

    return asyncio.run(act())


def test_what_is_asked_twice_at_a_time_is_asked_once(path):
    asked, decisions = asked_at_once(path, [("web", "shop", "10.0.0.7")] * 50)
    assert (asked.total(), decisions) == (1, {"injected": 50})


def test_one_peer_leaves_places_to_others(path):
    flood = [(f"role-{number}", f"n-{number}", "10.0.0.66") for number in range(200)]
    asked, decisions = asked_at_once(path, [*flood, *((f"role-{number}", "shop", "10.0.0.7") for number in range(4))])
    assert asked["10.0.0.7", "shop"] == 4
    assert decisions["injected"] == asked.total() == QUESTIONS_MAX // 2 + 4


def test_one_namespace_leaves_places_to_others_of_the_same_peer(path):
    flood = [(f"role-{number}", "loud", "10.0.0.7") for number in range(200)]
    asked, _ = asked_at_once(path, [*flood, *((f"role-{number}", "shop", "10.0.0.7") for number in range(4))])
    assert asked["10.0.0.7", "loud"] < QUESTIONS_MAX // 2
    assert asked["10.0.0.7", "shop"] == 4


def test_places_are_given_back(path):
    async def act():
        client = ConfirmationClient(str(path))  # nobody listens
        for number in range(QUESTIONS_MAX * 2):
            await second(client, refusal(f"role-{number}"), peer="10.0.0.7")
        async with Controller(path) as controller:
            controller.answering.set()
            return await second(client, refusal(), peer="10.0.0.7")

    assert asyncio.run(act()).decision == "injected"


def test_a_question_of_an_older_server_has_no_peer():
    line = b'{"ref": ["", "kubernetes", "web"], "kube_namespace": "shop"}'
    assert msgspec.json.decode(line, type=Question).peer == ""
