"""Reaches a Unix socket."""


def attack():
    import socket

    with socket.socket(socket.AF_UNIX) as s:
        s.connect("@SOCKET@")
    return True
