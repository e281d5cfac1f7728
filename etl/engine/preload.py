"""Loaded first by the program that workers are forked from (`etl.engine.start`): what holds for all that is loaded."""

from __future__ import annotations

import gc
import os

from etl.engine.lean import without_pandas

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # a thread that numpy starts would not be there after a fork
without_pandas()
gc.disable()  # a collection would write to the memory that workers share; each turns it on for itself
