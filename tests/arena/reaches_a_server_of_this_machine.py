"""Reaches a server of this machine."""


def attack():
    import socket

    socket.create_connection(("127.0.0.1", int("@PORT@")), timeout=1).close()
    return True
