"""The tables and columns: the single source of truth, and what is derived from it."""
