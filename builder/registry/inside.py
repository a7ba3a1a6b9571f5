"""Hosts that a registry out there must not lead us to: this machine, and where clouds keep their secrets. Pure.

A host may hide behind any spelling of its address, or behind a name: names are looked at when a connection stands, by the
address that was reached.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import Final

_SECRETS: Final = frozenset(
    map(ipaddress.ip_address, ("fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192"))
)
"""Of clouds whose service of secrets has no link-local address."""
_EMBEDDED: Final = (
    (ipaddress.ip_network("64:ff9b::/96"), 0),
    (ipaddress.ip_network("::/96"), 0),
    (ipaddress.ip_network("2002::/16"), 80),
)
"""IPv6 addresses that stand for one of IPv4, and how many bits follow that."""


def is_inside(host: str) -> bool:
    """Tell whether a host is inside by its own spelling.

    >>> is_inside("127.1"), is_inside("[::1]"), is_inside("a.localhost"), is_inside("10.0.0.1")
    (True, True, True, False)
    """
    name = host.strip("[]").rstrip(".").partition("%")[0].lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        try:
            # Systems take 127.1, 0x7f000001 and 2130706433 for addresses too.
            address = ipaddress.ip_address(socket.inet_aton(name))
        except (OSError, UnicodeError, ValueError):
            return False
    return any(
        one.is_loopback or one.is_link_local or one.is_unspecified or one in _SECRETS for one in _all_of(address)
    )


def _all_of(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, ...]:
    """List an address and those of IPv4 that it stands for."""
    if isinstance(address, ipaddress.IPv4Address):
        return (address,)
    mapped = address.ipv4_mapped
    held = [
        ipaddress.IPv4Address((int(address) >> shift) & 0xFFFFFFFF)
        for network, shift in _EMBEDDED
        if address in network
    ]
    return (address, *((mapped,) if mapped else ()), *held)
