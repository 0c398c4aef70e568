"""What all processes of one run share: settings, admission, and the folder they meet in."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from webhook.admit import Admission
from webhook.settings.read import Settings


@dataclass(frozen=True, slots=True)
class Folders:
    """The folder of one run; best on memory, since it is written each second."""

    root: Path

    @property
    def workers(self) -> Path:
        """State files of the workers."""
        return self.root / "workers"

    @property
    def metrics(self) -> Path:
        """Files of prometheus-client, one for each worker and kind."""
        return self.root / "metrics"

    @property
    def addresses(self) -> Path:
        """The addresses listened on, JSON."""
        return self.root / "addresses.json"

    @property
    def log_lock(self) -> Path:
        """Held by the worker that writes log lines."""
        return self.root / "log.lock"

    def prepare(self) -> None:
        """Make the folders, empty: an earlier run's counts and workers mean nothing now."""
        self.addresses.unlink(missing_ok=True)
        for folder in (self.workers, self.metrics):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)


@dataclass(frozen=True, slots=True)
class Running:
    """What each process is given when it is forked."""

    settings: Settings
    admission: Admission
    folders: Folders
