"""Every code can be produced, says what to do, and a valid table produces none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from figway.compare.plugin_names import plugin_names
from figway.model.backend import (
    Backend,
    BackendKind,
    ConnectionLimits,
    FallbackBudgetPolicy,
    HostPolicy,
    OutlierPolicy,
    Timeouts,
)
from figway.model.comparison import (
    ComparisonPolicy,
    ComparisonRule,
    NoiseOverrule,
    NoiseWord,
    RuleKind,
    ShadowPolicy,
)
from figway.model.operations import FaultKind, OperationKind, OperationMatch
from figway.model.table import (
    BreakerPolicy,
    Capability,
    FallbackPolicy,
    KeySource,
    Route,
    Stage,
    StickyKey,
    Table,
)
from figway.model.words import Side
from figway.validate.address import is_link_local
from figway.validate.plugins import unnamed_plugins
from figway.validate.table import CODES, Finding, Severity, validate, validate_change
from tests.support.tables import LEGACY, NEW, on, route, table
from tests.unit.figway.validate import aws_cases, policy_cases

COOKIE = StickyKey(source=KeySource.COOKIE, name="sid")
ADDRESS = StickyKey(source=KeySource.CLIENT_ADDRESS)
FUNCTION = Backend(
    id="lambda",
    side=Side.NEW,
    kind=BackendKind.LAMBDA,
    function="profile:live",
    region="eu-central-1",
)


def backend(**fields: Any) -> Table:
    """A table whose backend on side new differs."""
    return table(backends=[LEGACY, replace(NEW, **fields)])


def function(**fields: Any) -> Table:
    return table(backends=[LEGACY, replace(FUNCTION, **fields)])


def capability(**fields: Any) -> Table:
    return table(capabilities=[Capability(id="shop", **fields)])


def one(path: str = "/x", **fields: Any) -> Table:
    """A table with one route."""
    return table(route("r", path, **fields))


def moving(**fields: Any) -> Table:
    """A table with one route that has a new backend."""
    return one(**{"new": "functions", "stage": Stage.NEW, **fields})


NOISE = NoiseWord.NOISE


def rule(**fields: Any) -> ComparisonRule:
    """An ignore rule that differs."""
    return ComparisonRule(**{"id": "a", "kind": RuleKind.IGNORE, "target": "$.x", **fields})


SOUND = table(
    route("orders", "/orders/{id}", methods=("GET",), new="functions", stage=Stage.SHADOW),
    route(
        "order", "/orders/{id}", methods=("POST",), new="functions", stage=Stage.CANARY, weight=5
    ),
    route("any", "/orders/{other}", headers=(on("a", "exact", "1"),)),
    route("any2", "/orders/{other}", headers=(on("A", "exact", "2"),)),
    route("api", "/api/**", hosts=("a.example", "*.b.example"), new="lambda", stage=Stage.NEW),
    backends=[LEGACY, NEW, FUNCTION],
    capabilities=[Capability(id="shop"), Capability(id="books", sticky=(COOKIE, ADDRESS))],
)

CASES: list[tuple[str, Table]] = [
    ("status_range", one(breaker=BreakerPolicy(healthy_statuses=(404,)))),
    ("breaker_counts_faults", one(faults=FaultKind.SOAP, stage=Stage.SHADOW, new="functions")),
    (
        "outlier_counts_faults",
        table(
            route("r", "/x", operation=OperationMatch(kind=OperationKind.SOAP)),
            backends=[replace(LEGACY, urls=("http://10.0.0.9",)), NEW, FUNCTION],
        ),
    ),
    (
        "status_range",
        table(backends=[replace(LEGACY, outlier=OutlierPolicy(healthy_statuses=(404,)))]),
    ),
    ("operation_invalid", one(operation=OperationMatch(kind=OperationKind.FORM))),
    (
        "operation_never",
        one(operation=OperationMatch(kind=OperationKind.SOAP), methods=("GET",)),
    ),
    ("reads_unused", one(reads=("GET",))),
    ("reads_writing_method", one(reads=("DELETE",))),
    ("reads_unsafe", one(reads=("POST",), shadow=ShadowPolicy(unsafe_get=True))),
    ("id_invalid", table(route("Bad Id", "/x"))),
    ("id_invalid", table(backends=[LEGACY, replace(NEW, id="-x")])),
    ("id_invalid", table(capabilities=[Capability(id="x" * 65)])),
    ("id_mismatch", replace(table(), routes={"a": route("b", "/x")})),
    ("text_invalid", one(description="a\x00b")),
    ("text_invalid", one(description="\ud800")),
    ("text_invalid", one(description="x" * 5_000)),
    ("text_invalid", capability(salt="a\nb")),
    ("text_invalid", one(hosts=("x" * 5_000,))),
    ("list_too_long", one(methods=tuple(f"M{n}" for n in range(101)))),
    ("list_too_long", one(comparison=ComparisonPolicy(headers=("x",) * 101))),
    ("list_too_long", one(comparison=ComparisonPolicy(rules=(rule(),) * 501))),
    ("list_too_long", one(comparison=ComparisonPolicy(rules=(rule(pairs=((1, 2),) * 1_001),)))),
    ("default_backend_missing", Table()),
    ("default_backend_unknown", table(default_backend="gone")),
    ("default_backend_side", table(default_backend="functions")),
    ("url_missing", backend(url="")),
    ("url_invalid", backend(url="ftp://host")),
    ("url_invalid", backend(url="127.0.0.1:80")),
    ("url_invalid", backend(url="http://")),
    ("url_invalid", backend(url="http://host:99999")),
    ("url_invalid", backend(url="http://host:0")),
    ("url_invalid", backend(url="http://ho st")),
    ("url_invalid", backend(url="http://[::1")),
    ("url_invalid", backend(url="http://host/a/../b")),
    ("url_invalid", backend(url="http://host\r\nX: y")),
    ("url_invalid", function(endpoint_url="localhost")),
    ("url_userinfo", backend(url="http://me:secret@host")),
    ("url_query", backend(url="http://host/?a=1")),
    ("url_query", backend(url="http://host/#a")),
    ("url_unused", function(url="http://host")),
    ("function_missing", function(function="")),
    ("function_invalid", function(function="a b")),
    ("region_missing", function(region="")),
    ("function_unused", backend(function="f")),
    ("address_link_local", backend(url="http://169.254.169.254/")),
    ("address_link_local", function(endpoint_url="http://[fe80::1]:9000")),
    ("host_missing", backend(host_policy=HostPolicy.LITERAL)),
    ("host_invalid", backend(host_policy=HostPolicy.LITERAL, host="a\r\nb")),
    ("host_invalid", one(hosts=("Shop.example",))),
    ("host_invalid", one(hosts=("shop.example:80",))),
    ("host_invalid", one(hosts=("*",))),
    ("host_invalid", one(hosts=("",))),
    ("build_header_invalid", backend(build_header="X-App-Version")),
    ("build_header_invalid", backend(build_header="a b")),
    ("host_unused", backend(host="shop.example")),
    ("timeout_range", backend(timeouts=Timeouts(connect_ms=0))),
    ("limit_range", backend(limits=ConnectionLimits(max_connections=0))),
    ("budget_range", backend(fallback_budget=FallbackBudgetPolicy(percent=-1))),
    ("sticky_empty", capability(sticky=())),
    ("sticky_name", capability(sticky=(StickyKey(source=KeySource.HEADER),))),
    ("sticky_name", capability(sticky=(StickyKey(source=KeySource.COOKIE, name="a b"),))),
    ("sticky_name", capability(sticky=(COOKIE, replace(ADDRESS, name="x")))),
    ("sticky_name", capability(sticky=(COOKIE, StickyKey(source=KeySource.JWT_CLAIM)))),
    ("sticky_duplicate", capability(sticky=(COOKIE, COOKIE))),
    ("sticky_unreachable", capability(sticky=(ADDRESS, COOKIE))),
    ("issue_without_cookie", capability(sticky=(ADDRESS,))),
    (
        "salt_shared",
        table(
            capabilities=[
                Capability(id="a", salt="s", sticky=(COOKIE,)),
                Capability(id="b", salt="s"),
            ]
        ),
    ),
    ("template_invalid", one("/a//b")),
    ("template_invalid", one("no-slash")),
    ("literal_never_matches", one("/a%2fb")),
    ("literal_never_matches", one("/a/%61/b")),
    ("host_duplicate", one(hosts=("a.example", "a.example"))),
    ("method_invalid", one(methods=("GET POST",))),
    ("method_case", one(methods=("get",))),
    ("method_duplicate", one(methods=("GET", "GET"))),
    ("condition_invalid", one(headers=(on("a b"),))),
    ("condition_invalid", one(headers=(on("a", "exact", "b\r\n"),))),
    ("condition_invalid", one(query=(on("a&b", "present"),))),
    ("condition_invalid", one(query=(on("a", "exact", "b c"),))),
    ("condition_invalid", one(cookies=(on("a", "exact", "b;c"),))),
    ("condition_invalid", one(cookies=(on("a", "absent", "b"),))),
    ("condition_invalid", one(cookies=(on("a", "prefix"),))),
    ("condition_invalid", one(headers=(on("a", "exact", "\ud800"),))),
    ("condition_duplicate", one(headers=(on("a", "present"), on("a", "present")))),
    ("conditions_contradict", one(headers=(on("a", "present"), on("A", "absent")))),
    ("conditions_contradict", one(query=(on("a", "exact", "1"), on("a", "prefix", "2")))),
    ("route_tie", table(route("a", "/x/{y}"), route("b", "/x/{z}"))),
    ("route_tie", table(route("a", "/x", hosts=("h",)), route("b", "/x", hosts=("i", "h")))),
    (
        "route_tie",
        table(route("a", "/x", methods=("GET", "PUT")), route("b", "/x", methods=("PUT",))),
    ),
    (
        "route_tie",
        table(
            route("a", "/x", headers=(on("p", "prefix", "1"),)),
            route("b", "/x", headers=(on("p", "exact", "12"),)),
        ),
    ),
    (
        "route_shadowed",
        table(
            route("a", "/x", query=(on("p", "present"), on("p", "prefix", "1"))),
            route("b", "/x", query=(on("p", "exact", "12"),)),
        ),
    ),
    (
        "routes_crowded",
        table(*(route(f"r{n}", "/x", query=(on("p", "exact", str(n)),)) for n in range(101))),
    ),
    ("backend_unknown", one(new="gone")),
    ("backend_unknown", one(legacy="gone")),
    ("backend_wrong_side", one(new="monolith")),
    ("backend_wrong_side", one(legacy="functions")),
    ("capability_unknown", one(capability="gone")),
    ("stage_without_new", one(stage=Stage.SHADOW)),
    ("weight_range", moving(stage=Stage.CANARY, weight=10_001)),
    ("weight_range", one(weight=-1)),
    ("canary_weight", moving(stage=Stage.CANARY, weight=0)),
    ("retired_unused", moving(stage=Stage.RETIRED, legacy="monolith")),
    ("retired_unused", moving(stage=Stage.RETIRED, shadow=ShadowPolicy(from_new=True))),
    ("status_range", moving(fallback=FallbackPolicy(statuses=(200,)))),
    ("status_range", moving(fallback=FallbackPolicy(statuses=(502, 502)))),
    ("fallback_range", moving(fallback=FallbackPolicy(deadline_ms=0))),
    ("fallback_range", moving(fallback=FallbackPolicy(replay_buffer=1 << 30))),
    ("guard_passable", moving(stage=Stage.RETIRED, hosts=("a.example",))),
    ("cookie_invalid", capability(cookie_max_age_s=-1)),
    ("cookie_invalid", capability(cookie_domain="not a domain")),
    ("literal_like_a_variable", one("/orders/:id")),
    ("deadline_short", moving(fallback=FallbackPolicy(deadline_ms=10_000))),
    ("breaker_range", moving(breaker=BreakerPolicy(failure_percent=0))),
    ("breaker_range", moving(breaker=BreakerPolicy(open_ms=20_000, max_open_ms=10_000))),
    ("sample_range", moving(shadow=ShadowPolicy(sample=10_001))),
    ("body_limit_range", moving(shadow=ShadowPolicy(body_limit=-1))),
    ("shadow_copies_nothing", moving(stage=Stage.SHADOW, shadow=ShadowPolicy(sample=0))),
    ("shadow_copies_nothing", moving(stage=Stage.SHADOW, methods=("POST",))),
    (
        "shadow_copies_nothing",
        moving(stage=Stage.SHADOW, methods=("GET",), shadow=ShadowPolicy(unsafe_get=True)),
    ),
    ("rule_invalid", one(comparison=ComparisonPolicy(rules=(rule(target="price"),)))),
    ("rule_invalid", one(comparison=ComparisonPolicy(rules=(rule(absolute=0.1),)))),
    ("rule_duplicate", one(comparison=ComparisonPolicy(rules=(rule(), rule())))),
    ("compared_header_invalid", one(comparison=ComparisonPolicy(headers=("ETag",)))),
    ("compare_plugin_invalid", one(comparison=ComparisonPolicy(compare="shop_compare"))),
    ("compare_plugin_invalid", one(comparison=ComparisonPolicy(compare="os; import x:y"))),
    ("noise_sample_range", one(comparison=ComparisonPolicy(noise_sample=10_001))),
    (
        "overrule_invalid",
        one(comparison=ComparisonPolicy(noise_overrules=(NoiseOverrule(field="", word=NOISE),))),
    ),
    ("redaction_invalid", one(comparison=ComparisonPolicy(redact_patterns=("(",)))),
    ("redaction_invalid", one(comparison=ComparisonPolicy(redact_allow=("password",)))),
    *policy_cases.CASES,
    *aws_cases.CASES,
]

EACH = pytest.mark.parametrize(
    ("code", "broken"), CASES, ids=[f"{code}-{index}" for index, (code, _) in enumerate(CASES)]
)


def codes(findings: list[Finding]) -> set[str]:
    return {finding.code for finding in findings}


def test_a_sound_table_has_no_findings() -> None:
    assert validate(SOUND) == []


@pytest.mark.parametrize("index", range(len(aws_cases.SOUND)))
def test_sound_hand_overs_have_no_findings(index: int) -> None:
    assert [str(finding) for finding in validate(aws_cases.SOUND[index])] == []


@EACH
def test_each_code(code: str, broken: Table) -> None:
    """trap 53: what is wrong is named with a code, a place and what to do."""
    found = [finding for finding in validate(broken) if finding.code == code]
    assert found
    for finding in found:
        assert finding.path
        assert finding.message
        assert finding.resolution
        assert "\n" not in str(finding)


def test_every_code_is_produced_by_a_case() -> None:
    of_tables = {code for code in CODES if not code.startswith("rollout_")}
    elsewhere = {"reads_sets_cookie", "reads_answers_201", "compare_plugin_unnamed"}
    assert {code for code, _ in CASES} | {"split_reshuffled"} == of_tables - elsewhere


@EACH
def test_a_change_is_held_to_the_same(code: str, broken: Table) -> None:
    found = validate_change(SOUND, broken)
    assert code in codes(found)
    everything = {str(finding) for finding in validate(broken)}
    assert {str(finding) for finding in found if finding.code != "split_reshuffled"} <= everything


def test_the_legacy_of_several_soap_operations_is_warned_of_once() -> None:
    """As a migration writes them: a route for each operation, all at one endpoint."""
    legacy = replace(LEGACY, urls=("http://10.0.0.9",))
    before = table(backends=[legacy, NEW])
    after = table(
        *(
            route(name, "/soap", operation=OperationMatch(kind=OperationKind.SOAP, names=(name,)))
            for name in ("get", "list", "find")
        ),
        backends=[legacy, NEW],
    )
    for found in (validate(after), validate_change(before, after)):
        warned = [finding.path for finding in found if finding.code == "outlier_counts_faults"]
        assert warned == [f"backends.{LEGACY.id}.outlier.healthy_statuses"]


def test_a_tie_names_both_routes_once() -> None:
    hosts = ("a.example", "b.example")
    found = validate(table(route("one", "/x", hosts=hosts), route("two", "/x", hosts=hosts)))
    assert [finding.code for finding in found] == ["route_tie"]
    assert "one" in found[0].message
    assert "two" in found[0].message
    assert found[0].severity is Severity.ERROR


@pytest.mark.parametrize(
    "pair",
    [
        (route("a", "/x"), route("b", "/x/")),
        (route("a", "/x"), route("b", "/x", methods=("GET",))),
        (route("a", "/x", methods=("GET",)), route("b", "/x", methods=("HEAD",))),
        (route("a", "/x"), route("b", "/x", hosts=("h.example",))),
        (route("a", "/x"), route("b", "/x", headers=(on("p", "present"),))),
        (
            route("a", "/x", cookies=(on("p", "absent"),)),
            route("b", "/x", cookies=(on("p", "exact", "1"),)),
        ),
        (
            route("a", "/x", query=(on("p", "suffix", "1"),)),
            route("b", "/x", query=(on("p", "suffix", "2"),)),
        ),
    ],
)
def test_routes_that_differ_enough_do_not_tie(pair: tuple[Route, Route]) -> None:
    assert validate(table(*pair)) == []


def test_a_change_checks_routes_that_refer_to_what_changed() -> None:
    using = route("r", "/x", new="functions", stage=Stage.NEW, capability="shop")
    before = table(using, capabilities=[Capability(id="shop")])
    without = replace(before, backends={"monolith": LEGACY})
    assert codes(validate_change(before, without)) == {"backend_unknown"}
    assert codes(validate_change(before, replace(before, capabilities={}))) == {
        "capability_unknown"
    }
    turned = replace(NEW, side=Side.LEGACY)
    moved = replace(before, backends={"monolith": LEGACY, "functions": turned})
    assert codes(validate_change(before, moved)) == {"backend_wrong_side"}
    assert validate_change(before, before) == []


def test_a_change_looks_only_at_what_changed() -> None:
    broken = {f"r{n}": route(f"r{n}", "//") for n in range(5)}
    before = replace(table(), routes=broken)
    after = replace(before, routes={**broken, "r3": replace(broken["r3"], weight=-1)})
    found = validate_change(before, after)
    assert {finding.path.split(".")[1] for finding in found} == {"r3"}
    assert codes(found) == {"template_invalid", "weight_range"}


def test_a_new_neighbour_is_held_against_the_old() -> None:
    before = table(route("old", "/x/{id}"), route("other", "/y/{id}"))
    after = replace(before, routes={**before.routes, "new": route("new", "/x/{name}")})
    (finding,) = validate_change(before, after)
    assert finding.code == "route_tie"
    assert "old" in finding.message
    assert "new" in finding.message


def test_dealing_the_users_of_a_canary_anew_is_a_warning() -> None:
    """trap 38: another salt or chain moves users between the sides."""
    canary = route("r", "/x", new="functions", stage=Stage.CANARY, weight=5, capability="shop")
    before = table(canary, capabilities=[Capability(id="shop"), Capability(id="other")])
    salted = {**before.capabilities, "shop": Capability(id="shop", salt="2")}
    chained = {**before.capabilities, "shop": Capability(id="shop", sticky=(COOKIE,))}
    moved = {"r": replace(canary, capability="other")}
    for after in (
        replace(before, capabilities=salted),
        replace(before, capabilities=chained),
        replace(before, routes=moved),
    ):
        (finding,) = validate_change(before, after)
        assert (finding.code, finding.severity) == ("split_reshuffled", Severity.WARNING)
    described = {**before.capabilities, "shop": Capability(id="shop", description="d")}
    assert validate_change(before, replace(before, capabilities=described)) == []
    still = {"r": replace(canary, stage=Stage.SHADOW)}
    quiet = replace(before, routes=still)
    assert validate_change(quiet, replace(quiet, capabilities=salted)) == []


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "169.254.0.1",
        "2852039166",
        "0xa9fea9fe",
        "0xA9.0xFE.169.254",
        "0251.0376.0251.0376",
        "169.254.43518",
        "169.16689662",
        "[fe80::1]",
        "fe80::1%eth0",
        "::ffff:169.254.169.254",
        "[fd00:ec2::254]",
        "100.100.100.200",
        "Metadata.Google.Internal.",
    ],
)
def test_metadata_addresses_in_every_spelling(host: str) -> None:
    assert is_link_local(host)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "10.0.0.1",
        "shop.example",
        "169.254.shop.example",
        "[::1]",
        "1.2.3.4.5",
        "08",
        "256.1.1.1",
        "4294967296",
        "",
        "2001:db8::1",
    ],
)
def test_other_addresses(host: str) -> None:
    assert not is_link_local(host)


def test_an_allowance_permits_a_link_local_address() -> None:
    assert validate(backend(url="http://169.254.169.254", allow_link_local=True)) == []


def test_a_plugin_that_no_worker_runs_is_warned_of() -> None:
    """Its pairs could not be compared; the table is no worse for it, and is not refused."""
    named = one(comparison=ComparisonPolicy(compare="shop.compare:booking"))
    assert unnamed_plugins(named, ["shop.compare:booking"]) == []
    [found] = unnamed_plugins(named, ["shop.compare:other"])
    assert (found.code, found.severity) == ("compare_plugin_unnamed", Severity.WARNING)
    assert unnamed_plugins(SOUND, ()) == []


def test_a_setting_names_plugins() -> None:
    assert plugin_names(" a:b, c.d:e,a:b ,") == ("a:b", "c.d:e")
    for wrong in ("a", "a:b:c", "a.b", "a:b-c", "../a:b", "a:b;c:d"):
        with pytest.raises(ValueError, match="write module:function"):
            plugin_names(wrong)
