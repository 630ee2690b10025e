"""Version of the SDK, reported by `GET /meta`."""

__version__ = "1.0.0"
