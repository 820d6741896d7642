"""JSON-RPC 1.0 and 2.0: `method` of a request, a notification, or each of a batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from figway.message.http import RequestHead
from figway.model.operations import OperationKind
from figway.operation.envelope import check_name, member, messages
from figway.operation.head import check_coding, media_type
from figway.operation.operation import Operation, Unread, UnreadReason


def read(head: RequestHead, body: bytes, *, complete: bool) -> tuple[Operation, ...]:
    """The operations of a request. Raises `Unread`."""
    check_coding(head)
    media = media_type(head.get(b"content-type"))
    return tuple(_one(message) for message in messages(body, media, complete=complete))


def _one(message: Mapping[str, Any]) -> Operation:
    name = member(message, "method")
    if name is None:
        raise Unread(UnreadReason.ABSENT)
    if not isinstance(name, str) or member(message, "jsonrpc") not in (None, "1.0", "1.1", "2.0"):
        raise Unread(UnreadReason.MALFORMED)
    check_name(name)
    return Operation(OperationKind.JSONRPC, name)
