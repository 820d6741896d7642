"""`python -m new_services.cloud.template`: writes deploy/shop/template.yaml from the two layouts.

The functions, queues, rules and workflows of functions.toml and resources.toml as a SAM template:
what runs locally is what is deployed. Source: AWS SAM template specification.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from new_services.cloud import resources
from new_services.cloud.resources import Queue, Workflow
from new_services.host import layout
from new_services.host.layout import Function

_ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = _ROOT / "deploy" / "shop" / "template.yaml"
_LAYOUT = Path(__file__).resolve().parents[1] / "functions.toml"
_MOUNT = "/mnt/shop"
_HEAD = """# Written by `python -m new_services.cloud.template` from two layouts of new_services.
#   pip install --target build/shop graphql-core && cp -r new_services build/shop/
#   sam deploy --template deploy/shop/template.yaml --guided
"""

Json = dict[str, Any]
_VARIABLES = {
    "LEGACY_URL": "@LegacyUrl",
    "DATA_DIR": _MOUNT,
    "DIFFERENCES_FILE": f"{_MOUNT}/differences.json",
    "WEBHOOK_SECRET": "@WebhookSecret",
    "EVENT_BUS": "@Bus",
    "AWS_URL": "",
    "AWS_KEY_ID": "",
    "AWS_KEY": "",
}


def template() -> Json:
    """The whole template."""
    deployed, beside = layout.load(_LAYOUT, _VARIABLES), resources.load()
    made: Json = {**_storage(beside.bucket), "Bus": _bus(beside.bus), "Front": _front()}
    for queue in beside.queues:
        made |= _queue(queue)
    for function in deployed.functions.values():
        made[name_of(function.name)] = _function(function)
    for workflow in beside.workflows:
        made[name_of(workflow.name) + "Workflow"] = _workflow(workflow)
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Transform": "AWS::Serverless-2016-10-31",
        "Description": "The shop's new side - functions, queues, bus, workflow, bucket.",
        "Parameters": _parameters(),
        "Globals": {"Function": _globals()},
        "Resources": made,
        "Outputs": {"FrontUrl": {"Value": {"Fn::GetAtt": ["Front", "ApiEndpoint"]}}},
    }


def name_of(name: str) -> str:
    """`saga-hold` as `SagaHold`."""
    return "".join(part.capitalize() for part in name.split("-"))


def _parameters() -> Json:
    text = {"Type": "String"}
    return {
        "LegacyUrl": {**text, "Description": "Base URL of the old shop, whose outbox is read."},
        "WebhookSecret": {**text, "NoEcho": True, "Description": "whsec_ secret of the payments."},
        "Subnets": {
            "Type": "List<AWS::EC2::Subnet::Id>",
            "Description": "Private subnets with a way to AWS's APIs and to legacy.",
        },
        "SecurityGroup": {
            "Type": "AWS::EC2::SecurityGroup::Id",
            "Description": "Lets functions reach the file system (2049) and go out.",
        },
    }


def _globals() -> Json:
    return {
        "Runtime": "python3.13",
        "Architectures": ["arm64"],
        "CodeUri": "../../build/shop/",
        "Tracing": "Active",
        "VpcConfig": {
            "SubnetIds": {"Ref": "Subnets"},
            "SecurityGroupIds": [{"Ref": "SecurityGroup"}],
        },
    }


def _storage(bucket: str) -> Json:
    """The file system of the read model, and the bucket that browsers read from."""
    posix = {"Uid": "1000", "Gid": "1000"}
    return {
        "Files": {"Type": "AWS::EFS::FileSystem", "Properties": {"Encrypted": True}},
        "Access": {
            "Type": "AWS::EFS::AccessPoint",
            "Properties": {
                "FileSystemId": {"Ref": "Files"},
                "PosixUser": posix,
                "RootDirectory": {
                    "Path": "/shop",
                    "CreationInfo": {"OwnerUid": "1000", "OwnerGid": "1000", "Permissions": "750"},
                },
            },
        },
        "Mount": {
            "Type": "AWS::EFS::MountTarget",
            "Properties": {
                "FileSystemId": {"Ref": "Files"},
                "SubnetId": {"Fn::Select": [0, {"Ref": "Subnets"}]},
                "SecurityGroups": [{"Ref": "SecurityGroup"}],
            },
        },
        "Brochures": {
            "Type": "AWS::S3::Bucket",
            "Properties": {"BucketName": {"Fn::Sub": f"{bucket}-${{AWS::AccountId}}"}},
        },
    }


def _bus(name: str) -> Json:
    return {"Type": "AWS::Events::EventBus", "Properties": {"Name": name}}


def _front() -> Json:
    return {"Type": "AWS::Serverless::HttpApi", "Properties": {"StageName": "$default"}}


def _queue(queue: Queue) -> Json:
    own = name_of(queue.name) + "Queue"
    dead = name_of(queue.dead_letters) + "Queue"
    # On AWS a message stays away six times as long as its function may run, as Lambda asks for.
    properties: Json = {
        "QueueName": queue.name,
        "VisibilityTimeout": max(60, 6 * queue.visibility),
        "RedrivePolicy": {
            "deadLetterTargetArn": {"Fn::GetAtt": [dead, "Arn"]},
            "maxReceiveCount": queue.attempts,
        },
    }
    made: Json = {own: {"Type": "AWS::SQS::Queue", "Properties": properties}}
    if not queue.dead:
        kept = {"QueueName": queue.dead_letters, "MessageRetentionPeriod": 1209600}
        made[dead] = {"Type": "AWS::SQS::Queue", "Properties": kept}
    if queue.events:
        made |= _rule(queue, own)
    return made


def _rule(queue: Queue, own: str) -> Json:
    arn = {"Fn::GetAtt": [own, "Arn"]}
    rule = name_of(queue.name) + "Rule"
    pattern = {"source": ["wayfarer"], "detail-type": list(queue.events)}
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": [rule, "Arn"]}}},
    }
    return {
        rule: {
            "Type": "AWS::Events::Rule",
            "Properties": {
                "EventBusName": {"Ref": "Bus"},
                "EventPattern": pattern,
                "Targets": [{"Id": queue.name, "Arn": arn}],
            },
        },
        rule + "Policy": {
            "Type": "AWS::SQS::QueuePolicy",
            "Properties": {
                "Queues": [{"Ref": own}],
                "PolicyDocument": {"Version": "2012-10-17", "Statement": [statement]},
            },
        },
    }


def _function(function: Function) -> Json:
    properties: Json = {
        "FunctionName": function.name,
        "Handler": function.handler,
        "Timeout": int(function.timeout),
        "MemorySize": function.memory,
        "Environment": {"Variables": _environment(function)},
        "FileSystemConfigs": [{"Arn": {"Fn::GetAtt": ["Access", "Arn"]}, "LocalMountPath": _MOUNT}],
    }
    if function.concurrency == 1:
        properties["ReservedConcurrentExecutions"] = 1
    if statements := [_statement(need) for need in function.needs]:
        policy = {"Version": "2012-10-17", "Statement": statements}
        properties["Policies"] = ["AWSLambdaVPCAccessExecutionRole", policy]
    if events := _events(function):
        properties["Events"] = events
    return {"Type": "AWS::Serverless::Function", "DependsOn": "Mount", "Properties": properties}


def _environment(function: Function) -> Json:
    told = {name: value for name, value in function.environment.items() if value}
    references = {
        name: {"Ref": value[1:]} if value.startswith("@") else value for name, value in told.items()
    }
    return {**references, "AWS_ACCOUNT": {"Ref": "AWS::AccountId"}, "JOURNAL_MODE": "DELETE"}


def _statement(need: str) -> Json:
    kind, _, name = need.partition(":")
    if kind == "events":
        action, where = "events:PutEvents", {"Fn::GetAtt": ["Bus", "Arn"]}
    elif kind == "queue":
        action, where = "sqs:SendMessage", {"Fn::GetAtt": [name_of(name) + "Queue", "Arn"]}
    else:
        action, where = "lambda:InvokeFunction", {"Fn::GetAtt": [name_of(name), "Arn"]}
    return {"Effect": "Allow", "Action": action, "Resource": where}


def _events(function: Function) -> Json:
    events: Json = {}
    if function.queue:
        events["Messages"] = {"Type": "SQS", "Properties": _mapping(function)}
    if function.schedule is not None:
        # The shortest that there is.
        events["Schedule"] = {"Type": "Schedule", "Properties": {"Schedule": "rate(1 minute)"}}
    for number, served in enumerate(function.serves):
        method, _, path = served.partition(" ")
        route = {"ApiId": {"Ref": "Front"}, "Method": method, "Path": path}
        events[f"Route{number}"] = {"Type": "HttpApi", "Properties": route}
    return events


def _mapping(function: Function) -> Json:
    return {
        "Queue": {"Fn::GetAtt": [name_of(function.queue) + "Queue", "Arn"]},
        "BatchSize": function.batch,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "ScalingConfig": {"MaximumConcurrency": max(2, function.environments)},
    }


def _workflow(workflow: Workflow) -> Json:
    arns = {
        placeholder: {"Fn::GetAtt": [name_of(name), "Arn"]}
        for placeholder, name in workflow.functions.items()
    }
    invoke = [{"LambdaInvokePolicy": {"FunctionName": n}} for n in workflow.functions.values()]
    return {
        "Type": "AWS::Serverless::StateMachine",
        "Properties": {
            "Name": workflow.name,
            "Type": "EXPRESS",
            "DefinitionUri": f"../../new_services/{workflow.definition}",
            "DefinitionSubstitutions": arns,
            "Policies": invoke,
        },
    }


def text() -> str:
    """The file: YAML, of which JSON is a part."""
    return _HEAD + json.dumps(template(), indent=2) + "\n"


def main() -> int:
    """Write the template; with --check, exit code 1 when the file is not what would be written."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    if parser.parse_args().check:
        return 0 if TEMPLATE.read_text(encoding="utf-8") == text() else 1
    TEMPLATE.parent.mkdir(parents=True, exist_ok=True)
    TEMPLATE.write_text(text(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
