"""What the author of a pod asks for: annotations and server defaults, parsed and checked.

Every field is named in a row of `table.py`, which tells its annotation, default and effect.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from msgspec import Struct

from webhook.core.annotations.family import VAULT, Family
from webhook.core.json_template import JsonTemplate


class SecretRequest(Struct, frozen=True, kw_only=True):
    """One file the agent renders."""

    key: str  # of the annotation that declares it with a path, without prefix
    name: str  # the annotation key's suffix, lower-cased unless its case is preserved
    path: str  # Vault path as written, "" when only a template is given
    template: str  # inline template, "" for none
    template_file: str  # path in the agent container, "" for none
    mount_path: str
    destination: str  # absolute, below mount_path
    perms: str
    command: str
    left_delimiter: str
    right_delimiter: str
    error_on_missing_key: bool


class Intent(Struct, frozen=True, kw_only=True):
    """What one pod asks for. A text is "" if the annotation is absent or empty."""

    shared: "SharedIntent | None" = None  # None in the shared one itself
    family: Family = VAULT
    texts: Mapping[str, str] = {}  # the pod's own annotations of ours, keys without prefix
    by_server: AbstractSet[str] = frozenset()  # keys for which the operator set another default than ours
    warnings: tuple[str, ...] = ()
    secrets: tuple[SecretRequest, ...] = ()
    # switches and pod shape
    request_namespace: str = ""  # read, and used by nothing
    containers: AbstractSet[str] | None = None  # None: all
    init_first: bool
    pre_populate: bool
    pre_populate_only: bool
    configmap: str = ""
    extra_secret: str = ""
    copy_mounts_of: str = ""
    share_process_namespace: bool | None = None
    token_volume: str
    token_audience: str = ""
    sidecar_patch: Sequence[Mapping[str, Any]] = ()
    init_patch: Sequence[Mapping[str, Any]] = ()
    # image, resources, identity
    image: str
    limits_cpu: str
    limits_memory: str
    limits_ephemeral: str
    requests_cpu: str
    requests_memory: str
    requests_ephemeral: str
    init_limits_cpu: str | None = None  # None: as the sidecar
    init_limits_memory: str | None = None
    init_limits_ephemeral: str | None = None
    init_requests_cpu: str | None = None
    init_requests_memory: str | None = None
    init_requests_ephemeral: str | None = None
    run_as_user: int
    run_as_group: int
    run_as_same_user: bool
    set_security_context: bool
    # secrets and templates
    secret_volume_path: str
    secret_volume_read_only: bool
    secret_volume_size_limit: str = ""
    default_template: str
    preserve_case: bool  # of secrets that do not say
    inject_token: bool
    # connection
    address: str
    namespace: str
    proxy_address: str
    tls_secret: str = ""
    tls_skip_verify: bool
    tls_server_name: str = ""
    ca_cert: str = ""
    ca_path: str = ""
    client_cert: str = ""
    client_key: str = ""
    client_max_retries: str = ""
    client_timeout: str = ""
    go_max_procs: str = ""
    log_level: str
    log_format: str
    # authentication
    role: str = ""
    auth_type: str
    auth_path: str
    auth_config: Mapping[str, str] = {}  # names with underscores
    min_backoff: str
    max_backoff: str
    exit_on_err: bool
    revoke: bool
    revoke_grace_s: int
    # agent features
    cache: bool
    cache_token: str
    cache_port: str
    cache_exit_on_err: bool
    enable_quit: bool
    telemetry: Mapping[str, Any] | None = None
    exit_on_retry_failure: bool
    render_interval: str
    max_connections_per_host: int
    lease_renewal_threshold: float
    disable_idle_connections: tuple[str, ...]
    disable_keep_alives: tuple[str, ...]

    @property
    def login_role(self) -> str:
        """Return the Vault role to log in to, "" where none is given: the annotation of its own beats the method's parameter."""
        return self.role or self.auth_config.get("role", "")

    @property
    def in_pod(self) -> AbstractSet[str]:
        """Return the keys, without prefix, that the pod itself gives."""
        return self.texts.keys()

    @property
    def annotation_bytes(self) -> int:
        """Return how much the pod's own annotations of ours weigh."""
        return sum(len(key) + len(text.encode("utf-8", "replace")) for key, text in self.texts.items())

    def states(self, key: str) -> bool:
        """Return whether the author or the operator gave this annotation a value."""
        return key in self.in_pod or key in self.by_server

    def annotation(self, key: str) -> str:
        """Return an annotation's whole key as the author writes it."""
        return self.family.prefix + key

    def template(self, build: Callable[..., object], *given: Hashable) -> JsonTemplate:
        """Return the JSON template of `build(intent, *given)`, cached for all pods with equal annotations.

        `build` gets an intent without role and secrets.

        Args:
            build: returns a value with slots.
            given: what else decides the template: a few flags, never a text of one pod's.
        """
        if self.shared is None:
            raise TypeError("the shared intent itself has no templates")
        return self.shared.template(build, *given)


class SharedIntent:
    """The part of an Intent that does not depend on the role or the secrets.

    Pods whose other annotations are equal share one, so the JSON built from it is cached.

    Attributes:
        intent: without role and secrets, so nothing built from it belongs to a single pod.
    """

    __slots__ = ("_templates", "intent")

    def __init__(self, intent: Intent) -> None:
        self.intent = intent
        self._templates: dict[Hashable, JsonTemplate] = {}

    def template(self, build: Callable[..., object], *given: Hashable) -> JsonTemplate:
        """Return a template, built when it is first asked for; see `Intent.template`."""
        template = self._templates.get((build, given))
        if template is None:
            template = self._templates[build, given] = JsonTemplate(build(self.intent, *given))
        return template
