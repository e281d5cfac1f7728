"""What a store refused, by what a person does about it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from aiohttp import ClientError as ConnectionLostError
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
)

from etl.load.objects.store import StoreError
from etl.scrub import text as masked

if TYPE_CHECKING:
    from collections.abc import Iterator

MISSING = frozenset({"NoSuchKey", "NotFound", "404"})
_NO_BUCKET = frozenset({"NoSuchBucket"})
_UNKNOWN_CREDENTIALS = frozenset({"InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken"})
_FORBIDDEN = frozenset({"AccessDenied", "AllAccessDisabled", "AccountProblem", "403"})
_ELSEWHERE = frozenset(
    {"PermanentRedirect", "301", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"}
)
_CLOCK = frozenset({"RequestTimeTooSkewed"})

_CREDENTIALS = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the AWS profile or role of this account"
_ENDPOINT = "AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL and the network"


def code_of(error: BaseException) -> str:
    """Return the code that S3 gave to an error, "" where it has none."""
    cause = error if isinstance(error, ClientError) else error.__cause__
    return str(cause.response.get("Error", {}).get("Code", "")) if isinstance(cause, ClientError) else ""


def is_missing(error: OSError) -> bool:
    """Tell whether an object is not there; a missing bucket is something else."""
    return code_of(error) in MISSING or (isinstance(error, FileNotFoundError) and not code_of(error))


@contextmanager
def told(place: str) -> Iterator[None]:
    """Say what went wrong with a place, and what to do; a missing object stays a FileNotFoundError.

    Args:
        place: address of what is asked for.
    """
    try:
        yield
    except OSError as error:
        if is_missing(error):
            raise FileNotFoundError(2, "no such object", place) from error
        msg = f"{place}: {_said(error)}"
        raise StoreError(msg) from error
    except (BotoCoreError, ConnectionLostError, ValueError) as error:
        msg = f"{place}: {_unsent(error)}"
        raise StoreError(msg) from error


def _said(error: OSError) -> str:
    """Tell what the store answered."""
    code = code_of(error)
    reason = masked(" ".join(str(error).split()))
    if code in _NO_BUCKET:
        return "there is no such bucket; make it, or correct the address: etl makes none"
    if code in _UNKNOWN_CREDENTIALS:
        return f"the store does not take the credentials ({code}); renew {_CREDENTIALS}"
    if code in _ELSEWHERE:
        return f"the bucket is in another region ({reason}); set AWS_DEFAULT_REGION to that of the bucket"
    if code in _CLOCK:
        return "the clock of this machine is not that of the store; set it by NTP"
    if code in _FORBIDDEN or isinstance(error, PermissionError):
        return (
            f"the store refuses ({code or reason}); grant this account s3:ListBucket on the bucket and s3:GetObject, "
            "s3:PutObject and s3:DeleteObject below the prefix, or choose another --output"
        )
    if not code:
        return f"the store cannot be reached ({reason}); check {_ENDPOINT}, and run again"
    return f"the store refuses ({code}, {reason}); see the store's own log, and run again"


def _unsent(error: Exception) -> str:
    """Tell why nothing was asked, or nothing came back."""
    reason = masked(" ".join(str(error).split()))
    if isinstance(error, (NoCredentialsError, PartialCredentialsError, ProfileNotFound)):
        return f"no credentials for the store ({reason}); set {_CREDENTIALS}"
    if isinstance(error, NoRegionError):
        return "no region is named; set AWS_DEFAULT_REGION to that of the bucket"
    if isinstance(error, (EndpointConnectionError, ConnectTimeoutError)):
        return f"the store cannot be reached ({reason}); check {_ENDPOINT}"
    return f"the store cannot be asked ({reason}); check {_ENDPOINT}, and run again"
