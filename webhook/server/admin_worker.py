"""The worker of the admin side: Flask behind the same bounded connections as admission, without TLS. ports/pages.py says why."""

import asyncio
import os
import signal

from uvicorn_worker import UvicornWorker

from webhook import logs
from webhook.ports import pages
from webhook.ports.connections import UVICORN_OPTIONS


class AdminWorker(UvicornWorker):  # type: ignore[misc] # the library has no types
    """Answers probes, Prometheus and people."""

    CONFIG_KWARGS = UVICORN_OPTIONS

    def load_wsgi(self) -> None:
        """Leave out gunicorn's loading: the application is wrapped on the loop."""

    async def _serve(self) -> None:
        logs.adopt()
        leaving = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            loop.add_signal_handler(number, leaving.set)

        def goes_on() -> bool:
            self.notify()
            return not leaving.is_set() and os.getppid() == self.ppid

        await pages.serve(self.app.load(), self.sockets, goes_on=goes_on)
