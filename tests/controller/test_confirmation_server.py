"""Questions before a refusal."""

import asyncio
import json
import threading

import pytest

from webhook import yaml_text
from webhook.controller.known import Key
from webhook.reasons import Reason
from webhook.rolecheck import login
from webhook.rolecheck.bindings.load import load
from webhook.rolecheck.confirmation import Question, overlay, question_of
from webhook.rolecheck.login_request import LoginRequest, Rules
from webhook.rolecheck.role_ref import RoleRef

pytestmark = pytest.mark.slow


@pytest.fixture
def ask(controller, mount):
    """Ask a controller that has polled once; returns the answers in order."""
    polling = controller()
    polling.poll()

    def ask(*questions, controller=polling):
        async def all_of_them():
            return await asyncio.gather(*(controller.parts.confirmer.answer(line) for line in map(line_of, questions)))

        return [json.loads(answer) for answer in asyncio.run(all_of_them())]

    def line_of(question):
        if isinstance(question, bytes):
            return question
        whole = {"namespace": "", "mount": mount, "kube_namespace": "shop", "policies": False, **question}
        whole["ref"] = [whole.pop(name) for name in ("namespace", "mount", "role")]
        return json.dumps(whole).encode()

    ask.controller = polling
    return ask


def verdict(polling, answer, claim):
    rules = Rules()
    snapshot = polling.document()
    before = login.check(claim, snapshot, rules, polling.now)
    newer = load(json.dumps(answer).encode(), yaml_text.documents)
    after = login.check(claim, overlay(snapshot, newer, question_of(claim)), rules, polling.now)
    return before.reason, after.reason


def claim_of(mount, role, account="shop", namespace="shop"):
    return LoginRequest(ref=RoleRef("", mount, role), service_account=account, namespace=namespace, audience=("vault",))


def test_a_role_created_just_now_is_accepted(bao, mount, ask):
    bao.role(mount, "cart", bound_service_account_names=["shop"], audience="vault")
    [answer] = ask({"role": "Cart"})
    assert verdict(ask.controller, answer, claim_of(mount, "Cart")) == (Reason.ROLE_NOT_FOUND, Reason.ALLOWED)


def test_a_binding_changed_just_now_counts(bao, mount, ask):
    claim = claim_of(mount, "shop", account="other")
    bao.role(mount, "shop", bound_service_account_names=["other"], audience="vault")
    [answer] = ask({"role": "shop"})
    assert verdict(ask.controller, answer, claim) == (Reason.SERVICE_ACCOUNT_NOT_BOUND, Reason.ALLOWED)


def test_a_role_deleted_since_is_told_as_absent(bao, mount, ask):
    claim = claim_of(mount, "shop", account="other")
    bao.delete(f"auth/{mount}/role/shop")
    [answer] = ask({"role": "shop"})
    assert verdict(ask.controller, answer, claim) == (Reason.SERVICE_ACCOUNT_NOT_BOUND, Reason.ROLE_NOT_FOUND)


def test_a_role_that_is_still_absent_stays_refused(mount, ask):
    [answer] = ask({"role": "nope"})
    assert verdict(ask.controller, answer, claim_of(mount, "nope")) == (Reason.ROLE_NOT_FOUND, Reason.ROLE_NOT_FOUND)


def test_a_mount_enabled_just_now_is_found(bao, mount, ask):
    bao.write(f"sys/auth/new{mount}", {"type": "kubernetes"})
    bao.role(f"new{mount}", "shop", audience="vault")
    [answer] = ask({"mount": f"new{mount}", "role": "shop"})
    reasons = verdict(ask.controller, answer, claim_of(f"new{mount}", "shop"))
    assert reasons == (Reason.AUTH_MOUNT_UNKNOWN, Reason.ALLOWED)
    bao.delete(f"sys/auth/new{mount}")


def test_policies_come_with_the_answer_where_they_are_asked_for(bao, mount, ask):
    bao.write("sys/policies/acl/fresh", {"policy": 'path "secret/data/a" { capabilities = ["read"] }'})
    bao.role(mount, "cart", token_policies=["fresh"], token_no_default_policy=True)
    [without] = ask({"role": "cart"})
    assert [policy for policy in without["policies"] if "hcl" in policy] == []
    [answer] = ask({"role": "cart", "policies": True})
    snapshot = ask.controller.document()
    newer = load(json.dumps(answer).encode(), yaml_text.documents)
    merged = overlay(snapshot, newer, Question(RoleRef("", mount, "cart"), "shop", policies=True))
    assert ("", "fresh") not in snapshot.policies
    assert merged.policies["", "fresh"].text.startswith('path "secret/data/a"')
    assert merged.policies.keys() - {("", "fresh")} == snapshot.policies.keys()


def test_all_who_ask_at_once_cause_one_read(mount, proxy, ask):
    proxy.requests.clear()
    answers = ask(*[{"role": "shop"}] * 30)
    assert len({json.dumps(answer) for answer in answers}) == 1
    assert proxy.requests == [("GET", f"/v1/auth/{mount}/role/shop")]


def test_an_answer_is_remembered_for_a_few_seconds(proxy, ask):
    proxy.requests.clear()
    ask({"role": "nope"})
    ask({"role": "nope"}, {"role": "NOPE", "kube_namespace": "other"})
    assert len(proxy.requests) == 1
    ask.controller.now += 4
    ask({"role": "nope"})
    assert len(proxy.requests) == 2


def test_a_flood_of_names_that_do_not_exist_stays_within_half_of_the_bucket(proxy, controller, ask):
    polling = controller(bindings_max_reads_per_second=20)
    polling.poll()
    polling.now += 60
    proxy.requests.clear()
    answers = ask(*({"role": f"bad-{number}"} for number in range(1_000)), controller=polling)
    assert len(answers) == 1_000
    # the test's clock stands still, so only those within the longest wait for a moment are asked: 0.4 s at 10 a second
    assert 1 <= len(proxy.requests) <= 5
    assert sum("error" in answer for answer in answers) >= 995


@pytest.mark.parametrize("fault", ["stalls", "cuts", "says_half"])
def test_without_an_answer_of_vault_there_is_an_error_in_time(proxy, ask, fault):
    proxy.fault = lambda *_: getattr(proxy, fault)
    assert [list(answer) for answer in ask({"role": "shop"}, {"role": "nope"})] == [["error"], ["error"]]
    assert ask.controller.mount().role("shop").audience == "vault"


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b"{}",
        b'{"asked": 1}',
        b'{"asked": [["", "kubernetes"]]}',
        b"[" * 60_000,
        {"role": ""},
        {"role": "../../sys/seal"},
        {"role": "a/b"},
        {"role": " shop"},
        {"role": "shop?x"},
        {"role": "shop\n"},
        {"role": "r" * 600},
        {"role": 7},
        {"role": "shop", "mount": ""},
        {"role": "shop", "mount": ".."},
        {"role": "shop", "mount": "kubernetes/../../sys"},
        {"role": "shop", "mount": "a//b"},
        {"role": "shop", "mount": "k#"},
        {"role": "shop", "mount": "m/" * 400 + "m"},
        {"role": "shop", "namespace": "../x"},
        {"role": "shop", "namespace": 1},
        {"role": "shop", "kube_namespace": "../kube-system"},
        {"role": "shop", "kube_namespace": "n" * 64},
    ],
    ids=lambda line: repr(line)[:40],
)
def test_a_malformed_question_is_answered_and_never_sent_on(proxy, ask, line):
    proxy.requests.clear()
    assert [list(answer) for answer in ask(line)] == [["error"]]
    assert proxy.requests == []


def test_a_controller_that_stops_answers_so(ask):
    ask.controller.parts.confirmer.close()
    assert ask({"role": "nope"}) == [{"error": "the controller is stopping"}]


def test_a_mount_of_a_namespace_that_is_not_polled_is_not_asked_for(proxy, ask):
    proxy.requests.clear()
    assert list(ask({"namespace": "team-x", "role": "shop"})[0]) == ["error"]
    assert proxy.requests == []


def test_a_name_that_may_not_be_read_and_was_not_listed_is_not_taken_for_a_role(bao, mount, controller, ask):
    rules = {f"auth/{mount}/role": ["list"], "sys/auth": ["read"], "sys/namespaces": ["list"]}
    polling = controller(token=bao.token(rules), policy_check="off")
    polling.poll()
    before = polling.path.read_bytes()
    assert list(ask({"role": "nope"}, controller=polling)[0]) == ["error"]
    assert ask({"role": "shop"}, controller=polling)[0]["auth"][0]["roles"] == {"shop": None}
    polling.loop.write()
    assert polling.path.read_bytes() == before


def test_roles_that_pods_ask_for_are_remembered_and_read_with_each_poll(bao, mount, proxy, ask):
    for number in range(100):
        bao.role(mount, f"many-{number}")
    polling = ask.controller
    polling.poll()
    assert ask(json.dumps({"asked": [["", mount, "Shop"], ["", mount, "no-such-role"], ["x", "y", "z"]]}).encode()) == [
        {}
    ]
    assert list(polling.shared.asked) == [Key("", mount, "shop")]
    proxy.requests.clear()
    polling.poll()
    assert ("GET", f"/v1/auth/{mount}/role/shop") in proxy.requests
    assert sum("/role/many-" in path for _, path in proxy.requests) <= 5


def test_a_role_asked_for_before_it_was_read_is_read_at_once(mount, ask, controller):
    polling = controller()
    polling.loop.poll()  # lists only
    ask(json.dumps({"asked": [["", mount, "shop"]]}).encode(), controller=polling)
    assert polling.loop.wanted() == [Key("", mount, "shop")]
    assert polling.loop.wanted() == []


class Namespaces:
    """Stands for a cluster."""

    def __init__(self):
        self.all = {"shop": {"team": "shop"}}
        self.asked = 0

    def labels(self):
        self.asked += 1
        return self.all

    def labels_of(self, namespace):
        self.asked += 1
        return self.all.get(namespace)


def test_labels_come_with_the_answer_where_the_role_selects_by_them(bao, mount, ask):
    polling = ask.controller
    polling.parts.reader.kube = cluster = Namespaces()
    selector = '{"matchLabels": {"team": "cart"}}'
    ask({"role": "shop"})
    assert cluster.asked == 0
    bao.role(mount, "cart", bound_service_account_namespaces=[], bound_service_account_namespace_selector=selector)
    polling.poll()
    assert polling.document().namespaces == {"shop": {"team": "shop"}}
    cluster.all = {"cart": {"team": "cart"}}
    [answer] = ask({"role": "cart", "kube_namespace": "cart"})
    claim = claim_of(mount, "cart", account="cart", namespace="cart")
    assert verdict(polling, answer, claim)[1] in (Reason.ALLOWED, Reason.AUDIENCE_NOT_CONFIGURED)
    assert answer["namespaces"] == {"cart": {"labels": {"team": "cart"}}}


def test_polls_and_questions_do_not_disturb_each_other(bao, mount, ask):
    polling = ask.controller
    for number in range(20):
        bao.role(mount, f"both-{number}")
    done = threading.Event()
    problems = []

    def polls():
        try:
            while not done.is_set():
                polling.poll()
        except Exception as error:  # noqa: BLE001 whatever happens in the thread is the test's failure
            problems.append(error)

    thread = threading.Thread(target=polls)
    thread.start()
    for _ in range(5):
        answers = ask(*({"role": f"both-{number}"} for number in range(20)))
        assert all("error" not in answer for answer in answers)
    done.set()
    thread.join()
    assert problems == []
