"""The author's patch of an agent container: what it may make of it, and how much that may cost."""

import json
import tracemalloc

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.asking import PREFIX, ask, pod_with
from webhook.core.inject import container_patch
from webhook.core.inject.container_patch import BYTES_MAX, DEPTH_MAX

NATIVE = {"AGENT_INJECT_SIDECAR_MODE": "native"}
KEYS = ("agent-json-patch", "agent-init-json-patch")
BIG = "x" * 52_100  # five of them fit into a pod's annotations, and not into a container


def patched(operations, key="agent-json-patch", **kwargs):
    return ask(pod_with({key: json.dumps(operations)}), **kwargs)


def copies(n, source="/env", place="/x{}"):
    return [{"op": "copy", "from": source, "path": place.format(i)} for i in range(n)]


def nested(depth, value=0):
    for _ in range(depth):
        value = [value]
    return value


def deep_text(depth, opening, closing):
    return opening * depth + "0" + closing * depth


DOUBLING = [{"op": "add", "path": "/x", "value": {"a": BIG[:1000]}}, {"op": "add", "path": "/y", "value": {}}] + [
    {"op": "copy", "from": f"/{one}", "path": f"/{other}/{n}"} for n in range(30) for one, other in ("xy", "yx")
]
TOO_LARGE = {
    "the whole into itself": copies(20, ""),
    "a list into itself": [{"op": "copy", "from": "/env", "path": "/env/-"}] * 20,
    "two into each other": DOUBLING,
    "the same again and again": [{"op": "add", "path": "/x", "value": BIG[:3000]}, *copies(200, "/x", "/y{}")],
    "taken out in between": [
        {"op": "add", "path": "/x", "value": BIG},
        *[{"op": "copy", "from": "/x", "path": "/y"}, {"op": "remove", "path": "/y"}] * 10,
    ],
    "big values": [{"op": "add", "path": f"/x{n}", "value": BIG} for n in range(5)],
    "a big replacement": [
        {"op": "replace", "path": "", "value": {"name": "a", "image": "b", "x": BIG * 3}},
        *copies(1, "/x"),
    ],
    "a big replacement of a member": [{"op": "replace", "path": "/image", "value": BIG * 5}],
    "long names": [{"op": "add", "path": f"/{BIG}{n}", "value": 0} for n in range(5)],
}


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("operations", TOO_LARGE.values(), ids=TOO_LARGE.keys())
def test_a_container_does_not_grow_without_end(operations, key):
    result = patched(operations, key)
    assert (result.allowed, result.status["code"], result.reason) == (False, 400, "ContainerPatchFailed")
    assert PREFIX + key in result.message


@pytest.mark.parametrize("operations", TOO_LARGE.values(), ids=TOO_LARGE.keys())
def test_what_is_too_large_is_never_made(operations):
    body = {"agent-json-patch": json.dumps(operations)}
    pod = pod_with(body)
    ask(pod)  # what is made once and kept
    tracemalloc.start()
    ask(pod)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 20 * BYTES_MAX + 20 * len(body["agent-json-patch"])


def test_work_grows_with_the_patch_not_with_what_it_would_make(monkeypatch):
    """Encoding is what an operation costs; the bytes encoded for 250 operations are few times the limit."""
    encoded = []
    monkeypatch.setattr(
        container_patch, "_encode", lambda value: encoded.append(msgspec.json.encode(value)) or encoded[-1]
    )
    for operations in TOO_LARGE.values():
        encoded.clear()
        patched(operations)
        assert sum(map(len, encoded)) <= 2 * BYTES_MAX + len(json.dumps(operations))


def test_up_to_the_limit_all_is_well():
    operations = [{"op": "add", "path": "/x", "value": BIG}, {"op": "copy", "from": "/x", "path": "/y"}]
    container = patched(operations).container("vault-agent")
    assert container["x"] == container["y"] == BIG


def test_a_copy_is_another_object():
    operations = [
        {"op": "copy", "from": "/env/0", "path": "/env/-"},
        {"op": "replace", "path": "/env/-1/name", "value": "OTHER"},
    ]
    env = patched(operations).container("vault-agent")["env"]
    assert (env[0]["name"], env[-1]) == ("NAMESPACE", env[0] | {"name": "OTHER"})


def test_a_shared_patch_is_not_written_to():
    operations = [
        {"op": "add", "path": "/x", "value": {"a": []}},
        {"op": "add", "path": "/x/a/-", "value": 1},
        {"op": "replace", "path": "/x/a", "value": [*range(3)]},
    ]
    pod = pod_with({"agent-json-patch": json.dumps(operations)})
    once = ask(pod).container("vault-agent")["x"]
    assert once == ask(pod).container("vault-agent")["x"] == {"a": [0, 1, 2]}


@pytest.mark.parametrize(
    ("kind", "source", "path"),
    [
        ("copy", "", "/x"),
        ("move", "", "/x"),
        ("copy", "/env", "/env/0"),
        ("copy", "/env/-1", "/env/-1/x"),
        ("move", "/resources", "/resources/limits/x"),
        ("move", "/env/0", "/env/0/value"),
    ],
)
def test_nothing_goes_into_itself(kind, source, path):
    result = patched([{"op": kind, "from": source, "path": path}])
    assert (result.status["code"], result.reason) == (400, "ContainerPatchFailed")


@pytest.mark.parametrize(("source", "path"), [("/env/1", "/env/10"), ("/env/1", "/env/1"), ("/image", "/imageCopy")])
def test_a_neighbour_with_a_longer_name_is_not_inside(source, path):
    operations = [
        *[{"op": "copy", "from": "/env/0", "path": "/env/-"}] * 10,
        {"op": "copy", "from": source, "path": path},
    ]
    assert patched(operations).allowed


MOVED_TOGETHER = [
    operation
    for n in range(40)
    for operation in (
        {"op": "add", "path": f"/n{n}", "value": nested(40)},
        {"op": "move", "from": f"/n{n - 1}", "path": f"/n{n}{'/0' * 40}"}
        if n
        else {"op": "test", "path": "/x0", "value": 0},
    )
]
DEEP = {
    "added": [{"op": "add", "path": "/x", "value": nested(500)}],
    "replacing all": [{"op": "replace", "path": "", "value": {"name": "a", "image": "b", "x": nested(500)}}],
    "replacing a member": [{"op": "replace", "path": "/image", "value": nested(500)}],
    "tested": [{"op": "test", "path": "/image", "value": nested(500)}],
    "objects": [{"op": "add", "path": "/x", "value": json.loads(deep_text(500, '{"a":', "}"))}],
    "step by step": [{"op": "add", "path": "/x" * n, "value": {}} for n in range(1, 200)],
    "by copies": [
        {"op": "add", "path": "/x", "value": nested(DEPTH_MAX - 2)},
        {"op": "copy", "from": "/x", "path": f"/x{'/0' * (DEPTH_MAX - 4)}/-"},
        {"op": "add", "path": "/y", "value": nested(DEPTH_MAX - 2)},
        {"op": "copy", "from": "/x", "path": f"/y{'/0' * (DEPTH_MAX - 4)}/-"},
    ],
    "by moves": [{"op": "add", "path": "/x0", "value": 0}, *MOVED_TOGETHER],
    "a path": [{"op": "add", "path": "/x" * 30_000, "value": 0}],
    "a source": [{"op": "copy", "from": "/x" * 30_000, "path": "/y"}],
}


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("operations", DEEP.values(), ids=DEEP.keys())
def test_a_deeply_nested_patch_is_refused(operations, key):
    result = patched(operations, key)
    assert (result.status["code"], result.reason) == (400, "ContainerPatchFailed")
    assert PREFIX + key in result.message


@pytest.mark.parametrize("depth", [100, 500, 900, 1_100, 50_000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_whatever_the_depth_the_answer_is_400(depth, opening, closing):
    text = f'[{{"op":"add","path":"/x","value":{deep_text(depth, opening, closing)}}}]'
    assert ask(pod_with({"agent-json-patch": text})).status["code"] == 400


def test_what_a_container_needs_is_not_deep():
    value = {"exec": {"command": ["x"]}, "any": nested(DEPTH_MAX - 4)}
    assert patched([{"op": "add", "path": "/livenessProbe", "value": value}]).allowed


def test_a_tested_value_is_not_shown():
    result = patched([{"op": "test", "path": "/image", "value": "s3cr3t"}])
    assert not result.allowed
    assert "s3cr3t" not in result.message
    assert "hashicorp/vault" not in result.message


def test_the_operation_is_named_by_its_number():
    operations = [{"op": "test", "path": "/name", "value": "vault-agent"}, {"op": "remove", "path": "/absent"}]
    assert "operation 2 does not apply" in patched(operations).message


paths = st.sampled_from(
    [
        "/",
        "/env",
        "/env/-",
        "/env/0",
        "/env/-1",
        "/env/99",
        "/env/0/name/x",
        "/args/0/0",
        "/x",
        "/x/y",
        "/~",
        "/~2",
        "x",
        "/env/01",
        "/env/²",
        "/startupProbe",
    ]
) | st.sampled_from(["", None, 5])
values = st.sampled_from([None, 1, 10**30, "s", [], {}, {"a": [1]}, {"name": "x"}, "\0"])
operation = st.fixed_dictionaries(
    {},
    optional={"op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test", "Add", None, 3])}
    | {"path": paths, "from": paths, "value": values},
)


@given(st.lists(operation, max_size=4), st.sampled_from(KEYS), st.sampled_from([{}, NATIVE]))
def test_any_operation_is_applied_or_refused(operations, key, settings):
    result = patched(operations, key, settings=settings)  # a fault of ours would be raised
    assert result.allowed or result.reason == "ContainerPatchFailed"
