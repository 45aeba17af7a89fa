"""Addresses and whose turn it is."""

from __future__ import annotations

import pytest

from bridge.addresses import Address, Rotation, parse_address

A, B, C = (Address("http", host, 9200) for host in "abc")


@pytest.mark.parametrize(
    ("text", "address", "shown"),
    [
        ("http://h", Address("http", "h", 80), "http://h:80"),
        ("https://h/", Address("https", "h", 443), "https://h:443"),
        ("http://h:9200/a%2Fb/", Address("http", "h", 9200, "/a%2Fb"), "http://h:9200/a%2Fb"),
        ("http://[::1]:9200", Address("http", "::1", 9200), "http://[::1]:9200"),
        ("http://u%40x:p%3A@h", Address("http", "h", 80, "", "Basic dUB4OnA6"), "http://h:80"),
        ("http://u@h", Address("http", "h", 80, "", "Basic dTo="), "http://h:80"),
        ("http://%C3%BC:p@h", Address("http", "h", 80, "", "Basic w7w6cA=="), "http://h:80"),
    ],
)
def test_an_address_is_taken_apart(text: str, address: Address, shown: str) -> None:
    """Port, prefix and credentials are found, and the credentials are not shown."""
    assert parse_address(text) == address
    assert str(address) == shown


@pytest.mark.parametrize("target", ["/a?", "//a/../b?c=+&d=%20#e", "*"])
def test_a_target_is_put_behind_the_prefix_untouched(target: str) -> None:
    """What goes into the request line is prefix and target, byte for byte."""
    assert Address("http", "::1", 1, "/p").url(target).raw_path_qs == "/p" + target


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_addresses_take_turns() -> None:
    """Each request begins one address further on, and would try all of them."""
    rotation = Rotation([A, B, C], 10.0, Clock())
    assert [rotation.turn() for _ in range(4)] == [(A, B, C), (B, C, A), (C, A, B), (A, B, C)]


def test_an_unreachable_address_is_left_out_for_a_while() -> None:
    """It stands last until its time is over, and then takes its turns again."""
    clock = Clock()
    rotation = Rotation([A, B, C], 10.0, clock)
    rotation.unreachable(A)
    assert [rotation.turn() for _ in range(3)] == [(B, C, A), (B, C, A), (C, B, A)]
    clock.now += 9.9
    assert rotation.turn() == (B, C, A)
    clock.now += 0.1
    assert [rotation.turn() for _ in range(3)] == [(B, C, A), (C, A, B), (A, B, C)]


def test_an_address_that_was_reached_is_taken_in_at_once() -> None:
    """Success counts more than the time that is left."""
    rotation = Rotation([A, B], 10.0, Clock())
    rotation.unreachable(A)
    rotation.reached(A)
    assert rotation.turn() == (A, B)


def test_addresses_that_are_all_out_are_tried_all_the_same() -> None:
    """No request is refused unasked."""
    rotation = Rotation([A, B], 10.0, Clock())
    rotation.unreachable(A)
    rotation.unreachable(B)
    assert rotation.turn() == (A, B)
