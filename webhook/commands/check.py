"""`vault-webhook check`: would the pods of these manifests be admitted? For pipelines, before anything is applied."""

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Sequence
from io import StringIO
from typing import Any

from msgspec import Struct
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from webhook.commands import manifests
from webhook.commands.asking import reply_of, review_of

OUTPUTS = ("table", "json", "junit")
_STYLES = {"allow": "green", "warn": "yellow", "refused": "bold red"}


class Line(Struct, frozen=True):
    """What was found of one workload."""

    source: str
    kind: str
    namespace: str
    name: str
    decision: str  # allow, warn or refused
    reason: str
    messages: list[str]


def lines(
    sources: Sequence[tuple[str, list[Any]]], ask: Callable[[bytes], bytes], *, namespace: str, template_path: str
) -> Iterator[Line]:
    """Ask about every workload.

    Args:
        sources: name and documents of each file.
        ask: answers one review.
        namespace: of objects that name none.
        template_path: as in `manifests.workloads`.

    Raises:
        ManifestError: a document cannot be used.
    """
    for source, documents in sources:
        for workload in manifests.workloads(source, documents, namespace=namespace, template_path=template_path):
            reply = reply_of(ask(review_of(workload)))
            decision = "refused" if not reply.allowed else "warn" if reply.warnings else "allow"
            messages = [*([] if reply.allowed else [reply.message]), *reply.warnings]
            yield Line(source, workload.kind, workload.namespace, workload.name, decision, reply.reason, messages)


def render(found: Sequence[Line], output: str) -> str:
    """Return the lines as one of OUTPUTS."""
    if output == "json":
        return (
            json.dumps([{field: getattr(line, field) for field in Line.__struct_fields__} for line in found], indent=2)
            + "\n"
        )
    return _junit(found) if output == "junit" else _table(found)


def _table(found: Sequence[Line]) -> str:
    table = Table(box=box.SIMPLE, pad_edge=False)
    for header in ("", "Workload", "Reason", "File"):
        table.add_column(header, no_wrap=True)
    for line in found:
        title = f"{line.kind} {line.namespace}/{line.name}"
        table.add_row(Text(line.decision, _STYLES[line.decision]), title, line.reason, line.source)
    stream = StringIO()
    console = Console(file=stream, width=200, highlight=False)
    console.print(table)
    for line in found:
        for message in line.messages:
            console.print(Text(f"{line.kind} {line.namespace}/{line.name}: {message}"), soft_wrap=True)
    return stream.getvalue()


def _junit(found: Sequence[Line]) -> str:
    """Return a JUnit report: a test a workload, refusals as failures, warnings as output."""
    refused = sum(line.decision == "refused" for line in found)
    suite = ET.Element("testsuite", name="vault-webhook check", tests=str(len(found)), failures=str(refused))
    for line in found:
        title = f"{line.kind} {line.namespace}/{line.name}"
        case = ET.SubElement(suite, "testcase", classname=line.source, name=title)
        if line.decision == "refused":
            ET.SubElement(case, "failure", message=line.messages[0], type=line.reason)
        elif line.messages:
            ET.SubElement(case, "system-out").text = "\n".join(line.messages)
    return ET.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"
