"""Certificates as pure functions over `cryptography`: a throwaway or long-lived CA, and the leaves it signs.

PEM bytes and times in, PEM bytes out. Nothing here reads a file, a clock or the network: the caller tells the time.
"""

from certs.authority import KeyPair, new_authority
from certs.leaf import ClientOf, ServerOf, issue

__all__ = ["ClientOf", "KeyPair", "ServerOf", "issue", "new_authority"]
