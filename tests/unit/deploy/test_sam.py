"""The template is valid, grants little, and names handlers that exist; the packages are small."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

import yaml
from cfnlint.api import lint_file
from cfnlint.config import ManualArgs
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

from control_plane.serverless import SECRETS
from scripts.package_lambda import PARTS, copy_packages, write_zip
from tests.support.serverless.platform import ROOT

TEMPLATE = ROOT / "deploy" / "sam" / "template.yaml"


def translated() -> dict[str, Any]:
    """The template as CloudFormation gets it, with the packages where `sam package` puts them."""
    text = re.sub(r"CodeUri: \.\./\.\./build/", "CodeUri: s3://packages/", TEMPLATE.read_text())
    values = {
        "Runtime": "python3.13",
        "Architecture": "arm64",
        "LegacyUrl": "https://legacy.example",
        "ControlUrl": "",
        "ControlAccess": "keys",
        "ControlKeySecret": "arn:aws:secretsmanager:us-east-1:123456789012:secret:k",
        "DatabaseUrlSecret": "arn:aws:secretsmanager:us-east-1:123456789012:secret:d",
        "NewFunctions": "arn:aws:lambda:us-east-1:123456789012:function:users",
        "UrlAuth": "NONE",
        "AlarmTopic": "",
        "Sandboxes": "10",
    }

    class Policies:
        def load(self) -> dict[str, str]:
            base = "arn:aws:iam::aws:policy/service-role/"
            names = ("AWSLambdaBasicExecutionRole", "AWSLambdaSQSQueueExecutionRole")
            found = {name: base + name for name in names}
            found["AWSXrayWriteOnlyAccess"] = "arn:aws:iam::aws:policy/AWSXrayWriteOnlyAccess"
            found["AWSXRayDaemonWriteAccess"] = "arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess"
            return found

    with patch.dict(os.environ, {"AWS_DEFAULT_REGION": "us-east-1"}):
        shown: dict[str, Any] = transform(yaml_parse(text), values, Policies())
    return shown


def test_cfn_lint_finds_nothing() -> None:
    found = lint_file(TEMPLATE, config=ManualArgs(regions=["us-east-1"]))
    assert [str(item) for item in found] == []


def test_sams_own_translator_takes_it() -> None:
    """Functions, API, queue, dead letters, alarms, schedule: all come out as resources."""
    kinds: dict[str, int] = {}
    for resource in translated()["Resources"].values():
        kinds[resource["Type"]] = kinds.get(resource["Type"], 0) + 1
    assert kinds["AWS::Lambda::Function"] == 4
    assert kinds["AWS::Lambda::Url"] == 3
    assert kinds["AWS::ApiGatewayV2::Api"] == 1
    assert kinds["AWS::SQS::Queue"] == 2
    assert kinds["AWS::CloudWatch::Alarm"] == 4
    assert kinds["AWS::Events::Rule"] == 2
    mapping = next(
        item
        for item in translated()["Resources"].values()
        if item["Type"] == "AWS::Lambda::EventSourceMapping"
    )
    assert mapping["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_function_urls_may_be_called() -> None:
    """Each URL needs two permissions; with one alone the platform answers 403 to everybody."""
    resources = translated()["Resources"].values()

    def of(kind: str) -> list[dict[str, Any]]:
        return [item["Properties"] for item in resources if item["Type"] == kind]

    named = [item["TargetFunctionArn"] for item in of("AWS::Lambda::Url")]
    urls = [name["Ref"] if "Ref" in name else name["Fn::GetAtt"][0] for name in named]
    assert set(urls) == {"Proxy", "StreamingProxy", "Control"}
    open_to_all = [item for item in of("AWS::Lambda::Permission") if item["Principal"] == "*"]
    for function in urls:
        found = [item for item in open_to_all if item["FunctionName"] == {"Ref": function}]
        assert {item["Action"] for item in found} == {
            "lambda:InvokeFunctionUrl",
            "lambda:InvokeFunction",
        }
        for item in found:  # neither opens more than the URL
            assert item.get("FunctionUrlAuthType") == "NONE" or item["InvokedViaFunctionUrl"]


def test_the_control_plane_is_open_to_the_network_where_that_was_said() -> None:
    """S7: no default opens it, and with `none` neither URL nor permission for everybody is made;
    the proxies then need another address."""
    text = yaml_parse(TEMPLATE.read_text())
    assert "Default" not in text["Parameters"]["ControlAccess"]
    assert text["Conditions"]["OpenControl"] == {"Fn::Equals": [{"Ref": "ControlAccess"}, "keys"]}
    for name, resource in text["Resources"].items():
        found = resource["Properties"]
        of_control = {"Ref": "Control"} in found.values() or (
            found.get("TargetFunctionArn") == {"Fn::GetAtt": ["Control", "Arn"]}
        )
        if resource["Type"] in {"AWS::Lambda::Url", "AWS::Lambda::Permission"} and of_control:
            assert resource["Condition"] == "OpenControl", name
    rule = text["Rules"]["ProxiesReachAControlPlane"]
    assert rule["RuleCondition"] == {"Fn::Equals": [{"Ref": "ControlAccess"}, "none"]}
    assert rule["Assertions"][0]["Assert"] == {
        "Fn::Not": [{"Fn::Equals": [{"Ref": "ControlUrl"}, ""]}]
    }


def test_roles_grant_no_wildcards() -> None:
    """Least privilege: every action by name, every resource by reference."""
    for name, resource in translated()["Resources"].items():
        if resource["Type"] != "AWS::IAM::Role":
            continue
        for policy in resource["Properties"].get("Policies", []):
            for statement in policy["PolicyDocument"]["Statement"]:
                assert "*" not in json.dumps(statement["Action"]), name
                assert statement["Resource"] != "*", name


def test_what_routes_hand_requests_to_is_granted_by_name() -> None:
    """Each list of its own, to those who sign; the worker sends nothing that makes a message."""
    found = {
        statement["Action"] if isinstance(statement["Action"], str) else "states": (
            statement["Resource"],
            {role["Ref"] for role in resource["Properties"]["Roles"]},
        )
        for resource in translated()["Resources"].values()
        if resource["Type"] == "AWS::IAM::Policy"
        for statement in resource["Properties"]["PolicyDocument"]["Statement"]
    }
    doors = {"ProxyRole", "StreamingProxyRole"}
    assert found == {
        "sqs:SendMessage": ({"Ref": "NewQueues"}, doors),
        "events:PutEvents": ({"Ref": "NewBuses"}, doors),
        "sns:Publish": ({"Ref": "NewTopics"}, doors),
        "states": ({"Ref": "NewWorkflows"}, doors | {"WorkerRole"}),
        "s3:GetObject": ({"Ref": "NewObjects"}, doors | {"WorkerRole"}),
    }


def test_no_secret_is_a_plain_variable() -> None:
    """S7: a value that CloudFormation resolves stands in the function's configuration, in clear."""
    for name, resource in translated()["Resources"].items():
        if resource["Type"] == "AWS::Lambda::Function":
            variables = resource["Properties"].get("Environment", {}).get("Variables", {})
            assert "resolve:" not in json.dumps(variables), name
            plain = {"FIGWAY_DATABASE_URL", "FIGWAY_CONTROL_KEY", "FIGWAY_BOOTSTRAP_PROXY_KEY"}
            assert not plain & set(variables), name


def test_handlers_exist() -> None:
    text = TEMPLATE.read_text()
    handlers = set(re.findall(r"Handler: (\S+)", text))
    docker = (ROOT / "deploy" / "lambda" / "Dockerfile").read_text()
    handlers |= set(re.findall(r'CMD \["([^"]+)"\]', docker))
    assert len(handlers) == 4
    for handler in handlers:
        module, _, name = handler.rpartition(".")
        if module == "proxy.serverless.handler":  # composes a sandbox when it is imported
            assert f"def {name}(" in (ROOT / "proxy/serverless/handler.py").read_text()
        else:
            assert callable(getattr(importlib.import_module(module), name))


def test_images_unpack_what_is_packed_and_start_what_is_in_it(tmp_path: Path) -> None:
    """Each target of the Dockerfile is made of a package of `make package`, by commands that exist.

    The images cannot be built here, but what they run to unpack can.
    """
    text = (ROOT / "deploy" / "lambda" / "Dockerfile").read_text()
    version = re.search(r"^ARG PYTHON=(.+)$", text, flags=re.M)
    assert version is not None
    assert f"Default: python{version[1]}" in TEMPLATE.read_text()
    stages = re.findall(r"^FROM (\S+) AS (\S+)\n((?:(?!FROM).*\n)*)", text, flags=re.M)
    assert [name for _, name, _ in stages] == [
        "unpack",
        "proxy",
        "proxy-streaming",
        "worker",
        "control",
    ]
    assert "COPY build/lambda/ /packages/" in stages[0][2]  # where `make package` writes
    (loop,) = re.findall(r"^RUN (.+)$", stages[0][2], flags=re.M)
    assert set(loop.partition("in ")[2].partition(";")[0].split()) == set(PARTS)
    packages = tmp_path / "packages"
    for part in PARTS:
        folder = tmp_path / part
        copy_packages(PARTS[part][0], folder)
        write_zip(folder, packages / f"{part}.zip")
    command = loop.replace("/packages", str(packages)).replace("/unpacked", str(tmp_path / "out"))
    subprocess.run(["sh", "-ec", command.replace("python3", sys.executable)], check=True)
    for base, name, lines in stages[1:]:
        for part in re.findall(r"COPY --from=unpack /unpacked/(\S+)/ \$", lines):
            assert (part, base.partition(":")[0]) == (name, "public.ecr.aws/lambda/python")
        module = "".join(re.findall(r'"-m", "([^"]+)"', lines)) or "".join(
            re.findall(r'^CMD \["(\S+)\.\w+"\]', lines, flags=re.M)
        )
        part = name.partition("-")[0]
        assert (tmp_path / "out" / part / (module.replace(".", "/") + ".py")).is_file(), name


def test_variables_are_known_settings() -> None:
    """A variable that nobody reads is a mistake in the template."""
    named = set(re.findall(r"\b(FIGWAY_[A-Z_]+):", TEMPLATE.read_text()))
    known = "".join(
        (ROOT / path).read_text()
        for path in ("proxy/serverless/settings.py", "control_plane/settings.py")
    )
    known += "".join(f"FIGWAY_{name.upper()}_SECRET " for name in SECRETS)
    for name in named:
        assert name in known or name.removeprefix("FIGWAY_").lower() in known, name


def test_a_cold_start_imports_nothing_that_it_does_not_use() -> None:
    """trap 62: what is loaded after the handler's import, without a queue and with one."""
    code = "import sys, proxy.serverless.handler; print(' '.join(sys.modules))"
    base = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    never = {"fastapi", "httpx", "pydantic", "sqlalchemy", "boto3", "botocore", "mangum", "uvloop"}
    for extra, also in (
        (
            {},
            {
                "proxy.upstreams.aws_lambda",
                "proxy.capture.capture",
                "proxy.serverless.captures_out",
            },
        ),
        ({"FIGWAY_SHADOW_QUEUE_URL": "http://127.0.0.1:9/q"}, set()),
    ):
        environment = {**base, "FIGWAY_LEGACY_URL": "http://127.0.0.1:9", **extra}
        shown = subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        assert not set(shown.stdout.split()) & (never | also)


def test_both_proxies_are_alike() -> None:
    """Both proxies have the same variables and the same policies."""

    class Loader(yaml.SafeLoader):
        pass

    Loader.add_multi_constructor("!", lambda loader, suffix, node: f"!{suffix}")
    resources = yaml.load(TEMPLATE.read_text(), Loader)["Resources"]
    one, other = resources["Proxy"]["Properties"], resources["StreamingProxy"]["Properties"]
    assert one["Policies"] == other["Policies"]
    more = set(other["Environment"]["Variables"]) - set(one["Environment"]["Variables"])
    assert more == {"AWS_LAMBDA_EXEC_WRAPPER"}
