"""S3 through boto3: one client with limits and retries, and its errors as ADX's.

::

    AdxConnectionError   S3Unreachable   no connection, or 5xx after all retries
    AdxTimeoutError      S3TimedOut
    AdxValidationError   S3Refused       bucket, credentials or request are wrong
                         ObjectNotFound

Credentials come the way boto3 finds them (variables, profile, instance role);
they never pass through here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import boto3  # type: ignore[import-untyped]  # boto3 ships no types
from botocore import exceptions  # type: ignore[import-untyped]  # botocore ships no types
from botocore.config import Config  # type: ignore[import-untyped]  # botocore ships no types

from workflows.errors import AdxConnectionError, AdxTimeoutError, AdxValidationError

CONNECT_TIMEOUT_SECONDS = 5
READ_TIMEOUT_SECONDS = 60
ATTEMPTS = 5
_NOT_FOUND = ("404", "NoSuchKey", "NotFound")


class S3Unreachable(AdxConnectionError):
    """S3 cannot be reached or is failing."""

    exit_code = 6


class S3TimedOut(AdxTimeoutError):
    """S3 did not answer in time."""

    exit_code = 6


class S3Refused(AdxValidationError):
    """S3 refuses the request."""


class ObjectNotFound(AdxValidationError):
    """There is no such object."""


def open_client(environ: Mapping[str, str]) -> Any:
    """A boto3 S3 client; ``AWS_ENDPOINT_URL`` names a server other than AWS. Safe to use from several threads.

    Path-style addresses where an endpoint is named: such servers rarely have a DNS name for each bucket.
    """
    endpoint = environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL") or None
    config = Config(
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        read_timeout=READ_TIMEOUT_SECONDS,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        s3={"addressing_style": "path" if endpoint else "auto"},
        user_agent_extra="adx",
    )
    session = boto3.Session(
        aws_access_key_id=environ.get("AWS_ACCESS_KEY_ID"),
        aws_secret_access_key=environ.get("AWS_SECRET_ACCESS_KEY"),
        aws_session_token=environ.get("AWS_SESSION_TOKEN"),
        region_name=environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or "us-east-1",
    )
    with translated():
        return session.client("s3", endpoint_url=endpoint, config=config)


@contextmanager
def translated() -> Iterator[None]:
    """Raise ADX's errors instead of botocore's."""
    try:
        yield
    except exceptions.ClientError as error:
        raise _from_answer(error) from error
    except (exceptions.ConnectTimeoutError, exceptions.ReadTimeoutError) as error:
        raise S3TimedOut("S3 did not answer in time", next_step="check the network to AWS_ENDPOINT_URL") from error
    except (exceptions.ConnectionError, exceptions.HTTPClientError, exceptions.IncompleteReadError) as error:
        raise S3Unreachable(
            f"S3 cannot be reached ({type(error).__name__})", next_step="check AWS_ENDPOINT_URL and the network"
        ) from error
    except (exceptions.BotoCoreError, ValueError) as error:
        raise S3Refused(
            f"S3 cannot be used ({type(error).__name__})", next_step="check the AWS_… variables and the bucket's name"
        ) from error


def _from_answer(error: exceptions.ClientError) -> Exception:
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    summary = f"{error.operation_name}: {code or status}"
    if code in _NOT_FOUND:
        return ObjectNotFound(f"S3 has no such object ({summary})")
    if status >= 500 or status == 429:
        return S3Unreachable(f"S3 is failing ({summary}, status {status})", next_step="look at the S3 server's health")
    if code in ("RequestTimeout", "RequestTimeoutException"):
        return S3TimedOut(f"S3 did not get the request in time ({summary})")
    return S3Refused(f"S3 refuses the request ({summary})", next_step="check bucket, credentials and permissions")
