"""The course engine: finds labs, runs a learner's work in a sandbox, and says what happened."""

__version__ = "0.1.0"
