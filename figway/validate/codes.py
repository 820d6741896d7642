"""The codes of findings. A code never changes its meaning; tools and people may rely on it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

CODES: Mapping[str, str] = MappingProxyType(
    {
        # any item
        "id_invalid": "An id is not lower case letters, digits, `-`, `_`, `.`, or is too long.",
        "id_mismatch": "An item stands under another id than its own.",
        "text_invalid": "A text holds characters that cannot be written, or is too long.",
        "list_too_long": "A list has more entries than it may have.",
        # the table
        "default_backend_missing": "The table names no backend for what no route matches.",
        "default_backend_unknown": "The table's default backend does not exist.",
        "default_backend_side": "The table's default backend is not on side legacy.",
        # backends
        "url_missing": "A backend of kind http has no URL.",
        "url_invalid": "A URL has another scheme than http and https, no host, or a bad port.",
        "url_userinfo": "A URL holds a user name or password.",
        "url_query": "A URL holds a query or a fragment.",
        "url_unused": "A backend of kind lambda has a URL, which nothing uses.",
        "function_missing": "A backend of kind lambda has no function.",
        "function_invalid": "A function is neither a name nor an ARN.",
        "function_unused": "A backend of kind http names a function, which nothing uses.",
        "address_link_local": "A backend is on a link-local or metadata address.",
        "host_missing": "The host policy is `literal` and no host is given.",
        "host_invalid": "A host is not a host name or address as the field wants it.",
        "host_unused": "A backend has a literal host that its host policy does not use.",
        "timeout_range": "A timeout is out of its range.",
        "limit_range": "A connection limit is out of its range.",
        "budget_range": "A fallback or retry budget is out of its range.",
        "urls_invalid": "A backend's further URLs are too many, stand twice, or differ in path.",
        "outlier_range": "A setting of outlier ejection is out of its range.",
        "health_range": "A setting of health checks is out of its range.",
        "health_invalid": "The target of a health check is not a path.",
        "credential_invalid": "A credential is not a header with a reference to a secret.",
        # capabilities
        "sticky_empty": "A capability has no chain to read its sticky key from.",
        "sticky_name": "A link of a sticky chain needs a name, or its name is not valid.",
        "sticky_duplicate": "A link stands twice in a sticky chain.",
        "sticky_unreachable": "A link follows the client address, which every request has.",
        "issue_without_cookie": "A cookie is to be issued, but the chain has none.",
        "salt_shared": "Capabilities share a salt but not the chain of their sticky keys.",
        "split_reshuffled": "A change of salt or chain moves users of a canary between the sides.",
        # routes: what they match
        "template_invalid": "A path template cannot be read.",
        "literal_never_matches": "A literal of a template can never match a request.",
        "host_duplicate": "A route names a host twice.",
        "method_invalid": "A method is not a token.",
        "method_case": "A method is not in upper case.",
        "method_duplicate": "A route names a method twice.",
        "condition_invalid": "The name or value of a condition cannot occur in a request.",
        "condition_duplicate": "A condition stands twice.",
        "conditions_contradict": "The conditions of a route exclude each other: it never matches.",
        "route_tie": "Two routes match the same requests and neither is more specific.",
        "route_shadowed": "Another route takes every request of this one.",
        "routes_crowded": "Too many routes at one host and path.",
        # routes: what they do
        "backend_unknown": "A route names a backend that does not exist.",
        "backend_wrong_side": "A route uses a backend of the wrong side.",
        "capability_unknown": "A route names a capability that does not exist.",
        "stage_without_new": "The stage needs a new backend and the route has none.",
        "weight_range": "A weight is not between 0 and 10 000 basis points.",
        "canary_weight": "A canary with a weight of 0 or 10 000 splits nothing.",
        "retired_unused": "A retired route has a setting that only works with legacy.",
        "status_range": "A fallback status is not between 400 and 599, or stands twice.",
        "fallback_range": "A fallback setting is out of its range.",
        "deadline_short": "The deadline is over before new's timeout: no time for a fallback.",
        "breaker_range": "A breaker setting is out of its range.",
        "sample_range": "A shadow sample is not between 0 and 10 000 basis points.",
        "body_limit_range": "A shadow body limit is out of its range.",
        "shadow_copies_nothing": "The route is in stage shadow, but its policy copies nothing.",
        "rule_invalid": "A comparison rule makes no sense.",
        "rule_duplicate": "Two comparison rules of a route have the same id.",
        "compared_header_invalid": "A compared header has no valid name, or stands twice.",
        "noise_sample_range": "A noise sample is not between 0 and 10 000 basis points.",
        "overrule_invalid": "An overruled field is empty, or stands twice.",
        "redaction_invalid": "A redaction pattern or allowlist makes no sense.",
        # routes: what caches make of their answers
        "redirect_permanent": "An answer is a permanent redirect, which caches keep for ever.",
        "cache_mixes_sides": "An answer of a split route may be kept by caches that users share.",
        # routes: route policies
        "policy_range": "A number of an route policy is out of its range.",
        "policy_invalid": "A maintenance answer or a list of content types makes no sense.",
        "rate_limit_invalid": "A rate limit has no valid name or key, or there are too many.",
        "jwt_invalid": "A token policy has no usable issuer, keys, algorithm or claim.",
        "jwt_audience": "A token policy does not say for whom tokens must be.",
        "rewrite_invalid": "A path rewrite does not lead to a path.",
        "header_edit_invalid": "A header cannot be set or removed.",
    }
)
"""Every code with its meaning in one line."""
