"""`bindings pull`: one poll of Vault, every role read, as a document on standard output or in a file."""

import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from webhook.controller import bindings_file, control
from webhook.controller.errors import SourceError
from webhook.settings.read import Settings


class PullError(Exception):
    """There is no document; the text says why."""


class _Lines:
    """Says on standard error what could not be read."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def info(self, event: str, **fields: Any) -> None:
        """Pass over what went well."""

    def warning(self, event: str, **fields: Any) -> None:
        """Say it in one line."""
        place = fields.get("place") or f"{fields.get('mount', '')} {fields.get('name', '')}".strip()
        self._console.print(
            f"vault-webhook: {event} {place}: {fields.get('problem', '')}", markup=False, highlight=False
        )


def pull(settings: Settings, output: str) -> None:
    """Write the document to the file; to standard output where it is `-`.

    Raises:
        PullError: Vault is not there, does not let us in, or the file cannot be written.
    """
    content = read(settings)
    try:
        if output == "-":
            sys.stdout.buffer.write(content)
        else:
            bindings_file.write(Path(output), content)
    except OSError as error:
        raise PullError(f"{output}: {error.strerror or error}") from error


def read(settings: Settings) -> bytes:
    """Return the document of one poll, progress shown on standard error.

    Raises:
        PullError: Vault is not there, or does not let us in.
    """
    console = Console(stderr=True, soft_wrap=True)
    columns = (TextColumn("reading roles and policies"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        with Progress(*columns, console=console, transient=True) as shown:
            task = shown.add_task("", total=None)
            return control.pull(
                settings.control,
                progress=lambda done, total: shown.update(task, completed=done, total=total),
                log=_Lines(console),
            )
    except SourceError as error:
        raise PullError(f"{settings.control.vault_address}: {error.cause}: {error}") from error
