"""The wire suite of all doors, against the proxy function, for each kind of event.

The tests are the very same functions; what an event cannot carry is listed with its reason in
`cannot_carry`, and left out.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from tests.suites.conformance import (
    test_declared_reads,
    test_fields,
    test_framing,
    test_handing_on,
    test_odd_answers,
    test_operations,
    test_passing_through,
    test_policies_hold,
    test_rewriting,
    test_routing,
    test_streaming,
)
from tests.suites.conformance.serverless.cannot_carry import ALL, why_not
from tests.suites.conformance.test_handing_on import handing  # noqa: F401  likewise
from tests.suites.conformance.test_operations import facade_with  # noqa: F401  likewise
from tests.suites.conformance.test_routing import routed  # noqa: F401  a fixture that its tests ask for

_MODULES = (
    test_odd_answers,
    test_passing_through,
    test_rewriting,
    test_routing,
    test_streaming,
    test_framing,
    test_declared_reads,
    test_operations,
    test_handing_on,
    test_fields,
    test_policies_hold,
)


def _tests(module: ModuleType) -> dict[str, Any]:
    return {name: found for name, found in vars(module).items() if name.startswith("test_")}


for _module in _MODULES:
    for _name, _found in _tests(_module).items():
        if callable(_found) and not all(why_not(_name, kind) for kind in ALL):
            globals()[_name] = _found
