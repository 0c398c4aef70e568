"""The parts that the table of settings has, so that a command can list those that matter to it."""

from enum import StrEnum

from webhook.settings.rows import ROWS, SettingRow


class Part(StrEnum):
    """A run of rows; the value is its heading."""

    SERVING = "Serving"
    AGENTS = "Agents: defaults of annotations"
    INJECTION = "What is added, and what annotations may do"
    ROLE_CHECK = "Role check"
    CONTROLLER = "Controller"
    ACCEPTED = "Accepted for manifests of the reference injector"


# The first row of each part; a row belongs to the part whose first row is the last one before it.
FIRST = {
    "LISTEN": Part.SERVING,
    "VAULT_ADDR": Part.AGENTS,
    "SIDECAR_MODE": Part.INJECTION,
    "BINDINGS": Part.ROLE_CHECK,
    "BINDINGS_POLL_INTERVAL": Part.CONTROLLER,
    "TLS_CA_CERT_FILE": Part.ACCEPTED,
}


def rows_by_part() -> dict[Part, list[SettingRow]]:
    """Return the rows of each part, parts and rows in the table's order."""
    parts: dict[Part, list[SettingRow]] = {}
    part = Part.SERVING
    for row in ROWS:
        part = FIRST.get(row.variable, part)
        parts.setdefault(part, []).append(row)
    return parts
