"""`vault-webhook inject`: show what the webhook would make of a manifest."""

import difflib
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import jsonpatch
from jsonpointer import JsonPointerException

from webhook import yaml_text
from webhook.commands.asking import Judged, Reply
from webhook.commands.manifests import ManifestError, Workload
from webhook.one_line import clean

ERROR_LENGTH = 200  # of the words of another library, which quote what they met
OUTPUTS = ("yaml", "json", "patch", "diff")


class Injected:
    """All documents of one run, injected; or what was refused."""

    def __init__(self, documents: Sequence[Any], judged: Iterable[Judged]) -> None:
        """Apply the patches of those that are admitted.

        Args:
            documents: of all files; they are changed in place.
            judged: what came of their templates.

        Raises:
            ManifestError: a patch does not apply.
        """
        self.documents = documents
        self.judged = list(judged)
        self._before = yaml_text.write(documents)
        for workload, reply in self._asked():
            if reply.allowed and reply.patch:
                _apply(workload, reply)

    @property
    def is_refused(self) -> bool:
        """Tell whether a pod would be refused."""
        return any(not reply.allowed for _, reply in self._asked())

    def _asked(self) -> Iterator[tuple[Workload, Reply]]:
        for judged in self.judged:
            if isinstance(judged.found, Workload) and judged.reply:
                yield judged.found, judged.reply

    def render(self, output: str) -> str:
        """Return the result as one of OUTPUTS."""
        if output == "patch":
            patches = [{"object": workload.title, "patch": reply.patch} for workload, reply in self._asked()]
            return json.dumps(patches, indent=2, ensure_ascii=False) + "\n"
        after = yaml_text.write(self.documents)
        if output == "diff":
            lines = difflib.unified_diff(
                self._before.splitlines(keepends=True), after.splitlines(keepends=True), "submitted", "injected"
            )
            return "".join(lines)
        if output == "json":
            whole = self.documents[0] if len(self.documents) == 1 else self.documents
            return json.dumps(yaml_text.plain(whole), indent=2, ensure_ascii=False) + "\n"
        return after


def _apply(workload: Workload, reply: Reply) -> None:
    """Apply a patch to the workload's template in place, so that comments and key order of the document stay.

    Raises:
        ManifestError: it does not apply to this template.
    """
    operations = [{**operation, "value": yaml_text.kept(operation["value"])} for operation in reply.patch]
    try:
        jsonpatch.JsonPatch(operations).apply(workload.template, in_place=True)
    except (jsonpatch.JsonPatchException, JsonPointerException) as error:
        text = clean(error, ERROR_LENGTH)
        raise ManifestError(f"{workload.source}: {workload.title}: the patch does not apply: {text}") from error
