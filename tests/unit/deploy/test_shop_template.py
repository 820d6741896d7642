"""The new side deploys as it runs locally: the template is of the layouts, and valid."""

from __future__ import annotations

import json
import os
import re
from typing import Any
from unittest.mock import patch

from cfnlint.api import lint_file
from cfnlint.config import ManualArgs
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

from new_services.cloud import resources
from new_services.cloud.template import TEMPLATE, name_of, text
from new_services.host.layout import load
from tests.unit.new_services.test_layout import _LAYOUT, _VARIABLES


def test_the_template_is_what_the_layouts_say() -> None:
    """Changed one of them? `python -m new_services.cloud.template`."""
    assert TEMPLATE.read_text(encoding="utf-8") == text()


def test_cfn_lint_finds_nothing() -> None:
    found = lint_file(TEMPLATE, config=ManualArgs(regions=["us-east-1"]))
    assert [str(item) for item in found] == []


def _translated() -> dict[str, Any]:
    source = TEMPLATE.read_text().replace("../../build/shop/", "s3://packages/shop.zip")
    machine = "s3://packages/booking.asl.json"
    source = source.replace("../../new_services/workflows/booking.asl.json", machine)
    values = {
        "LegacyUrl": "https://legacy.example",
        "WebhookSecret": "whsec_x",
        "Subnets": "subnet-1",
        "SecurityGroup": "sg-1",
    }

    class Policies:
        def load(self) -> dict[str, str]:
            base = "arn:aws:iam::aws:policy/"
            names = ("AWSLambdaBasicExecutionRole", "AWSLambdaSQSQueueExecutionRole")
            found = {name: f"{base}service-role/{name}" for name in names}
            vpc = "AWSLambdaVPCAccessExecutionRole"
            rays = ("AWSXrayWriteOnlyAccess", "AWSXRayDaemonWriteAccess")
            return {**found, vpc: f"{base}service-role/{vpc}", **{r: base + r for r in rays}}

    with patch.dict(os.environ, {"AWS_DEFAULT_REGION": "us-east-1"}):
        shown: dict[str, Any] = transform(yaml_parse(source), values, Policies())
    return shown


def test_sams_own_translator_makes_all_of_it() -> None:
    kinds: dict[str, int] = {}
    for resource in _translated()["Resources"].values():
        kinds[resource["Type"]] = kinds.get(resource["Type"], 0) + 1
    functions, beside = load(_LAYOUT, _VARIABLES).functions, resources.load()
    fed = sum(1 for function in functions.values() if function.queue)
    assert kinds["AWS::Lambda::Function"] == len(functions)
    assert kinds["AWS::Lambda::EventSourceMapping"] == fed == len(beside.queues)
    assert kinds["AWS::StepFunctions::StateMachine"] == 1
    assert kinds["AWS::Events::EventBus"] == 1


def test_queues_and_functions_name_each_other() -> None:
    """A queue nobody works off, a queue that is not there, a need that is not met: none of them."""
    functions, beside = load(_LAYOUT, _VARIABLES).functions, resources.load()
    queues = {queue.name for queue in beside.queues}
    assert {f.queue for f in functions.values() if f.queue} == queues
    for function in functions.values():
        for need in function.needs:
            kind, _, name = need.partition(":")
            assert kind == "events" or name in (queues if kind == "queue" else functions), need
    for workflow in beside.workflows:
        assert set(workflow.functions.values()) <= set(functions)
        assert "${" not in workflow.text()
        told = json.loads(workflow.text())
        named = set(re.findall(r'"FunctionName": "([a-z-]+)"', workflow.text()))
        assert named == set(workflow.functions.values())
        assert told["StartAt"] in told["States"]


def test_a_queue_waits_longer_than_its_function_runs() -> None:
    functions, beside = load(_LAYOUT, _VARIABLES).functions, resources.load()
    times = {f.queue: f.timeout for f in functions.values() if f.queue}
    for queue in beside.queues:
        assert queue.visibility > times[queue.name], queue.name
    assert name_of("saga-hold") == "SagaHold"
