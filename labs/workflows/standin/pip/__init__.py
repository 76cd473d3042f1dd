"""A stand-in for pip on a runner without a network: see __main__.py."""
