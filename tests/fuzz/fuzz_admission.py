"""Fuzz one admission: annotations made of fuzzed bytes, and whole bodies of them. Run by `make fuzz`.

Whatever comes, the answer is HTTP 200 or 400, a review with a uid is answered whole, no fault of ours, and a patch applies.
"""

import base64
import json
import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[2]))

with atheris.instrument_imports(include=["webhook"]):
    from webhook.admit import Admission
    from webhook.core.annotations.table import TABLE
    from webhook.settings.read import read

import jsonpatch

MODES = [
    Admission(read({}, {"AGENT_INJECT_VAULT_ADDR": "https://vault:8200", "AGENT_INJECT_SIDECAR_MODE": mode}))
    for mode in ("classic", "native")
]
STEMS = [row.stem for row in TABLE]


def one_input(data: bytes) -> None:
    """Try one input."""
    provider = atheris.FuzzedDataProvider(data)
    admission = provider.PickValueInList(MODES)
    if provider.ConsumeProbability() < 0.1:
        check_answer(admission.answer(provider.ConsumeBytes(len(data)), None, 0.0))
        return
    annotations = {"vault.hashicorp.com/agent-inject": "true", "vault.hashicorp.com/role": "r"}
    for _ in range(provider.ConsumeIntInRange(0, 8)):
        key = provider.PickValueInList(STEMS) + provider.ConsumeUnicode(provider.ConsumeIntInRange(0, 12))
        annotations["vault.hashicorp.com/" + key] = provider.ConsumeUnicode(provider.ConsumeIntInRange(0, 200))
    pod = {"metadata": {"annotations": annotations}, "spec": {"containers": [{"name": "app"}]}}
    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {"uid": "u", "object": pod}}
    answer = admission.answer(json.dumps(review).encode(), None, 0.0)
    response = check_answer(answer)["response"]
    assert response["uid"] == "u"
    if "patch" in response:
        jsonpatch.apply_patch(json.loads(json.dumps(pod)), json.loads(base64.b64decode(response["patch"])))
    if not response["allowed"]:
        message = response["status"]["message"]
        assert len(message) <= 300, message
        assert message.isprintable(), message


def check_answer(answer: object) -> dict[str, dict[str, object]]:
    """Return the answer's body; an answer that is none ends the run."""
    assert answer.error is None, answer.error
    assert answer.status in (200, 400)
    return json.loads(answer.body)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
