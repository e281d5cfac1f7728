"""Flags and environment become frozen objects here; below the command line nothing else reads the environment."""

from etl.settings.abroad import has_credentials, with_own, without_secrets
from etl.settings.durations import LONGEST_S, seconds
from etl.settings.objects import FORMATS, Connection, Engine, RunSettings, Secret, Share, Strategy, Transport
from etl.settings.reach import VARIABLES, ConnectionFlags, connection
from etl.settings.sizes import size_bytes

__all__ = [
    "FORMATS",
    "LONGEST_S",
    "VARIABLES",
    "Connection",
    "ConnectionFlags",
    "Engine",
    "RunSettings",
    "Secret",
    "Share",
    "Strategy",
    "Transport",
    "connection",
    "has_credentials",
    "seconds",
    "size_bytes",
    "with_own",
    "without_secrets",
]
