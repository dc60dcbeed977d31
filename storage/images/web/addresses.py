"""Which network addresses an image may be read from: public ones, and those of named networks.

A URL in somebody's list must not make a worker ask the database beside it, a router, or the
service that hands the machine its cloud credentials. So an address passes only if it is known to
be public. Python's tables of special addresses grow with each release; what matters here is written
out as well, so that an older Python refuses the same addresses.
"""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

#: Services that hand out credentials to any program on the machine; no setting opens them.
_METADATA = frozenset(
    map(
        ip_address,
        (
            "169.254.169.254",  # AWS, Google, Azure and most others
            "169.254.170.2",  # containers on AWS
            "169.254.170.23",  # pods on AWS
            "fd00:ec2::254",  # AWS, over IPv6
            "fd00:ec2::23",
            "fd20:ce::254",  # Google, over IPv6
            "100.100.100.200",  # Alibaba
            "168.63.129.16",  # Azure's host; public by its number only
            "192.0.0.192",  # Oracle
        ),
    )
)

#: Never public, although the tables of this Python version may say so.
_SPECIAL = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",  # shared by the customers of a provider
            "127.0.0.0/8",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/3",
            "2001::/23",  # tunnels (Teredo), benchmarks, identifiers
            "2001:db8::/32",
            "2002::/16",  # tunnels (6to4), given up long ago
            "3fff::/20",
        ),
    )
)

#: The only part of IPv6 in which public hosts live.
_PUBLIC_IPV6 = IPv6Network("2000::/3")

#: NAT64: the last four bytes are the IPv4 address that a translator connects to.
_TRANSLATED = IPv6Network("64:ff9b::/96")


def refusal(address: Address, allowed: Collection[Network] = ()) -> str:
    """Why nothing is read from an address, or an empty string where it may be.

    Args:
        address: As a resolver gave it, or as the URL named it.
        allowed: Networks that are not public and may be read from nevertheless.
    """
    meant = _meant(address)
    if meant in _METADATA:
        return "is a metadata service, which hands out credentials"
    if any(meant in network for network in allowed) or _is_public(meant):
        return ""
    return f"is {_kind(meant)}"


def _meant(address: Address) -> Address:
    """The IPv4 address inside an IPv6 one that only wraps it, else the address itself."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _TRANSLATED:
            return IPv4Address(address.packed[-4:])
        return IPv6Address(int(address))  # without the network card, which does not matter here
    return address


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv6Address) and address not in _PUBLIC_IPV6:
        return False
    special = any(address in network for network in _SPECIAL)
    return address.is_global and not special


def _kind(address: Address) -> str:
    """The kind of address, as people call it."""
    for holds, word in (
        (address.is_unspecified, "no host's address"),
        (address.is_loopback, "a loopback address: the worker's own machine"),
        (address.is_link_local, "a link-local address"),
        (address.is_multicast, "a multicast address"),
        (address.is_private, "a private address"),
    ):
        if holds:
            return word
    return "an address of a reserved range"
