"""Flags and environment become frozen objects here; no other module reads the environment."""

from etl.settings.durations import LONGEST_S, seconds
from etl.settings.objects import FORMATS, Connection, RunSettings, Secret, Share, Strategy
from etl.settings.reach import VARIABLES, ConnectionFlags, connection
from etl.settings.sizes import size_bytes

__all__ = [
    "FORMATS",
    "LONGEST_S",
    "VARIABLES",
    "Connection",
    "ConnectionFlags",
    "RunSettings",
    "Secret",
    "Share",
    "Strategy",
    "connection",
    "seconds",
    "size_bytes",
]
