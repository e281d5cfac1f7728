"""Flags and environment become frozen objects here; no other module reads the environment."""

from etl.settings.durations import seconds
from etl.settings.objects import FORMATS, Connection, RunSettings, Secret, Share
from etl.settings.reach import ConnectionFlags, connection

__all__ = ["FORMATS", "Connection", "ConnectionFlags", "RunSettings", "Secret", "Share", "connection", "seconds"]
