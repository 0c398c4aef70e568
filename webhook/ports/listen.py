"""Opens a port."""

import socket

from webhook.settings.parsers import Address

BACKLOG = 2_048


def listen(address: Address) -> socket.socket:
    """Return a listening socket; host '' means every address of both families where the machine has both.

    Raises:
        OSError: the address is taken, or not ours; the text names it.
    """
    host, port = address
    both = not host and socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both or ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG, dualstack_ipv6=both)
    except OSError as error:
        raise OSError(f"cannot listen on {host or '*'} port {port}: {error.strerror or error}") from error
