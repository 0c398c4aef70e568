"""The controller's parts without its process: poll by poll, on a clock the test moves."""

from pathlib import Path

from webhook import yaml_text
from webhook.controller.control import Parts
from webhook.controller.known import Known
from webhook.controller.loop import Clock
from webhook.rolecheck.bindings.load import load
from webhook.settings.read import read


class Log:
    def __init__(self):
        self.lines = []

    def info(self, event, **fields):
        self.lines.append((event, fields))

    warning = info


class Controller:
    def __init__(self, flags, *, known=None, read_timeout_s=0.5):
        self.flags = flags
        self.control = read(flags, {}).control
        self.now = 1_800_000_000.0
        self.slept = lambda _: None
        self.log = Log()
        clock = Clock(unix=lambda: self.now, steady=lambda: self.now, sleep=self.sleep, chance=lambda: 0.0)
        self.parts = Parts(self.control, known or Known(), self.log, clock=clock, read_timeout_s=read_timeout_s)
        self.loop, self.shared = self.parts.loop, self.parts.shared

    def sleep(self, seconds):
        """Go on at once: time stands still within a poll, unless a test moves it here."""
        self.slept(seconds)

    def poll(self):
        """Do one poll, all texts of it and the document; return the seconds until the next."""
        self.now += 60
        keys, pause_s = self.loop.poll()
        while keys:
            problem = self.loop.read(keys)
            if problem is not None:
                pause_s = self.loop.failed(problem)
                break
            keys = self.loop.wanted()
        self.loop.write()
        return pause_s

    @property
    def path(self):
        return Path(self.control.document)

    def document(self):
        return load(self.path.read_bytes(), yaml_text.documents)

    def mount(self, path=None, namespace=""):
        """Return a mount as the document has it; the one polled by default."""
        return self.document().auth_mount(namespace, path or self.control.mounts[0][1])

    def problems(self):
        """Return place to cause, without the name of the mount."""
        mount = self.control.mounts[0][1]
        return {place.replace(mount, "MOUNT"): cause for place, cause in self.loop.health.causes.items()}

    def close(self):
        self.loop.close()
        self.parts.confirmer.close()
        self.parts.session.close()
