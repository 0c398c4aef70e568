"""What we read of Kubernetes: labels of namespaces. The client's exceptions stop here, as SourceErrors."""

from typing import Any, Protocol

import urllib3.exceptions
from kubernetes import client, config

from webhook.controller.errors import DeniedError, MalformedError, SourceError, UnreachableError
from webhook.one_line import clean
from webhook.settings.control import Control

PAGE = 500  # namespaces in one answer
TIMEOUT_S = (2.0, 10.0)  # to connect, to read
TIMEOUT_ONE_S = (0.3, 0.5)
_DENIED = (401, 403)
_GONE, _NOT_FOUND = 410, 404

Labels = dict[str, str]


class Namespaces(Protocol):
    """Who tells labels."""

    def labels(self) -> dict[str, Labels]:
        """Return the labels of all namespaces."""

    def labels_of(self, namespace: str) -> Labels | None:
        """Return those of one, None when it does not exist."""


class Kube:
    """A Kubernetes cluster."""

    def __init__(self, control: Control) -> None:
        """Set up; nothing is asked before the first question."""
        self._kubeconfig = control.kubeconfig
        self._api: Any = None

    def labels(self) -> dict[str, Labels]:
        """Return the labels of all namespaces.

        Raises:
            SourceError: there is no usable answer; the same of the other.
        """
        found: dict[str, Labels] = {}
        page = ""
        while True:
            more = {"_continue": page} if page else {}
            answer = self._ask("list_namespace", limit=PAGE, _request_timeout=TIMEOUT_S, **more)
            for item in answer.items:
                found[item.metadata.name] = dict(item.metadata.labels or {})
            page = answer.metadata._continue  # noqa: SLF001 the library's name for `continue`
            if not page:
                return found

    def labels_of(self, namespace: str) -> Labels | None:
        """Return the labels of one namespace, None when it does not exist."""
        answer = self._ask("read_namespace", namespace, _request_timeout=TIMEOUT_ONE_S)
        return None if answer is None else dict(answer.metadata.labels or {})

    def _ask(self, method: str, *arguments: str, **options: Any) -> Any:
        try:
            return getattr(self._client(), method)(*arguments, **options)
        except client.ApiException as error:
            text = f"status {error.status}: {clean(error.reason)}"
            if error.status == _NOT_FOUND and arguments:
                return None
            raise (DeniedError if error.status in _DENIED else SourceError)(text) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise UnreachableError(clean(error, 200)) from error
        except (ValueError, TypeError, AttributeError) as error:  # the client met an answer of another shape
            raise MalformedError(clean(error, 200)) from error

    def _client(self) -> Any:
        if self._api is None:
            configuration = client.Configuration()
            try:
                _load(self._kubeconfig, configuration)
            except config.ConfigException as error:
                raise UnreachableError(clean(error, 200)) from error
            configuration.retries = False
            self._api = client.CoreV1Api(client.ApiClient(configuration))
        return self._api


def _load(kubeconfig: str, configuration: Any) -> None:
    library: Any = config
    if kubeconfig:
        library.load_kube_config(kubeconfig, client_configuration=configuration)
    else:
        library.load_incluster_config(client_configuration=configuration)
