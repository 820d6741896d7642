"""GraphQL over HTTP: which operation of which document a request asks for.

By POST in JSON, also in an array; by GET in the query string; by POST as `application/graphql`.
Persisted queries name their document by SHA-256 (`extensions.persistedQuery`): it is known once a
full request has told it, and the text told is held against its hash. Subscriptions over WebSocket
or as event streams are no requests of this kind.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final

from figway.message.http import RequestHead
from figway.model.operations import OperationKind
from figway.operation.envelope import member, messages, parse
from figway.operation.form_names import FieldNames
from figway.operation.graphql_document import Definition, read_document
from figway.operation.head import check_coding, media_type
from figway.operation.operation import Operation, Unread, UnreadReason

REMEMBERED: Final = 4_096
"""Documents whose operations are remembered, and persisted queries that are."""
_GRAPHQL = OperationKind.GRAPHQL
_OTHER_IDS = ("id", "documentId", "queryId", "doc_id", "operationId", "documentHash", "queryHash",
              "persistedQueryId")  # fmt: skip
"""How other servers name persisted documents: no reader of ours knows what they stand for."""
_IN_URL = frozenset({"query", "operationName", "extensions", *_OTHER_IDS})
_ALSO_IN_URL = ("batchOperations",)
"""What makes some servers execute several operations of one document."""
_NAMES_IN_URL: Final = FieldNames(*_IN_URL, *_ALSO_IN_URL)
_NAME = re.compile(r"[_A-Za-z][_0-9A-Za-z]*").fullmatch
_SHA256 = re.compile(r"[0-9A-Fa-f]{64}").fullmatch


class GraphqlReader:
    """Reads requests; remembers documents by hash. One for each worker."""

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[Definition, ...] | UnreadReason] = {}
        self._persisted: dict[str, tuple[Definition, ...]] = {}

    def read(self, head: RequestHead, body: bytes, *, complete: bool) -> tuple[Operation, ...]:
        """The operations of a request. Raises `Unread`."""
        in_url = _in_url(head)
        if head.method in ("GET", "HEAD"):
            if body or not complete:
                raise Unread(UnreadReason.AMBIGUOUS)  # some servers read a body here, too
            return (self._one(in_url),)
        if in_url:
            raise Unread(UnreadReason.AMBIGUOUS)  # some servers take the URL's, some the body's
        check_coding(head)
        media = media_type(head.get(b"content-type"))
        if media.essence == "application/graphql":
            if not media.is_utf8:
                raise Unread(UnreadReason.MEDIA_TYPE)
            if not complete:
                raise Unread(UnreadReason.TOO_LONG)
            return (self._one({"query": _text(body)}),)
        return tuple(self._one(entry) for entry in messages(body, media, complete=complete))

    def _one(self, message: Mapping[str, Any]) -> Operation:
        text, name = member(message, "query"), member(message, "operationName")
        digest = _persisted_hash(member(message, "extensions"))
        if any(member(message, other) is not None for other in _OTHER_IDS):
            raise Unread(UnreadReason.AMBIGUOUS)
        if not isinstance(text, str | None) or not isinstance(name, str | None):
            raise Unread(UnreadReason.MALFORMED)
        if name and _NAME(name) is None:
            raise Unread(UnreadReason.MALFORMED)
        if text:
            found = _chosen(self._document(text, digest), name or "")
        elif digest:
            known = self._persisted.get(digest)
            if known is None:
                return Operation(_GRAPHQL, name or "", hash=digest)
            found = _chosen(known, name or "")
        else:
            raise Unread(UnreadReason.ABSENT)
        return Operation(_GRAPHQL, found.name, found.type, found.fields, digest)

    def _document(self, text: str, digest: str) -> tuple[Definition, ...]:
        """The operations of a document, from memory where it has been read before."""
        try:
            data = text.encode()
        except UnicodeEncodeError:
            raise Unread(UnreadReason.MALFORMED) from None
        if digest and hashlib.sha256(data).hexdigest() != digest:
            raise Unread(UnreadReason.AMBIGUOUS)
        key = hashlib.blake2b(data, digest_size=16).digest()
        known = self._known.get(key)
        if known is None:
            try:
                known = read_document(text)
            except Unread as unread:
                known = unread.reason
            _remember(self._known, key, known)
        if isinstance(known, UnreadReason):
            raise Unread(known)
        if digest:
            _remember(self._persisted, digest, known)
        return known


def _remember(memory: dict[Any, Any], key: object, value: object) -> None:
    memory[key] = value
    if len(memory) > REMEMBERED:
        del memory[next(iter(memory))]


def _chosen(operations: tuple[Definition, ...], name: str) -> Definition:
    """The operation that a request asks for (GraphQL, 6.1). Raises `Unread`."""
    if not name:
        if len(operations) != 1:
            raise Unread(UnreadReason.AMBIGUOUS)
        return operations[0]
    for operation in operations:
        if operation.name == name:
            return operation
    raise Unread(UnreadReason.MALFORMED)


def _persisted_hash(extensions: Any) -> str:
    """The hash that `extensions.persistedQuery` names; empty for none."""
    if extensions is None:
        return ""
    if not isinstance(extensions, dict):
        raise Unread(UnreadReason.MALFORMED)
    if any(member(extensions, other) is not None for other in _OTHER_IDS):
        raise Unread(UnreadReason.AMBIGUOUS)
    persisted = member(extensions, "persistedQuery")
    if persisted is None:
        return ""
    digest = member(persisted, "sha256Hash") if isinstance(persisted, dict) else None
    if not isinstance(digest, str) or _SHA256(digest) is None:
        raise Unread(UnreadReason.MALFORMED)
    return digest.lower()


def _in_url(head: RequestHead) -> dict[str, Any]:
    """What the query string says of the operation. Raises `Unread`."""
    if not head.query:
        return {}
    pairs = _NAMES_IN_URL.pairs(head.query)
    found: dict[str, Any] = dict(pairs)
    if len(found) != len(pairs) or not found.keys() <= _IN_URL:
        raise Unread(UnreadReason.AMBIGUOUS)
    if "extensions" in found:
        found["extensions"] = parse(found["extensions"].encode())
    return found


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise Unread(UnreadReason.MALFORMED) from None
