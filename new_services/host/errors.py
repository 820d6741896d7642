"""The errors of AWS Lambda's Invoke API, in the shapes that AWS answers with.

Source: AWS Lambda API reference, Invoke, Errors (API version 2015-03-31).
"""

from __future__ import annotations

import json

from new_services.host.wire import Response


class InvokeError(Exception):
    """An answer of the service itself, not of a function: `type` goes into x-amzn-ErrorType."""

    def __init__(
        self,
        status: int,
        type: str,
        message: str,
        fields: dict[str, str] | None = None,
        headers: list[tuple[str, str]] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.type = type
        self.fields = fields if fields is not None else {"Type": "User", "Message": message}
        self.headers = headers or []

    def response(self) -> Response:
        headers = [
            ("Content-Type", "application/json"),
            ("x-amzn-ErrorType", self.type),
            *self.headers,
        ]
        return Response(self.status, json.dumps(self.fields).encode(), headers)


def not_found(arn: str) -> InvokeError:
    return InvokeError(404, "ResourceNotFoundException", f"Function not found: {arn}")


def throttled() -> InvokeError:
    fields = {
        "Reason": "ReservedFunctionConcurrentInvocationLimitExceeded",
        "Type": "User",
        "message": "Rate Exceeded.",
    }
    return InvokeError(
        429, "TooManyRequestsException", "Rate Exceeded.", fields, [("Retry-After", "1")]
    )


def too_large(limit: int) -> InvokeError:
    message = f"Request must be smaller than {limit} bytes for the InvokeFunction operation"
    return InvokeError(413, "RequestTooLargeException", message)


def not_json(detail: str) -> InvokeError:
    message = f"Could not parse request body into json: {detail}"
    return InvokeError(400, "InvalidRequestContentException", message)


def invalid_parameter(message: str) -> InvokeError:
    return InvokeError(400, "InvalidParameterValueException", message)


def forbidden(type: str, message: str) -> InvokeError:
    """A request whose signature does not hold; `type` says how."""
    return InvokeError(403, type, message, {"message": message})


def unknown_operation() -> InvokeError:
    return InvokeError(404, "UnknownOperationException", "Unknown operation", {})


def service_error() -> InvokeError:
    message = "An error occurred and the request cannot be processed."
    fields = {"Type": "Service", "Message": message}
    return InvokeError(500, "ServiceException", message, fields)
