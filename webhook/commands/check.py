"""`vault-webhook check`: would the pods of these manifests be admitted? For pipelines, before anything is applied."""

import json
import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Sequence
from io import StringIO

from msgspec import Struct
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from webhook.commands.asking import ALLOW, NOT_CHECKED, REFUSED, WARN, Judged

TABLE = "table"
OUTPUTS = (TABLE, "json", "junit")
_STYLES = {ALLOW: "green", WARN: "yellow", REFUSED: "bold red", NOT_CHECKED: "yellow"}
_NO_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, section 2.2


class Line(Struct, frozen=True):
    """What came of one template, of an object that was not checked, or of a file without any."""

    source: str
    kind: str
    namespace: str
    name: str
    decision: str  # one of asking.DECISIONS
    reason: str
    messages: list[str]

    @property
    def title(self) -> str:
        """Return how messages call it; a whole file has no kind."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.kind else self.source


def line_of(judged: Judged) -> Line:
    """Return the line of what came of one template, or of what was not looked at."""
    found = judged.found
    reason = judged.reply.reason if judged.reply else ""
    return Line(found.source, found.kind, found.namespace, found.name, judged.decision, reason, judged.messages)


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
        title = line.title if line.kind else "(no pod)"
        table.add_row(Text(line.decision, _STYLES[line.decision]), Text(title), line.reason, Text(line.source))
    stream = StringIO()
    console = Console(file=stream, width=200, highlight=False)
    console.print(table)
    for line in found:
        for message in line.messages:
            console.print(Text(f"{line.title}: {message}"), soft_wrap=True)
    return stream.getvalue()


def _junit(found: Sequence[Line]) -> str:
    """Return a JUnit report: a test a template; refusals are failures, what was not checked is skipped, the rest output."""
    counts = Counter(line.decision for line in found)
    numbers = {"tests": len(found), "failures": counts[REFUSED], "skipped": counts[NOT_CHECKED]}
    named = {name: str(number) for name, number in numbers.items()}
    suite = ET.Element("testsuite", {"name": "vault-webhook check", **named})
    for line in found:
        case = ET.SubElement(suite, "testcase", classname=_xml(line.source), name=_xml(line.title))
        if line.decision == NOT_CHECKED:
            ET.SubElement(case, "skipped", message=_xml(line.messages[0]))
        elif line.decision == REFUSED:
            ET.SubElement(case, "failure", message=_xml(line.messages[0]), type=line.reason)
        if line.messages and line.decision != NOT_CHECKED:
            ET.SubElement(case, "system-out").text = _xml("\n".join(line.messages))
    return ET.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _xml(text: str) -> str:
    return _NO_XML.sub("?", text)
