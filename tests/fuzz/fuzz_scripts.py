"""Fuzz the shell scripts of agent containers with annotations made of fuzzed texts. Run by `make fuzz`.

Whatever the texts, the scripts run to their end in a shell of their own (dash, a folder and a PATH of their own, a stub for the
agent), the stub is called with the texts as they are, and nothing else has been done.
"""

import json
import sys
import tempfile
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[2]))

with atheris.instrument_imports(include=["webhook"]):
    from webhook.admit import Admission
    from webhook.settings.read import read

from tests.core.asking import VAULT, Result, pod_with, review
from tests.core.inject.shells import Box, kubelet

MODES = {mode: Admission(read({}, {**VAULT, "AGENT_INJECT_SIDECAR_MODE": mode})) for mode in ("classic", "native")}
FLAG_OF = {
    "service": "address",
    "namespace": "namespace",
    "ca-cert": "ca-cert",
    "ca-key": "ca-path",
    "client-cert": "client-cert",
    "client-key": "client-key",
    "tls-server-name": "tls-server-name",
}
OTHERS = (
    "role",
    "proxy-address",
    "agent-inject-command-a",
    "agent-inject-template-a",
    "auth-path",
    "agent-inject-file-a",
)
SHELLS_WORDS = (
    "' \" ` $( ) ${ } $$ $(NAMESPACE) $(touch x) `touch x` ; & | > < \n \\ * ? [a] ~ # ! -x -- = , TERM EXIT $@ $1 %s /"
)
FRAGMENTS = SHELLS_WORDS.split(" ")


def text_of(provider: atheris.FuzzedDataProvider) -> str:
    """Return a text of fragments that a shell would read, and of anything."""
    parts = []
    for _ in range(provider.ConsumeIntInRange(1, 8)):
        if provider.ConsumeBool():
            parts.append(provider.PickValueInList(FRAGMENTS))
        else:
            parts.append(provider.ConsumeUnicodeNoSurrogates(provider.ConsumeIntInRange(0, 6)))
    return "".join(parts).replace("\0", "")


def one_input(data: bytes) -> None:
    """Try one input."""
    provider = atheris.FuzzedDataProvider(data)
    mode = provider.PickValueInList(sorted(MODES))
    annotations = {key: text_of(provider) for key in (*FLAG_OF, *OTHERS) if provider.ConsumeBool()}
    annotations |= {"agent-inject-secret-a": "x", "agent-revoke-on-shutdown": "true", "agent-revoke-grace": "0"}
    annotations["secret-volume-path"] = "/absent/" + text_of(provider).replace(":", "")
    pod = pod_with(annotations)
    answer = MODES[mode].answer(json.dumps(review(pod)).encode(), None, 0.0)
    result = Result(pod, answer)
    if result.allowed:
        with tempfile.TemporaryDirectory() as folder:
            check(Box.make(Path(folder), "dash"), result.container("vault-agent"), result.config(), annotations)


def check(box: Box, agent: dict, config: dict, annotations: dict[str, str]) -> None:
    """Run the scripts of an agent; see that they end well and have done what they are for, no more."""
    if "lifecycle" in agent:
        done = box.run(agent["lifecycle"]["preStop"]["exec"]["command"])
    else:
        static = {v["name"]: v["value"] for v in agent["env"] if "value" in v}
        probe = [kubelet(part, static) for part in agent["startupProbe"]["exec"]["command"]]
        file = config["template"][0]["destination"]
        assert box.run(probe) == (1, f"not rendered yet: {file} | \n")
        done = box.live(agent)
        assert [call["argv"] for call in box.calls("agent")] == [
            ["agent", f"-config={box.moved('/home/vault')}/config.json"]
        ]
    assert done == (0, ""), done
    given = {"service": VAULT["AGENT_INJECT_VAULT_ADDR"], **annotations}
    flags = [f"-{flag}={given[key]}" for key, flag in FLAG_OF.items() if given.get(key)]
    assert [call["argv"] for call in box.calls("token")] == [["token", "revoke", *flags, "-self"]]
    assert box.strays() == []


if __name__ == "__main__":
    atheris.Setup(
        [*sys.argv, "-len_control=0"], one_input
    )  # long inputs at once: a run is slow, and a short one says little
    atheris.Fuzz()
