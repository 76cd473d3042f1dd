"""Finds secrets in its own environment."""


def attack():
    import os

    return [v for k, v in os.environ.items() if "SECRET" in k or "TOKEN" in k or "LABS" in k]
