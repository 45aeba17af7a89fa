"""Choosing a port that nobody else takes."""

from __future__ import annotations

import socket

import pytest

from bridge.demo.ports import HOST, reserve_port
from bridge.errors import EngineStartError


def test_two_who_choose_at_once_get_different_ports() -> None:
    """A reserved port is not given out again before its release, though nobody listens on it yet."""
    first = reserve_port(range(9202, 9300))
    second = reserve_port(range(9202, 9300))
    assert second.number > first.number
    first.release()
    again = reserve_port([first.number])
    again.release()
    second.release()


def test_no_free_port_is_an_error_with_advice() -> None:
    """Where every port of the range is listened on, the error names the range."""
    with socket.create_server((HOST, 0)) as server:
        number = server.getsockname()[1]
        with pytest.raises(EngineStartError, match=f"no free port from {number} to {number} on 127.0.0.1: stop what"):
            reserve_port([number])
