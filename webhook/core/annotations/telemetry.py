"""The agent's `telemetry` stanza from `agent-telemetry-<param>` annotations.

A value may be JSON or plain text. Each member is converted to the type the agent requires, or refused.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from webhook.core.annotations import go_values

DEPTH_MAX = 8  # of members we do not know; those we know are flat
_BOOLEANS = (
    "disable_hostname",
    "enable_hostname_label",
    "add_lease_metrics_namespace_labels",
    "filter_default",
    "stackdriver_debug_logs",
)
_INTEGERS = ("maximum_gauge_cardinality", "num_lease_metrics_buckets")
_LISTS = ("prefix_filter", "dogstatsd_tags")
_TEXTS = (
    "usage_gauge_period",
    "lease_metrics_epsilon",
    "statsite_address",
    "statsd_address",
    "circonus_api_token",
    "circonus_api_app",
    "circonus_api_url",
    "circonus_submission_interval",
    "circonus_submission_url",
    "circonus_check_id",
    "circonus_check_instance_id",
    "circonus_check_search_tag",
    "circonus_check_display_name",
    "circonus_check_tags",
    "circonus_check_force_metric_activation",  # true or false, and yet the agent wants it as a text
    "circonus_broker_id",
    "circonus_broker_select_tag",
    "dogstatsd_addr",
    "prometheus_retention_time",
    "stackdriver_project_id",
    "stackdriver_location",
    "stackdriver_namespace",
)


def member(name: str, raw: str) -> Any:
    """Return one member's value, typed for the agent.

    Args:
        name: the member, with underscores, in lower case.
        raw: the annotation's text.

    Raises:
        ValueError: the text cannot be converted to the member's type.
    """
    if name in _BOOLEANS:
        return go_values.boolean(_plain(raw))
    if name in _INTEGERS:
        return go_values.integer(_plain(raw))
    if name in _LISTS:
        return _texts(raw)
    if name in _TEXTS:
        return _plain(raw)
    value = _json_or_text(raw)
    if _is_deeper(value, DEPTH_MAX):
        raise ValueError(f"want lists and objects nested at most {DEPTH_MAX} deep")
    return value


def is_known(name: str) -> bool:
    """Tell whether the agent's documentation has such a member."""
    return name in _BOOLEANS or name in _INTEGERS or name in _LISTS or name in _TEXTS


def stanza(members: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the stanza without empty texts and lists; false and 0 stay."""
    return {name: value for name, value in members.items() if value not in ("", [], None)}


def _is_deeper(value: Any, depth: int) -> bool:
    """Tell whether lists and objects are nested deeper than this, level by level."""
    level = [value]
    for _ in range(depth + 1):
        containers = [item for item in level if isinstance(item, dict | list)]
        level = [inner for item in containers for inner in (item.values() if isinstance(item, dict) else item)]
    return bool(containers)


def _json_or_text(raw: str) -> Any:
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return raw


def _plain(raw: str) -> str:
    """Return the text of a JSON string, any other text as it was written: 30 and true stay "30" and "true"."""
    value = _json_or_text(raw)
    if isinstance(value, (dict, list)):
        raise ValueError("want one value, not a list or an object")  # noqa: TRY004 callers handle texts that do not fit
    if value is None:
        return ""
    return value if isinstance(value, str) else raw.strip()


def _texts(raw: str) -> list[str]:
    value = _json_or_text(raw)
    if value is None:
        return []
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return value
    if isinstance(value, (dict, list)):
        raise ValueError("want a list of texts, as JSON or separated by commas")  # noqa: TRY004 as above
    return list(go_values.items(raw))
