"""Masks secrets in text, for every place that text can leave by: tables, raw files, logs, messages, the report.

Two kinds of knowledge: what a secret looks like (`text`), and which secrets are known (`Masker`). Both leave masked
text as it is, so masking twice changes nothing.
"""

from etl.scrub.masker import Masker
from etl.scrub.names import is_secret_name, looks_secret
from etl.scrub.patterns import MASK, repeated_text, secret_parts, text

__all__ = ["MASK", "Masker", "is_secret_name", "looks_secret", "repeated_text", "secret_parts", "text"]
