"""Where secrets may be mounted: not where the agent keeps what is its own, and better not over a folder of the image's.

Paths are compared clean, and `/run` counts as `/var/run`, which is a link to it in most images.
"""

from collections.abc import Iterator

from webhook.core.agent_paths import AGENT_PATHS
from webhook.core.annotations.intent import Intent
from webhook.core.annotations.secrets import DECLARATION
from webhook.core.refusal import refused, warning
from webhook.reasons import Reason

COMMON = "secret-volume-path"
PROC = "/proc"  # no container runtime mounts anything there
_LIBRARIES = ("/lib", "/lib32", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib")
_PROGRAMS = ("/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local", "/usr/local/bin", "/usr/libexec", "/usr/share")
_CONFIGURATION = ("/etc", "/etc/ssl", "/etc/ssl/certs", "/etc/pki", "/var/lib", "/var/log", "/var/tmp", "/var/run")  # noqa: S108 no file is made
# Folders of the image's that programs rely on; agent and app see the empty volume instead.
SYSTEM_FOLDERS = frozenset(
    (*_LIBRARIES, *_PROGRAMS, *_CONFIGURATION, "/dev", "/home", "/opt", "/root", "/sys", "/tmp", "/usr", "/var")  # noqa: S108 as above
)


def check(intent: Intent) -> None:
    """Refuse a mount path of secrets that meets one of the agent's own.

    Raises:
        Refused: names the annotation.
    """
    seen: set[str] = set()
    for key, path in _paths(intent):
        if path not in seen and (problem := _problem(path)):
            raise refused(
                Reason.ANNOTATION_INVALID,
                intent.annotation(key),
                problem,
                "Give the secrets a folder of their own, such as /vault/secrets",
                value=path,
            )
        seen.add(path)


def warnings(intent: Intent) -> Iterator[str]:
    """Yield a warning for each annotation that mounts secrets over a folder of the image's."""
    for key, path in _paths(intent):
        if _real(path) in SYSTEM_FOLDERS:
            problem = f"{path} of the image, all that is in it, is hidden by the secrets; mount them below it"
            yield warning(intent.annotation(key), problem)


def _paths(intent: Intent) -> Iterator[tuple[str, str]]:
    """Yield the annotation, key without prefix, and the path of each mount of secrets, the common one first."""
    yield COMMON, intent.secret_volume_path
    for secret in intent.secrets:
        if secret.mount_path != intent.secret_volume_path:
            yield f"{COMMON}-{secret.key.removeprefix(DECLARATION)}", secret.mount_path


def _problem(path: str) -> str:
    real = f"{_real(path)}/"
    if real.startswith(f"{PROC}/"):
        return f"nothing can be mounted below {PROC}"
    if real[:-1] in SYSTEM_FOLDERS:
        return ""  # worth a warning
    for own in AGENT_PATHS:
        if real.startswith(f"{own}/") or f"{own}/".startswith(real):
            return f"the agent's own folder {own} is mounted there"
    return ""


def _real(path: str) -> str:
    return f"/var{path}" if f"{path}/".startswith("/run/") else path
