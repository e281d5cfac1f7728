"""S3, and what speaks its protocol, through s3fs: its connections, its retries, and its thread."""

from __future__ import annotations

import re
from contextlib import suppress
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import IO, TYPE_CHECKING, Any

from aiohttp import ClientError as ConnectionLostError
from botocore.exceptions import BotoCoreError

from etl.load.objects.reading import SpanCache
from etl.load.objects.refusals import MISSING, code_of, told
from etl.load.objects.store import Entry, StoreError, Tagged

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager

    from s3fs import S3FileSystem

_CONDITION_FAILED = frozenset({"PreconditionFailed", "412", "ConditionalRequestConflict", "409"})
_NO_CONDITIONS = frozenset({"NotImplemented", "501"})
_EMPTY = frozenset({"InvalidRange", "416"})
_TOO_LARGE = frozenset({"InvalidRequest", "EntityTooLarge"})  # for one request: above 5 GiB
_MOST_DELETED = 1000  # by one request
_PART_BYTES = 8 << 20
_MOST_PARTS = 10_000  # of an object, by S3's rules
_MOST_READS = 4  # of one object, whose answers break off
_SIZE = re.compile(r"bytes \d+-\d+/(\d+)")


class S3Store:
    """S3. Where it is and whom it knows is taken from AWS's own variables, files and roles, when it is first asked."""

    scheme = "s3"
    is_shared = True

    def __init__(self) -> None:
        self.has_conditions = True
        self._spans = SpanCache()

    def check(self, key: str) -> None:
        """Look whether the bucket of a key is there, and may be listed."""
        bucket, _ = _split(key)
        with told(f"s3://{bucket}"):
            self._call("list_objects_v2", bucket, MaxKeys=1)

    def size(self, key: str) -> int | None:
        """Return the bytes of an object; None where there is none."""
        try:
            return int(self._ask("head_object", key)["ContentLength"])
        except FileNotFoundError:
            return None

    def read(self, key: str) -> bytes:
        """Return an object."""
        return self._get(key)[1]

    def read_part(self, key: str, first: int, count: int) -> tuple[bytes, int]:
        """Return up to so many bytes of an object from a place on, and its size."""
        try:
            answer, content = self._get(key, Range=f"bytes={first}-{first + count - 1}")
        except StoreError as error:
            if error.__cause__ is not None and code_of(error.__cause__) in _EMPTY:  # no byte of it lies there
                return b"", self.size(key) or 0
            raise
        size = _SIZE.fullmatch(answer.get("ContentRange", ""))
        if size is None:  # the store gives no parts
            return content[first : first + count], len(content)
        return content, int(size[1])

    def read_span(self, key: str, start: int, size: int) -> bytes:
        """Return a part of an object that never changes; a small one is read whole and kept for a while."""
        return self._spans.read(self, key, start, size)

    def read_tagged(self, key: str) -> Tagged:
        """Return an object with its tag."""
        answer, content = self._get(key)
        now = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
        age = 0.0 if now is None else (parsedate_to_datetime(now) - answer["LastModified"]).total_seconds()
        return Tagged(content=content, tag=answer["ETag"], age_s=age)

    def entries(self, prefix: str) -> list[Entry]:
        """Return what stands directly below a prefix, which ends with a slash."""
        start = len(_split(prefix)[1])
        found = []
        for page in self._pages(prefix, Delimiter="/"):
            found += [Entry(name=one["Prefix"][start:-1], size=None) for one in page.get("CommonPrefixes", ())]
            found += [Entry(name=one["Key"][start:], size=one["Size"]) for one in page.get("Contents", ())]
        return [entry for entry in found if entry.name]  # some tools put an object under the name of a folder

    def below(self, prefix: str) -> Iterator[str]:
        """Yield the keys of all objects below a prefix, which ends with a slash."""
        bucket, _ = _split(prefix)
        for page in self._pages(prefix):
            yield from (f"{bucket}/{one['Key']}" for one in page.get("Contents", ()))

    def has_below(self, prefix: str) -> bool:
        """Tell whether there is any object below a prefix, which ends with a slash."""
        return bool(next(self._pages(prefix, MaxKeys=1)).get("Contents"))

    def put(self, key: str, content: bytes) -> None:
        """Write an object whole, in the place of another."""
        self._ask("put_object", key, Body=content)

    def put_file(self, key: str, file: IO[bytes], size: int) -> None:
        """Write so many bytes of a file as an object, in the place of another; memory holds a piece of it at a time."""
        if size <= _PART_BYTES:
            self.put(key, file.read(size))
            return
        part_bytes = max(_PART_BYTES, -(-size // _MOST_PARTS))
        upload = self._ask("create_multipart_upload", key)["UploadId"]
        try:
            parts = [
                {"PartNumber": number, "ETag": self._put_part(key, upload, number, file.read(part_bytes))}
                for number in range(1, -(-size // part_bytes) + 1)
            ]
            self._ask("complete_multipart_upload", key, UploadId=upload, MultipartUpload={"Parts": parts})
        except BaseException:
            with suppress(StoreError, FileNotFoundError):  # what broke it off is told
                self._ask("abort_multipart_upload", key, UploadId=upload)
            raise

    def put_if(self, key: str, content: bytes, tag: str | None) -> str | None:
        """Write an object where there is none (`tag` is None), or in the place of the one with the tag."""
        condition = {"IfNoneMatch": "*"} if tag is None else {"IfMatch": tag}
        if not self.has_conditions:
            return self._compare_and_put(key, content, tag)
        try:
            return str(self._ask("put_object", key, Body=content, **condition)["ETag"])
        except FileNotFoundError:  # the object with the tag is gone
            return None
        except StoreError as error:
            code = "" if error.__cause__ is None else code_of(error.__cause__)
            if code in _NO_CONDITIONS:
                self.has_conditions = False
                return self._compare_and_put(key, content, tag)
            if code not in _CONDITION_FAILED:
                raise
            # A request that was repeated, since its answer was lost, finds what it has written itself.
            found = self._tagged_or_none(key)
            return found.tag if found is not None and found.content == content else None

    def copy(self, source: str, target: str) -> None:
        """Let the store copy an object: nothing of it passes this program."""
        bucket, name = _split(source)
        try:
            with self._told(source):
                to_bucket, to_name = _split(target)
                self._call("copy_object", to_bucket, Key=to_name, CopySource={"Bucket": bucket, "Key": name})
        except StoreError as error:
            if error.__cause__ is None or code_of(error.__cause__) not in _TOO_LARGE:
                raise
            with self._told(source):
                self._files.cp_file(source, target)  # in pieces

    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects; those that are missing are no matter."""
        doomed = sorted(keys)
        for begin in range(0, len(doomed), _MOST_DELETED):
            some = doomed[begin : begin + _MOST_DELETED]
            bucket, _ = _split(some[0])
            names = [{"Key": _split(key)[1]} for key in some]
            with self._told(some[0]):
                answer = self._call("delete_objects", bucket, Delete={"Objects": names, "Quiet": True})
            for error in answer.get("Errors", ()):
                if error.get("Code") not in MISSING:
                    msg = f"s3://{bucket}/{error.get('Key')}: cannot be removed ({error.get('Code')}); "
                    raise StoreError(msg + "grant this account s3:DeleteObject below the prefix")

    @cached_property
    def _files(self) -> S3FileSystem:
        from s3fs import S3FileSystem  # noqa: PLC0415 - needs the extra, and takes half a second

        # Listings must be true, and reading one object is one request; what others have set up is not shared.
        return S3FileSystem(anon=False, use_listings_cache=False, max_concurrency=1, skip_instance_cache=True)

    def _call(self, method: str, bucket: str, **arguments: Any) -> dict[str, Any]:  # noqa: ANN401 - as the library takes them
        answer: dict[str, Any] = self._files.call_s3(method, Bucket=bucket, **arguments)
        return answer

    def _ask(self, method: str, key: str, **arguments: Any) -> dict[str, Any]:  # noqa: ANN401 - as the library takes them
        bucket, name = _split(key)
        with self._told(key):
            return self._call(method, bucket, Key=name, **arguments)

    def _get(self, key: str, **arguments: str) -> tuple[dict[str, Any], bytes]:
        """Get an object with what the store says of it; it is asked for again where it was cut off."""
        from fsspec.asyn import sync  # noqa: PLC0415 - needs the extra

        bucket, name = _split(key)
        with self._told(key):
            attempts = 0
            while True:
                answer = self._call("get_object", bucket, Key=name, **arguments)
                try:
                    return answer, sync(self._files.loop, answer["Body"].read)
                except (ConnectionLostError, BotoCoreError):
                    attempts += 1
                    if attempts == _MOST_READS:
                        raise
                finally:
                    answer["Body"].close()

    def _put_part(self, key: str, upload: str, number: int, content: bytes) -> str:
        return str(self._ask("upload_part", key, UploadId=upload, PartNumber=number, Body=content)["ETag"])

    def _compare_and_put(self, key: str, content: bytes, tag: str | None) -> str | None:
        """Do what is left to do where the store knows no conditions: another writer can come in between."""
        found = self._tagged_or_none(key)
        if (None if found is None else found.tag) != tag:
            return None
        return str(self._ask("put_object", key, Body=content)["ETag"])

    def _tagged_or_none(self, key: str) -> Tagged | None:
        try:
            return self.read_tagged(key)
        except FileNotFoundError:
            return None

    def _pages(self, prefix: str, **arguments: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - as the library takes them
        bucket, start = _split(prefix)
        more: dict[str, str] = {}
        while True:
            with self._told(prefix):
                page = self._call("list_objects_v2", bucket, Prefix=start, **arguments, **more)
            yield page
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    @staticmethod
    def _told(key: str) -> AbstractContextManager[None]:
        return told(f"s3://{key}")


def _split(key: str) -> tuple[str, str]:
    bucket, _, name = key.partition("/")
    return bucket, name
