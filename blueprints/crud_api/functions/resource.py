"""Documents: `get`, `put`, `delete` and `listing` are the handlers of four functions, and share what stands here.

Each function carries the definitions that its handler reaches, and no others.
"""

import base64
import json
import logging
import os
import re
import time
import uuid
import zlib
from datetime import UTC, datetime
from functools import cache
from typing import Any

import boto3
from boto3.dynamodb.conditions import Attr
from botocore import exceptions
from botocore.config import Config


def get(event: Any, context: Any) -> Any:
    return answer(read, event)


def put(event: Any, context: Any) -> Any:
    return answer(write, event)


def delete(event: Any, context: Any) -> Any:
    return answer(remove, event)


def listing(event: Any, context: Any) -> Any:
    return answer(description if event.get("routeKey") == "GET /openapi.json" else page, event)


class RequestError(Exception):
    """Status, message and headers of a refusal, for the caller to read."""


def answer(operation: Any, event: Any) -> Any:
    """Run one operation; a failure of ours becomes a 500 that names the request and nothing else."""
    begun, log = time.monotonic(), logging.getLogger()
    # API Gateway's id of the request; Lambda puts its own on every line.
    request = event.get("requestContext", {}).get("requestId")

    def refused(status: int, message: str, headers: Any = None) -> Any:
        return reply(status, {"message": message, "requestId": request}, headers)

    try:
        answered = operation(event)
    except RequestError as refusal:
        answered = refused(*refusal.args)
    except UnicodeEncodeError:
        answered = refused(400, "half a surrogate pair is no text")
    except Exception:
        log.exception("request failed", extra={"apiRequestId": request})
        answered = refused(500, "internal error")
    line = {
        "apiRequestId": request,
        "route": event.get("routeKey"),
        "status": answered["statusCode"],
        "version": answered["headers"].get("ETag"),
        "milliseconds": round(1000 * (time.monotonic() - begun)),
    }
    log.info("answered", extra=line)
    return answered


def reply(status: int, content: Any = None, headers: Any = None) -> Any:
    text = json.dumps(content) if content else ""
    kind: Any = {"Content-Type": "application/json"} if content else {}
    return {"statusCode": status, "headers": kind | (headers or {}), "body": text}


KEY_LIMIT = 2048  # bytes of a partition key: DynamoDB, "Constraints"

# Three attempts, with pauses of at most 1 s and 2 s between them, end before the function's 15 s do.
SDK = Config(connect_timeout=1, read_timeout=2, retries={"mode": "standard", "total_max_attempts": 3})
BUSY = ("InternalServerError", "ProvisionedThroughputExceededException", "RequestLimitExceeded",
        "ServiceUnavailable", "ThrottlingException")  # fmt: skip


@cache
def table() -> Any:
    aws: Any = boto3
    return aws.resource("dynamodb", config=SDK).Table(os.environ["TABLE_NAME"])


def call(operation: Any, **request: Any) -> Any:
    """Ask DynamoDB. RequestError 503 where the same request may succeed in a moment."""
    try:
        return operation(**request)
    except (exceptions.ClientError, exceptions.ConnectionError, exceptions.HTTPClientError) as error:
        if isinstance(error, exceptions.ClientError) and code(error) not in BUSY:
            raise
        logging.getLogger().warning("DynamoDB is busy", exc_info=True)
        raise RequestError(503, "busy; ask again in a moment", {"Retry-After": "1"}) from error


def code(error: Any) -> str:
    return error.response["Error"]["Code"]


def resource_id(event: Any) -> str:
    """The id, which API Gateway has decoded; ids are compared byte by byte, without normalisation."""
    variables: dict[str, str] = event.get("pathParameters") or {}
    return checked(variables.get("resourceId", ""))


def checked(key: str) -> str:
    if not 1 <= len(key.encode()) <= KEY_LIMIT:
        raise RequestError(400, f"a resource id has 1 to {KEY_LIMIT} bytes")
    return key


def expired(item: Any) -> bool:
    """Whether its time has passed; DynamoDB deletes it within days, and answers with it until then."""
    return "expires" in item and item["expires"] <= time.time()


# Whoever writes chooses the type: no browser shall run a document as a page of this site.
INERT = {"Content-Security-Policy": "sandbox; default-src 'none'", "X-Content-Type-Options": "nosniff"}


def read(event: Any) -> Any:
    item = call(table().get_item, Key={"id": resource_id(event)}, ConsistentRead=True).get("Item")
    if item is None or expired(item):
        raise RequestError(404, "no such resource")
    document, version = item.get("doc", ""), f'"{item.get("etag", "")}"'
    binary = not isinstance(document, str)
    return {
        "statusCode": 200,
        "headers": {"Content-Type": item.get("type", "text/plain"), "ETag": version} | INERT,
        "body": base64.b64encode(bytes(document)).decode() if binary else document,
        "isBase64Encoded": binary,
    }


ITEM_LIMIT = 400 * 1024  # bytes of an item, names and values together: DynamoDB, "Constraints"
TOO_LARGE = f"a document has at most {ITEM_LIMIT} bytes, its id, type and version included"


def write(event: Any) -> Any:
    item = item_of(event)
    if size(item) > ITEM_LIMIT:
        raise RequestError(413, TOO_LARGE)
    request = {"Item": item, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    try:
        replaced = conditionally(table().put_item, event, item["etag"], **request)
    except exceptions.ClientError as error:
        if code(error) == "ValidationException" and "Item size" in str(error):
            raise RequestError(413, TOO_LARGE) from error
        raise
    return reply(200 if replaced else 201, None, {"ETag": f'"{item["etag"]}"'})


def item_of(event: Any) -> dict[str, Any]:
    """The document as it is stored; `expires` is in seconds since 1970, and DynamoDB deletes it some time later."""
    days = int(os.environ.get("TIME_TO_LIVE_DAYS", 0))
    return {
        "id": resource_id(event),
        "doc": body(event),
        "type": header(event, "content-type") or "application/octet-stream",
        "etag": uuid.uuid4().hex,
        "updated": datetime.now(UTC).isoformat(timespec="seconds"),
    } | ({"expires": int(time.time()) + days * 86_400} if days else {})


def body(event: Any) -> str | bytes:
    """The request's body: text where it is text, bytes where it is not."""
    text = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return text
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:
        raise RequestError(400, "the body is not base64") from None
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


def size(item: dict[str, Any]) -> int:
    """Bytes of an item, counted as in DynamoDB, "Item sizes and formats"."""
    return sum(len(name) + length(value) for name, value in item.items())


def length(value: Any) -> int:
    if isinstance(value, int):
        return len(str(value)) // 2 + 1
    return len(value if isinstance(value, bytes) else value.encode())


def remove(event: Any) -> Any:
    if not conditionally(table().delete_item, event, Key={"id": resource_id(event)}):
        raise RequestError(404, "no such resource")
    return reply(204, None)


PAGE_LIMIT = 100
SHOWN = {"id": "id", "version": "etag", "type": "type", "updated": "updated"}


def description(event: Any) -> Any:
    """The OpenAPI document, with the address at which it was asked for."""
    asked, text = event["requestContext"], zlib.decompress(base64.b64decode(os.environ["DESCRIPTION"]))
    servers = [{"url": f"https://{asked['domainName']}/{asked['stage']}"}]
    return reply(200, json.loads(text) | {"servers": servers})


def page(event: Any) -> Any:
    """One scan, of 1 MB at most as DynamoDB has it; `limit` counts expired documents, the page leaves them out."""
    query: dict[str, str] = event.get("queryStringParameters") or {}
    start = {"ExclusiveStartKey": {"id": start_of(query["cursor"])}} if "cursor" in query else {}
    found = call(
        table().scan,
        Limit=limit(query.get("limit", "25")),
        ProjectionExpression="id, #type, etag, updated, expires",
        ExpressionAttributeNames={"#type": "type"},
        **start,
    )
    last = found.get("LastEvaluatedKey")
    items = [
        {name: item.get(attribute) for name, attribute in SHOWN.items()}
        for item in found["Items"]
        if not expired(item)
    ]
    return reply(200, {"items": items, "cursor": cursor(last["id"]) if last else None})


def limit(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 4 and 1 <= int(text) <= PAGE_LIMIT):
        raise RequestError(400, f"limit is a number from 1 to {PAGE_LIMIT}")
    return int(text)


def cursor(key: str) -> str:
    """Where the next page begins: the last id seen and nothing else, so there is nothing in it to sign or to hide."""
    return base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


def start_of(text: str) -> str:
    try:
        key = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except ValueError:
        key = ""
    if not key or cursor(key) != text:
        raise RequestError(400, "no such cursor; take the one of the page before as it is")
    return checked(key)


TAG = r'(W/)?"([^\x00-\x20"\x7f]*)"'
TAG_LIMIT = 100  # operands of IN: DynamoDB, "Comparison operator and function reference"


def conditionally(operation: Any, event: Any, version: str = "", **request: Any) -> bool:
    """Write if the caller's conditions hold; whether there was a document. RequestError 412, 428."""
    wanted, unwanted = header(event, "if-match"), header(event, "if-none-match")
    if wanted is None and unwanted is None and os.environ["PRECONDITIONS"] == "required":
        raise RequestError(428, "say If-Match with the ETag you read, or If-None-Match: *")
    required = [matching(wanted, weak=False)] if wanted is not None else []
    required += [~matching(unwanted, weak=True)] if unwanted is not None else []
    if required:
        request["ConditionExpression"] = required[0] if len(required) == 1 else required[0] & required[1]
    try:
        old = call(operation, ReturnValues="ALL_OLD", **request).get("Attributes")
    except exceptions.ClientError as error:
        if code(error) != "ConditionalCheckFailedException":
            raise
        found: Any = error.response
        # Its own version is there: an attempt whose answer was lost has written it.
        if version and found.get("Item", {}).get("etag") == {"S": version}:
            return wanted is not None
        raise RequestError(412, "the document has another version, or none") from error
    return old is not None and not expired(old)


def matching(text: str, weak: bool) -> Any:
    """Condition of a document with one of the versions; a strong comparison with a weak tag fails."""
    if text.strip() == "*":
        return alive()
    tags: list[tuple[str, str]] = re.findall(TAG, text)
    if not re.fullmatch(rf"\s*{TAG}(\s*,\s*{TAG})*\s*", text) or len(tags) > TAG_LIMIT:
        raise RequestError(400, f'If-Match and If-None-Match take * or at most {TAG_LIMIT} tags: "a", "b"')
    etag: Any = Attr("etag")
    return alive() & etag.is_in([tag for mark, tag in tags if weak or not mark] or ["W/"])


def alive() -> Any:
    """Condition of a document whose time has not passed."""
    expires: Any = Attr("expires")
    return Attr("id").exists() & (expires.not_exists() | expires.gt(int(time.time())))


def header(event: Any, name: str) -> str | None:
    headers: dict[str, str] = event.get("headers") or {}  # API Gateway has put the names into lower case
    return headers.get(name)
