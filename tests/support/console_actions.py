"""What the console changes, and the same by the API and the command line."""

from __future__ import annotations

ACTIONS: dict[str, tuple[tuple[str, str], ...]] = {
    # what the console takes: each way of the API (method and path), with its command
    "POST /{kind}/{item_id}/flip": (
        ("POST /routes/{route_id}/flip", "flip"),
        ("POST /capabilities/{capability_id}/flip", "capabilities flip"),
    ),
    "POST /routes/{route_id}/breaker": (("POST /routes/{route_id}/breaker", "breaker"),),
    "POST /revisions/{number}/undo": (("POST /revisions/{number}/undo", "undo"),),
    "POST /kill": (("POST /kill", "kill on"), ("POST /kill", "kill off")),
    "POST /keys": (("POST /keys", "keys create"),),
    "POST /shadow/{route_id}/restart": (
        ("POST /routes/{route_id}/evidence/restart", "compare restart"),
    ),
    "POST /shadow/{route_id}/compare-header": (
        ("POST /routes/{route_id}/compared-headers", "compare header"),
    ),
    "POST /sessions/{session_id}/end": (("DELETE /sessions/{session_id}", "keys end-session"),),
    "POST /keys/{prefix}/revoke": (("DELETE /keys/{prefix}", "keys revoke"),),
    "POST /shadow/{route_id}/rule": (("POST /routes/{route_id}/rules", "ignore add"),),
    "POST /shadow/{route_id}/rule/remove": (
        ("DELETE /routes/{route_id}/rules/{rule_id}", "ignore rm"),
    ),
    "POST /shadow/{route_id}/noise": (("POST /routes/{route_id}/noise", "compare noise"),),
    "POST /shadow/{route_id}/replay": (("POST /comparisons/replays", "compare replay"),),
    "POST /new/{items}": tuple(
        (f"POST /{items}", f"{items} set") for items in ("routes", "backends", "capabilities")
    ),
    "POST /edit/{items}/{item_id}": (
        ("PATCH /routes/{route_id}", "routes set"),
        ("PATCH /backends/{backend_id}", "backends set"),
        ("PATCH /capabilities/{capability_id}", "capabilities set"),
    ),
    "POST /edit/{items}/{item_id}/delete": (
        ("DELETE /routes/{route_id}", "routes rm"),
        ("DELETE /backends/{backend_id}", "backends rm"),
        ("DELETE /capabilities/{capability_id}", "capabilities rm"),
    ),
    "POST /rollouts/{rollout}/{word}": tuple(
        ("POST /rollouts/{rollout}/{word}", f"rollout {word}")
        for word in ("approve", "pause", "resume", "promote", "abort", "retry")
    ),
}
