"""Lambda functions on this machine: each in processes of its own, under AWS's runtime client `awslambdaric`.

Only the standard library is imported here; boto3 and the runtime client live in the functions' processes.
"""

from __future__ import annotations

from .code import from_inline
from .function import Function
from .invocation import FunctionClosed, Invocation, RequestTooLarge, TooManyRequests
from .spec import FunctionSpec

__all__ = [
    "Function",
    "FunctionClosed",
    "FunctionSpec",
    "Invocation",
    "RequestTooLarge",
    "TooManyRequests",
    "from_inline",
]
