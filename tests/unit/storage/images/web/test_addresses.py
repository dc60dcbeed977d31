"""Which addresses may be asked: no rule here may let an inner one through."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from storage.images.web.addresses import Address, refusal

REFUSED = [
    ("0.0.0.0", "no host's address"),
    ("0.1.2.3", "private"),
    ("10.0.0.1", "private"),
    ("100.64.0.1", "reserved range"),
    ("100.127.255.255", "reserved range"),
    ("127.0.0.1", "loopback"),
    ("127.255.255.254", "loopback"),
    ("169.254.0.1", "link-local"),
    ("169.254.169.254", "metadata"),
    ("100.100.100.200", "metadata"),
    ("168.63.129.16", "metadata"),
    ("fd00:ec2::254", "metadata"),
    ("172.16.0.1", "private"),
    ("172.31.255.255", "private"),
    ("192.0.0.8", ""),
    ("192.88.99.1", "reserved range"),
    ("192.168.1.1", "private"),
    ("198.18.0.1", "private"),
    ("224.0.0.1", "multicast"),
    ("233.252.0.1", "multicast"),
    ("240.0.0.1", "private"),
    ("255.255.255.255", "private"),
    ("::", "no host's address"),
    ("::1", "loopback"),
    ("::2", ""),
    ("fe80::1", "link-local"),
    ("fe80::1%eth0", "link-local"),
    ("fec0::1", ""),
    ("fc00::1", "private"),
    ("fd12:3456::1", "private"),
    ("ff02::1", "multicast"),
    ("100::1", ""),
    ("5f00::1", ""),
    ("4000::1", ""),
    # An inner address in an outer coat.
    ("::ffff:127.0.0.1", "loopback"),
    ("::ffff:10.0.0.1", "private"),
    ("::ffff:169.254.169.254", "metadata"),
    ("::127.0.0.1", ""),
    ("64:ff9b::7f00:1", "loopback"),
    ("64:ff9b::a9fe:a9fe", "metadata"),
    ("64:ff9b:1::a00:1", ""),
    ("2002:7f00:1::", ""),
    ("2002:808:808::", ""),
    ("2001:0:7f00:1::", ""),
    ("2001::f5ff:fffe", ""),
    ("2001:db8::1", "private"),
    ("3fff::1", ""),
]

PASSED = [
    "1.1.1.1",
    "8.8.8.8",
    "93.184.215.14",
    "100.63.255.255",
    "100.128.0.1",
    "172.15.0.1",
    "172.32.0.1",
    "192.169.0.1",
    "223.255.255.254",
    "2606:4700::1111",
    "2a00:1450:4001::1",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
]


@pytest.mark.parametrize(("text", "word"), REFUSED)
def test_an_address_that_is_not_public_is_refused(text: str, word: str) -> None:
    reason = refusal(ip_address(text))
    assert reason
    assert word in reason


@pytest.mark.parametrize("text", PASSED)
def test_a_public_address_passes(text: str) -> None:
    assert refusal(ip_address(text)) == ""


@given(st.ip_addresses())
@example(IPv6Address("2001:1::1"))
@example(IPv4Address("192.0.0.9"))
def test_what_is_not_global_never_passes(address: Address) -> None:
    if not address.is_global or address.is_multicast:
        assert refusal(address)


@given(st.ip_addresses(v=4))
def test_a_coat_changes_nothing(inner: IPv4Address) -> None:
    mapped = IPv6Address(b"\0" * 10 + b"\xff\xff" + inner.packed)
    translated = IPv6Address(bytes.fromhex("0064ff9b") + b"\0" * 8 + inner.packed)
    assert refusal(mapped) == refusal(translated) == refusal(inner)


def test_a_named_network_is_open_and_nothing_beside_it() -> None:
    ours = [ip_network("10.1.2.0/24"), ip_network("fd12::/64")]
    for text in ("10.1.2.0", "10.1.2.255", "::ffff:10.1.2.3", "fd12::1", "8.8.8.8"):
        assert refusal(ip_address(text), ours) == "", text
    for text in ("10.1.3.0", "10.1.1.255", "127.0.0.1", "fd12:0:0:1::1", "::1"):
        assert refusal(ip_address(text), ours), text


def test_no_network_opens_what_hands_out_credentials() -> None:
    everything = [ip_network("0.0.0.0/0"), ip_network("::/0")]
    assert refusal(ip_address("127.0.0.1"), everything) == ""
    for text in ("169.254.169.254", "::ffff:169.254.169.254", "fd00:ec2::254", "168.63.129.16"):
        assert "metadata" in refusal(ip_address(text), everything)
