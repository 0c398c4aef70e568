"""`vault-webhook inject`: show what the webhook would make of a manifest."""

import difflib
import json
from collections.abc import Callable, Sequence
from typing import Any

import jsonpatch

from webhook import yaml_text
from webhook.commands import manifests
from webhook.commands.asking import Reply, reply_of, review_of
from webhook.commands.manifests import Workload

Ask = Callable[[bytes], bytes]  # a review's body to the answer's
OUTPUTS = ("yaml", "json", "patch", "diff")


class Injected:
    """All documents of one run, injected; or what was refused."""

    def __init__(
        self, sources: Sequence[tuple[str, list[Any]]], ask: Ask, *, namespace: str, template_path: str
    ) -> None:
        """Ask about every workload and apply the patches of those that are admitted.

        Args:
            sources: name and documents of each file; the documents are changed in place.
            ask: answers one review.
            namespace: of objects that name none.
            template_path: as in `manifests.workloads`.

        Raises:
            ManifestError: a document cannot be used.
        """
        self.documents = [document for _, documents in sources for document in documents]
        self._before = yaml_text.write(self.documents)
        self.replies: list[tuple[Workload, Reply]] = []
        for source, documents in sources:
            for workload in manifests.workloads(source, documents, namespace=namespace, template_path=template_path):
                reply = reply_of(ask(review_of(workload)))
                self.replies.append((workload, reply))
                if reply.allowed and reply.patch:
                    _apply(workload, reply)

    @property
    def refused(self) -> list[tuple[Workload, Reply]]:
        """Return the workloads whose pods would be refused."""
        return [(workload, reply) for workload, reply in self.replies if not reply.allowed]

    def render(self, output: str) -> str:
        """Return the result as one of OUTPUTS."""
        if output == "patch":
            patches = [{"object": workload.title, "patch": reply.patch} for workload, reply in self.replies]
            return json.dumps(patches, indent=2, ensure_ascii=False) + "\n"
        after = yaml_text.write(self.documents)
        if output == "diff":
            lines = difflib.unified_diff(
                self._before.splitlines(keepends=True), after.splitlines(keepends=True), "submitted", "injected"
            )
            return "".join(lines)
        if output == "json":
            whole = self.documents[0] if len(self.documents) == 1 else self.documents
            return json.dumps(whole, indent=2, ensure_ascii=False, default=str) + "\n"
        return after


def _apply(workload: Workload, reply: Reply) -> None:
    """Apply a patch to the workload's template in place, so that comments and key order of the document stay."""
    operations = [{**operation, "value": yaml_text.kept(operation["value"])} for operation in reply.patch]
    jsonpatch.JsonPatch(operations).apply(workload.template, in_place=True)
