"""S3's refusals as errors of our own tree: whether to try again, and what to mend."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore import exceptions as boto

from maskpool.errors import ConfigError, CredentialsError, NotFound, Unreachable
from storage.objects.clock_skew import wrong_clock

#: The reason given where an upload arrived damaged.
DAMAGED = "what was sent did not arrive whole"

#: The server is busy or failing; the same request may succeed later.
_TRY_LATER = frozenset(
    {"SlowDown", "RequestTimeout", "Throttling", "ThrottlingException", "InternalError"}
)
#: The body was damaged on its way.
_DAMAGED_ON_ITS_WAY = frozenset({"BadDigest", "IncompleteBody", "XAmzContentSHA256Mismatch"})
#: Refusals of the credentials themselves, whatever the request.
_BAD_CREDENTIALS = frozenset(
    {
        "ExpiredToken",
        "InvalidAccessKeyId",
        "InvalidToken",
        "SignatureDoesNotMatch",
        "TokenRefreshRequired",
    }
)
_NO_KEY = frozenset({"NoSuchKey", "404"})
#: What boto3 raises where a body ends early.
BROKEN_BODY = (
    boto.ReadTimeoutError,
    boto.ResponseStreamingError,
    boto.IncompleteReadError,
    boto.ConnectionClosedError,
)


@contextmanager
def translated(bucket: str, key: str) -> Iterator[None]:
    """Turn what boto3 raises into our tree; codes are repeated, messages may hold secrets."""
    try:
        yield
    except boto.ClientError as error:
        answer = error.response.get("ResponseMetadata", {})
        status = int(answer.get("HTTPStatusCode", 0))
        wrong = wrong_clock(bucket, error_code(error), status, answer.get("HTTPHeaders", {}))
        raise wrong or refused(bucket, key, error_code(error), status) from None
    except boto.SSLError as error:
        raise Unreachable(f"the object store s3://{bucket}", _tls_reason(str(error))) from None
    except (boto.HTTPClientError, boto.ConnectionError, *BROKEN_BODY) as error:
        raise Unreachable(f"the object store s3://{bucket}", type(error).__name__) from None
    except (boto.NoCredentialsError, boto.PartialCredentialsError, boto.CredentialRetrievalError):
        raise CredentialsError(
            f"s3://{bucket}: no credentials found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        ) from None
    except boto.ParamValidationError:
        raise ConfigError(
            f"s3://{bucket}/{key}: S3 allows no such bucket name or object key"
        ) from None
    except boto.BotoCoreError as error:  # such as a login that ended
        raise CredentialsError(
            f"s3://{bucket}: the AWS configuration cannot be used ({type(error).__name__})"
        ) from None


def _tls_reason(message: str) -> str:
    """What to mend where no encrypted connection came about; OpenSSL's words tell which case."""
    if "CERTIFICATE_VERIFY_FAILED" in message:
        return (
            "its certificate is not trusted here; name the file of its authority in AWS_CA_BUNDLE, "
            "or renew the certificate"
        )
    if "WRONG_VERSION_NUMBER" in message or "RECORD_LAYER_FAILURE" in message:
        return "it speaks no TLS; MASKPOOL_S3_ENDPOINT_URL may have to begin with http://"
    return "SSLError"


def error_code(error: Any) -> str:  # noqa: ANN401 - a ClientError, which mypy does not know
    """S3's own code of a refusal; empty where it gives none."""
    return str(error.response.get("Error", {}).get("Code", ""))


def refused(bucket: str, key: str, code: str, status: int) -> NotFound | ConfigError | Unreachable:
    """The error of our tree for a refusal.

    Args:
        bucket: The bucket that refused.
        key: The object's key, the store's prefix included.
        code: S3's error code.
        status: The HTTP status.
    """
    damaged = code in _DAMAGED_ON_ITS_WAY
    if damaged or code in _TRY_LATER or status >= 500 or status == 429:
        reason = f"{DAMAGED} ({code})" if damaged else f"it answers {code or status}"
        return Unreachable(f"the object store s3://{bucket}", reason)
    if code == "AuthorizationHeaderMalformed":
        return ConfigError(
            f"s3://{bucket} is in another region than requests are signed for ({code}); set "
            "AWS_DEFAULT_REGION to the bucket's region"
        )
    if code == "NoSuchBucket":
        return ConfigError(no_bucket(bucket))
    if code in _NO_KEY or status == 404:
        return NotFound(f"there is no object s3://{bucket}/{key}")
    bad_credentials = code in _BAD_CREDENTIALS
    if bad_credentials or status in (401, 403) or code == "AccessDenied":
        kind = CredentialsError if bad_credentials else ConfigError
        return kind(
            f"s3://{bucket}/{key}: access denied ({code}); check the credentials in AWS_* and "
            "what they may do in this bucket"
        )
    return ConfigError(f"s3://{bucket}/{key}: the object store refuses this ({code or status})")


def no_bucket(bucket: str) -> str:
    """The sentence about a bucket that is not there."""
    return f"there is no bucket {bucket!r}; create it, or correct its name or the endpoint"
