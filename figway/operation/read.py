"""Reads the operations of a request, by the kinds that the routes of its path ask for."""

from __future__ import annotations

from figway.message.http import RequestHead
from figway.message.overrides import asked_methods
from figway.model.operations import OperationKind
from figway.operation import form, jsonrpc, soap
from figway.operation.graphql import GraphqlReader
from figway.operation.operation import Ask, Operation, OperationReading, Unread, UnreadReason


class OperationReader:
    """The readers of one worker."""

    def __init__(self) -> None:
        self._graphql = GraphqlReader()

    def read(
        self, asks: tuple[Ask, ...], head: RequestHead, body: bytes, *, complete: bool
    ) -> OperationReading:
        """Read what is there of a body; `complete` says that it is all. Never raises `Unread`."""
        found: dict[Ask, tuple[Operation, ...] | UnreadReason] = {}
        for ask in asks:
            try:
                found[ask] = self._one(ask, head, body, complete=complete)
            except Unread as unread:
                found[ask] = unread.reason
        return OperationReading(found)

    def _one(
        self, ask: Ask, head: RequestHead, body: bytes, *, complete: bool
    ) -> tuple[Operation, ...]:
        kind, name = ask
        if asked_methods(head):
            raise Unread(UnreadReason.AMBIGUOUS)  # some servers read it as another method does
        if kind is OperationKind.GRAPHQL:
            return self._graphql.read(head, body, complete=complete)
        if head.method in ("GET", "HEAD"):
            raise Unread(UnreadReason.ABSENT)  # what most servers read without its body
        if kind is OperationKind.SOAP:
            return soap.read(head, body, complete=complete)
        if kind is OperationKind.JSONRPC:
            return jsonrpc.read(head, body, complete=complete)
        return form.read(head, body, name, complete=complete)
