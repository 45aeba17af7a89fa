"""A port for an engine, that no other engine of ours takes at the same moment."""

from __future__ import annotations

import socket
from collections.abc import Iterable

from bridge.errors import EngineStartError

HOST = "127.0.0.1"


class ReservedPort:
    """A free TCP port, ours until ``release``.

    The reservation is a UDP socket bound to the same number: exclusive among processes, in nobody's way (engines speak
    TCP), and gone with our process, so that no lock file can be left behind.
    """

    def __init__(self, number: int, reservation: socket.socket) -> None:
        self.number = number
        self._reservation = reservation

    def release(self) -> None:
        """Give the port back; twice is harmless."""
        self._reservation.close()


def reserve_port(ports: Iterable[int]) -> ReservedPort:
    """The first of ``ports`` that is free. Raises ``EngineStartError`` where none is."""
    tried = list(ports)
    for number in tried:
        reservation = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            reservation.bind((HOST, number))
            _check_unused(number)
        except OSError:
            reservation.close()
        else:
            return ReservedPort(number, reservation)
    span = f"from {tried[0]} to {tried[-1]}" if tried else "in an empty range"
    raise EngineStartError(f"no free port {span} on {HOST}: stop what listens there (see `ss -ltn`) and try again")


def _check_unused(number: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do on POSIX: connections of an earlier engine that linger in TIME_WAIT are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((HOST, number))
        probe.listen(1)
