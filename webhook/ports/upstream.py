"""What we rely on in uvicorn, its gunicorn worker and gunicorn, beyond what their documentation promises.

We stand inside these classes (connections.py and the server's workers say why), so their versions are pinned exactly. A
digest is of the source as it was read: when an upgrade changes it, tests/ports/test_upstream.py names the row. Then read
the new source beside what is written here, see that the tests of ports and server pass, and put the new digest.
"""

import hashlib
import inspect
import pkgutil
from typing import NamedTuple


class Relied(NamedTuple):
    """One function or class."""

    name: str  # module:qualified name
    digest: str
    what: str  # what it does that we count on, or that we replace it

    def digest_now(self) -> str:
        """Return the digest of what is installed."""
        source = inspect.getsource(pkgutil.resolve_name(self.name))
        return hashlib.sha256(source.encode()).hexdigest()[: len(self.digest)]


_PROTOCOL = "uvicorn.protocols.http.httptools_impl:HttpToolsProtocol."
_CYCLE = "uvicorn.protocols.http.httptools_impl:RequestResponseCycle."

RELIED: tuple[Relied, ...] = (
    Relied(
        "uvicorn.config:Config.load",
        "92b7159dce105a9c",
        "takes `log_config=None` and leaves logging alone; sets `loaded_app` to the application as it is",
    ),
    Relied(
        _PROTOCOL + "__init__",
        "4f08999410347141",
        "takes config, state, lifespan state and loop; `logger` is uvicorn.error",
    ),
    Relied(
        _PROTOCOL + "connection_made",
        "6efb565ff3d36b91",
        "sets `transport` and `flow`, adds the connection to the state",
    ),
    Relied(
        _PROTOCOL + "connection_lost",
        "c91a4c9bf2e29c55",
        "ends a waiting `receive` and `send`, closes the transport unless there was an error",
    ),
    Relied(
        _PROTOCOL + "data_received",
        "010a7ae59a5d3b1a",
        "what the parser or a callback of ours raises ends in `send_400_response`; an upgrade is answered as HTTP",
    ),
    Relied(
        _PROTOCOL + "on_message_begin", "96d377fdc7c2baef", "makes `scope` and `headers`, before any header is read"
    ),
    Relied(_PROTOCOL + "on_header", "65d62c044f61fdbd", "keeps every header in `headers`, names in lower case"),
    Relied(
        _PROTOCOL + "on_headers_complete",
        "1ea8589acfad92d8",
        "makes `cycle`, and starts it in a task or puts it left into `pipeline`; reads `transport` of the cycle later",
    ),
    Relied(
        _PROTOCOL + "on_body",
        "dba9c32aeba35b6a",
        "drops what comes after the answer; stops reading when the application is behind",
    ),
    Relied(_PROTOCOL + "on_message_complete", "1fbad42dc31fc01f", "wakes the application"),
    Relied(
        _PROTOCOL + "on_response_complete", "64e254f28e389e76", "is replaced: the same without the keep-alive timer"
    ),
    Relied(
        _PROTOCOL + "_start_asgi_task",
        "9c08c2571ae9b038",
        "puts the task among `tasks`, from which `in_flight` is read",
    ),
    Relied(_PROTOCOL + "send_400_response", "ae5a4a3782b646fd", "is replaced: our words, and counted"),
    Relied(_PROTOCOL + "_unsupported_upgrade_warning", "55bbd2762b189d9a", "is replaced: says nothing"),
    Relied(
        _PROTOCOL + "pause_writing",
        "17a8fd215d96a13c",
        "sets `flow.write_paused`, by which a peer that does not read is known",
    ),
    Relied(
        _CYCLE + "send",
        "abdd8601b326a8da",
        "writes head and body in one `write` each, then closes where `keep_alive` is false, then calls `on_response_complete`",
    ),
    Relied(
        _CYCLE + "receive",
        "8124ae006be71184",
        "asks for a body with `100 Continue` by `write`; uses `is_closing`; hands out what came since the last call",
    ),
    Relied(_CYCLE + "run_asgi", "0f33f2449a444bc2", "an error of the application is logged and answered 500"),
    Relied(
        "uvicorn.protocols.http.flow_control:FlowControl",
        "126debcdaa894c83",
        "`pause_reading` and `resume_reading` may be called twice; `drain` ends with `resume_writing`",
    ),
    Relied(
        "uvicorn.server:ServerState",
        "f2260fbf10154746",
        "has `connections`, `tasks`, `total_requests` and `default_headers`",
    ),
    Relied(
        "uvicorn_worker:UvicornWorker.__init__",
        "d51a1f9f91fdc5da",
        "sets up loggers of uvicorn, which logs.adopt puts right; makes `config` from CONFIG_KWARGS",
    ),
    Relied("uvicorn_worker:UvicornWorker.init_signals", "0c611981788f9781", "leaves SIGTERM and SIGINT to the loop"),
    Relied(
        "uvicorn_worker:UvicornWorker.run",
        "00ca1919b3eddc9c",
        "runs `_serve`, which is replaced, on the loop that `config` names",
    ),
    Relied(
        "gunicorn.workers.base:Worker.init_process",
        "114caccd7a0e3c21",
        "calls `load_wsgi`, which is replaced, and then `run`",
    ),
    Relied(
        "gunicorn.workers.base:Worker.notify",
        "7f509bc4046b0e97",
        "moves the heartbeat by which the master knows a worker that stands still",
    ),
    Relied(
        "gunicorn.glogging:Logger.setup",
        "17c79acdddea07c6",
        "is replaced: no handlers, so that records reach the root logger",
    ),
    Relied(
        "gunicorn.app.base:BaseApplication.do_load_config", "502f5dc865f168c0", "calls `load_config`, which is replaced"
    ),
)
