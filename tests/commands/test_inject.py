"""Patches put into manifests."""

import json

import pytest

from webhook.commands.asking import Judged, Reply
from webhook.commands.inject import Injected
from webhook.commands.manifests import ManifestError, Unchecked, Workload


def judged(template, patch):
    reply = Reply(allowed=True, patch=patch, reason="", message="", warnings=[])
    return Judged(Workload("f", "Pod", "p", "ns", template), reply)


def test_a_patch_is_applied_in_place_and_shown_in_every_way():
    template = {"spec": {"containers": []}}
    one = judged(template, [{"op": "add", "path": "/spec/containers/-", "value": {"name": "a"}}])
    injected = Injected([template], [one, Judged(Unchecked("f", "why"))])
    assert template == {"spec": {"containers": [{"name": "a"}]}}
    assert json.loads(injected.render("json")) == template
    assert injected.render("yaml") == "spec:\n  containers:\n    - name: a\n"
    assert json.loads(injected.render("patch")) == [{"object": "Pod ns/p", "patch": one.reply.patch}]
    assert "+    - name: a\n" in injected.render("diff")


@pytest.mark.parametrize("path", ["/spec/volumes/-", "/nowhere/a", "/metadata/a/b"])
def test_one_that_does_not_apply_names_the_workload(path):
    with pytest.raises(ManifestError, match="f: Pod ns/p: the patch does not apply") as error:
        Injected([], [judged({"metadata": {"a": 1}}, [{"op": "add", "path": path, "value": 1}])])
    assert str(error.value).isprintable()
