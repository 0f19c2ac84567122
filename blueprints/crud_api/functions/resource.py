"""Documents under /resource/{resourceId}: `get`, `put` and `delete` are the handlers of three functions."""

import base64
import json
import logging
import os
import uuid
from typing import Any

import boto3
from botocore.exceptions import ClientError

ITEM_LIMIT = 400 * 1024  # DynamoDB, "Service quotas": an item, names and values together
TOO_LARGE = f"a document has at most {ITEM_LIMIT} bytes, its id and type included"
KEY_LIMIT = 2048  # and its partition key


class RequestError(Exception):
    """An answer other than success, in words the caller may read."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def get(event: Any, context: Any) -> Any:
    return answer(read, event, context)


def put(event: Any, context: Any) -> Any:
    return answer(write, event, context)


def delete(event: Any, context: Any) -> Any:
    return answer(remove, event, context)


def answer(operation: Any, event: Any, context: Any) -> Any:
    """Run one operation; a failure of ours becomes a 500 that names the request and nothing else."""
    try:
        return operation(table(), event)
    except RequestError as refusal:
        return reply(refusal.status, {"message": refusal.message})
    except Exception:
        logging.getLogger().exception("request failed")  # Lambda adds the request's id
        return reply(500, {"message": "internal error", "requestId": context.aws_request_id})


def table() -> Any:
    aws: Any = boto3
    return aws.resource("dynamodb").Table(os.environ["TABLE_NAME"])


def read(table: Any, event: Any) -> Any:
    item = table.get_item(Key={"id": resource_id(event)}, ConsistentRead=True).get("Item")
    if item is None:
        raise RequestError(404, "no such resource")
    document = item.get("doc", "")
    binary = not isinstance(document, str)
    return {
        "statusCode": 200,
        "headers": {"Content-Type": item.get("type", "text/plain"), "ETag": quoted(item["etag"])},
        "body": base64.b64encode(bytes(document)).decode() if binary else document,
        "isBase64Encoded": binary,
    }


def write(table: Any, event: Any) -> Any:
    key, document = resource_id(event), body(event)
    content_type = header(event, "content-type") or "application/octet-stream"
    if size(key, document, content_type) > ITEM_LIMIT:
        raise RequestError(413, TOO_LARGE)
    update: Any = {
        "Key": {"id": key},
        "UpdateExpression": "SET doc = :doc, #type = :type, etag = :etag",
        "ExpressionAttributeNames": {"#type": "type"},
        "ExpressionAttributeValues": {":doc": document, ":type": content_type, ":etag": uuid.uuid4().hex},
        "ReturnValues": "ALL_OLD",
    }
    conditionally(update, event)
    replaced = "Attributes" in call(table.update_item, update)
    return reply(
        200 if replaced else 201, None, {"ETag": quoted(update["ExpressionAttributeValues"][":etag"])}
    )


def remove(table: Any, event: Any) -> Any:
    request: Any = {"Key": {"id": resource_id(event)}, "ReturnValues": "ALL_OLD"}
    conditionally(request, event)
    if "Attributes" not in call(table.delete_item, request):
        raise RequestError(404, "no such resource")
    return reply(204, None)


def conditionally(request: Any, event: Any) -> None:
    """If-None-Match: * writes only what is new; If-Match writes only over what the caller has read."""
    wanted = header(event, "if-match")
    if header(event, "if-none-match") == "*":
        request["ConditionExpression"] = "attribute_not_exists(id)"
    elif wanted == "*":
        request["ConditionExpression"] = "attribute_exists(id)"
    elif wanted:
        request["ConditionExpression"] = "etag = :wanted"
        request.setdefault("ExpressionAttributeValues", {})[":wanted"] = wanted.strip('"')


def call(operation: Any, request: Any) -> Any:
    try:
        return operation(**request)
    except ClientError as error:
        response: Any = error.response
        if response["Error"]["Code"] == "ConditionalCheckFailedException":
            raise RequestError(412, "the resource has another version") from error
        if response["Error"]["Code"] == "ValidationException" and "Item size" in response["Error"]["Message"]:
            raise RequestError(413, TOO_LARGE) from error
        raise


def resource_id(event: Any) -> str:
    variables: dict[str, str] = event.get("pathParameters") or {}
    key = variables.get("resourceId", "")
    if not 1 <= len(key.encode()) <= KEY_LIMIT:
        raise RequestError(400, f"a resource id has 1 to {KEY_LIMIT} bytes")
    return key


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


def size(key: str, document: str | bytes, content_type: str) -> int:
    """Bytes of the item as DynamoDB counts them: names and values, text as UTF-8."""
    raw = document if isinstance(document, bytes) else document.encode()
    names = len("id" + "doc" + "type" + "etag")
    return names + len(key.encode()) + len(raw) + len(content_type.encode()) + len(uuid.uuid4().hex)


def header(event: Any, name: str) -> str | None:
    """A header by its lower-case name; REST APIs keep the caller's capitals."""
    headers: dict[str, str] = event.get("headers") or {}
    return next((value for key, value in headers.items() if key.lower() == name), None)


def quoted(etag: str) -> str:
    return f'"{etag}"'


def reply(status: int, content: Any, headers: dict[str, str] | None = None) -> Any:
    text = "" if content is None else json.dumps(content)
    kind = {} if content is None else {"Content-Type": "application/json"}
    return {"statusCode": status, "headers": kind | (headers or {}), "body": text}
