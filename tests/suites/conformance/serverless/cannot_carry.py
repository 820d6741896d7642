"""What events cannot carry: the one list, which the suite skips by and the manual is held to.

A pattern of test names, the kinds of event that it is about, and what is lost and why.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

ALL = ("http", "rest", "alb", "alb-multi", "url")
_PLATFORM_PARSES = "The platform reads the client's HTTP; malformed requests end there."
_WHOLE = "Events are whole: a client's or backend's pace, early bytes and a client that leaves."
_NOT_ON_THE_WIRE = "Reaches into the worker's process."

CANNOT_CARRY: tuple[tuple[str, tuple[str, ...], str], ...] = (
    (
        "test_the_request_reaches_legacy_unchanged*",
        ALL,
        "The interleaving of repeated fields; and X-Amzn-Trace-Id is added by the platform.",
    ),
    (
        "test_nothing_is_added_for_a_client_that_sends_nothing*",
        ALL,
        "X-Amzn-Trace-Id is added by the platform.",
    ),
    (
        "test_the_answer_reaches_the_client_unchanged*",
        ALL,
        "The order among fields of different names, and Set-Cookie's place among them.",
    ),
    ("test_hop_by_hop_fields_end_here*", ALL, "Connection and what it names end at the platform."),
    (
        "test_forwarded_fields_of_trusted_proxies_are_kept*",
        ALL,
        "X-Forwarded-Proto is the platform's own, whatever a proxy before it wrote.",
    ),
    ("test_a_trusted_proxy_knows_the_public_host*", ALL, "The same."),
    ("test_expect_is_answered_by_the_facade*", ALL, "100-continue is the platform's own."),
    (
        "test_bodies_pass_whole_in_both_framings*",
        ALL,
        "Chunked framing: every body has a length; trailers are gone.",
    ),
    (
        "test_a_trace_is_begun_or_continued*",
        ALL,
        "Without a traceparent the platform's X-Ray trace is continued, not a fresh one.",
    ),
    ("test_the_facade_behind_itself*", ALL, "A sandbox serves one request at a time."),
    ("test_octets_beyond_ascii_in_a_target*", ALL, "Octets above 0x7F arrive percent-encoded."),
    (
        "test_targets_are_forwarded_as_received[http-*%2F*/x]",
        ("http",),
        "HTTP APIs decode the path: %2F becomes a slash.",
    ),
    (
        "test_targets_are_forwarded_as_received[http-*%61*]",
        ("http",),
        "HTTP APIs decode the path.",
    ),
    (
        "test_targets_are_forwarded_as_received[http-*%2e*]",
        ("http",),
        "HTTP APIs decode the path.",
    ),
    (
        "test_targets_are_forwarded_as_received[*-*a=%2F&a=1*]",
        ("rest", "alb", "alb-multi"),
        "Queries come as a map: empty pieces are gone (and all but the last of a name, at an ALB "
        "with single values); REST APIs decode them.",
    ),
    ("test_the_kill_switch_sends_everything_to_legacy*", ALL, _NOT_ON_THE_WIRE),
    ("test_a_removed_backend_is_closed*", ALL, _NOT_ON_THE_WIRE),
    ("test_the_first_event_is_relayed_as_it_comes*", ALL, _WHOLE),
    ("test_a_head_without_body_bytes_is_relayed_at_once*", ALL, _WHOLE),
    ("test_a_slow_reader_slows_the_backend*", ALL, _WHOLE),
    ("test_a_slow_backend_slows_the_client*", ALL, _WHOLE),
    (
        "test_an_answer_that_breaks_off_is_seen_to*",
        ALL,
        "Nothing has left when an answer breaks off: the client gets 502 instead of half of it.",
    ),
    ("test_no_fallback_once_bytes_reached_the_client*", ALL, _WHOLE),
    ("test_an_early_answer*", ALL, _WHOLE),
    ("test_a_read_is_cancelled_with_its_client*", ALL, _WHOLE),
    ("test_a_write_is_left_to_finish*", ALL, _WHOLE),
    ("test_half_a_write_is_not_left_as_a_whole_one*", ALL, _WHOLE),
    ("test_a_drain*", ALL, "There is no listener to drain: the platform stops sandboxes."),
    ("test_an_ambiguous_*", ALL, _PLATFORM_PARSES),
    ("test_two_spaces_in_a_request_line*", ALL, _PLATFORM_PARSES),
    ("test_trailers_frame_nothing*", ALL, _PLATFORM_PARSES),
    ("test_heads_are_finite*", ALL, _PLATFORM_PARSES),
    ("test_a_slow_head_is_given_up*", ALL, _PLATFORM_PARSES),
    ("test_connections_are_finite*", ALL, _PLATFORM_PARSES),
    ("test_pipelined_requests*", ALL, _PLATFORM_PARSES),
    ("test_http_1_0*", ALL, _PLATFORM_PARSES),
    ("test_a_head_in_single_bytes*", ALL, _PLATFORM_PARSES),
    ("test_absolute_targets_and_connect*", ALL, _PLATFORM_PARSES),
    (
        "test_an_upgrade_that_would_carry_requests*",
        ALL,
        "Connection and Upgrade end at the platform, which tunnels nothing.",
    ),
    ("test_trailers_never_become_header_fields*", ALL, _PLATFORM_PARSES),
    (
        "test_a_body_beside_an_upgrade*",
        ALL,
        "Connection and Upgrade end at the platform, which tunnels nothing.",
    ),
    (
        "test_a_switch_after_a_body*",
        ALL,
        "Connection and Upgrade end at the platform, which tunnels nothing.",
    ),
    (
        "test_a_list_of_protocols*",
        ALL,
        "Connection and Upgrade end at the platform, which tunnels nothing.",
    ),
    ("test_legacy_itself_*", ALL, "100-continue is the platform's own."),
    ("test_legacy_that_knows_no_expect*", ALL, "100-continue is the platform's own."),
    ("test_the_facade_answers_where_a_second*", ALL, "100-continue is the platform's own."),
    ("test_a_host_that_is_not_known*", ALL, _PLATFORM_PARSES),
    (
        "test_the_first_scheme_in_any_case*",
        ALL,
        "X-Forwarded-Proto is the platform's own, whatever a proxy before it wrote.",
    ),
    (
        "test_a_scheme_in_two_lines*",
        ALL,
        "X-Forwarded-Proto is the platform's own, whatever a proxy before it wrote.",
    ),
    (
        "test_x_fields_alone_make_forwarded*",
        ALL,
        "X-Forwarded-Proto is the platform's own, whatever a proxy before it wrote.",
    ),
    (
        "test_connection_takes_nothing*",
        ALL,
        "Connection and what it names end at the platform.",
    ),
    ("test_a_read_ends_with_its_client*", ALL, _WHOLE),
    ("test_a_body_in_pieces_and_in_chunks*", ALL, _WHOLE),
    ("test_a_client_that_leaves_while_its_body_is_read*", ALL, _WHOLE),
    ("test_a_table_swapped_while_a_body_is_read*", ALL, _WHOLE),
    ("test_a_limit_of_the_body_holds_while_it_is_read*", ALL, _PLATFORM_PARSES),
    ("test_continue_is_the_facades_to_say*", ALL, "100-continue is the platform's own."),
    (
        "test_only_the_named_operation_moves*ten megabytes*",
        ALL,
        "Bodies over the platform's limit: 6 MB, at an ALB 1 MB.",
    ),
    ("test_bodies_are_finite_where_a_limit_is_set*", ALL, _PLATFORM_PARSES),
    ("test_the_proxy_protocol_is_refused*", ALL, _PLATFORM_PARSES),
    ("test_a_stream_answers_202_and_logs_in_by_reference*", ALL, _NOT_ON_THE_WIRE),
    ("test_a_stream_whose_secret_is_missing*", ALL, _NOT_ON_THE_WIRE),
    ("test_a_tls_proxy_that_nobody_named*", ALL, _NOT_ON_THE_WIRE),
    ("test_a_proxy_that_is_trusted_or_speaks_http*", ALL, _NOT_ON_THE_WIRE),
    (
        "test_another_spelling_passes_no_policy[http-/api%c0%afprivate/x]",
        ("http",),
        "HTTP APIs decode the path.",
    ),
    (
        "test_another_spelling_brings_no_retired_route_back[http-/%6Fld]",
        ("http",),
        "HTTP APIs decode the path.",
    ),
)


def why_not(name: str, kind: str) -> str:
    """Why a test has nothing to say about a kind of event; empty if it has."""
    for pattern, kinds, reason in CANNOT_CARRY:
        literal = pattern.replace("[", "[[]", 1) if "[" in pattern else pattern
        if kind in kinds and fnmatchcase(name, literal):
            return reason
    return ""
