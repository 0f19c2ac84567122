"""Event sources: what calls the functions of a stack besides its APIs.

S3 notifications, EventBridge rules and schedules, SQS, SNS and the operation Invoke, with the retries, batches and
dead letters of Lambda and EventBridge. Events of streams (DynamoDB, Kinesis) and other sources are not carried out.
"""

from __future__ import annotations

from .agenda import Clock
from .sources import Sources

__all__ = ["Clock", "Sources"]
