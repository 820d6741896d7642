"""The function host through its Invoke API, with the real runtime client in real processes."""

from __future__ import annotations

import base64
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.new_services.hosts import PROBE, Answer, Host, running


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with running("--layout", str(PROBE)) as host:
        yield host


def _gone(pid: int) -> bool:
    """Whether a process has ended, waiting for it a little."""
    for _ in range(200):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False


def _together(work: list[tuple[Host, str, dict[str, object]]]) -> list[Answer]:
    answers: list[Answer | None] = [None] * len(work)

    def one(place: int) -> None:
        host, name, event = work[place]
        answers[place] = host.invoke(name, event)

    threads = [threading.Thread(target=one, args=(place,)) for place in range(len(work))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [answer for answer in answers if answer is not None]


def test_answers_as_aws_does(host: Host) -> None:
    answer = host.invoke("echo", {"a": [1, "ü"]})
    told = answer.json()
    assert answer.status == 200
    assert answer.headers["x-amz-executed-version"] == "$LATEST"
    assert "x-amz-function-error" not in answer.headers
    assert "x-amz-log-result" not in answer.headers
    assert answer.headers["x-amzn-requestid"] == told["request_id"]
    assert told["event"] == {"a": [1, "ü"]}
    assert told["arn"] == "arn:aws:lambda:eu-central-1:123456789012:function:echo"
    assert 0 < told["remaining"] <= 5000


def test_sets_the_environment_of_the_layout_and_passes_none_of_its_own() -> None:
    with running("--layout", str(PROBE), environ={"SOME_SECRET": "hush"}) as host:
        environment = host.invoke("echo").json()["environment"]
    assert environment["GREETING"] == "hello"
    assert environment["AWS_LAMBDA_FUNCTION_NAME"] == "echo"
    assert environment["AWS_REGION"] == "eu-central-1"
    assert "SOME_SECRET" not in environment


def test_reuses_a_warm_process(host: Host) -> None:
    first, second = host.invoke("echo").json(), host.invoke("echo").json()
    assert first["pid"] == second["pid"]


@pytest.mark.parametrize(
    ("name", "query", "version"),
    [
        ("echo", "?Qualifier=%24LATEST", "$LATEST"),
        ("echo", "?Qualifier=7", "7"),
        ("echo", "?Qualifier=live", "7"),
        ("echo:live", "", "7"),
        ("arn%3Aaws%3Alambda%3Aeu-central-1%3A123456789012%3Afunction%3Aecho%3Alive", "", "7"),
        ("123456789012%3Afunction%3Aecho", "", "$LATEST"),
    ],
)
def test_finds_names_arns_versions_and_aliases(
    host: Host, name: str, query: str, version: str
) -> None:
    answer = host.invoke(name, query=query)
    assert (answer.status, answer.headers["x-amz-executed-version"]) == (200, version)


@pytest.mark.parametrize(("name", "query"), [("nope", ""), ("echo", "?Qualifier=8")])
def test_unknown_function_or_version(host: Host, name: str, query: str) -> None:
    answer = host.invoke(name, query=query)
    assert answer.status == 404
    assert answer.headers["x-amzn-errortype"] == "ResourceNotFoundException"
    assert answer.json()["Message"].startswith("Function not found: arn:aws:lambda:")


def test_dry_run_runs_nothing(host: Host) -> None:
    before = host.stats("speak").get("invocations", 0)
    answer = host.invoke("speak", {"word": "x"}, X_Amz_Invocation_Type="DryRun")
    assert (answer.status, answer.body) == (204, b"")
    assert host.stats("speak").get("invocations", 0) == before


def test_event_is_accepted_at_once_and_runs(host: Host, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    event = {"mark": str(mark), "seconds": 0}
    answer = host.invoke("queue", event, X_Amz_Invocation_Type="Event")
    assert (answer.status, answer.body) == (202, b"")
    for _ in range(250):
        if mark.exists():
            break
        time.sleep(0.02)
    assert mark.read_text() == "ran\n"


def test_log_tail(host: Host) -> None:
    answer = host.invoke("speak", {"word": "hail"}, X_Amz_Log_Type="Tail")
    log = base64.b64decode(answer.headers["x-amz-log-result"]).decode()
    request_id = answer.headers["x-amzn-requestid"]
    assert log.startswith(f"START RequestId: {request_id} Version: $LATEST\n")
    assert "heard hail\n" in log
    assert f"REPORT RequestId: {request_id}\tDuration: " in log


def test_client_context_reaches_the_function(host: Host) -> None:
    context = base64.b64encode(b'{"custom": {"a": "b"}}').decode()
    assert host.invoke("echo", X_Amz_Client_Context=context).json()["client"] == {"a": "b"}


def test_function_error_keeps_the_process(host: Host) -> None:
    answer = host.invoke("fail")
    assert answer.status == 200
    assert answer.headers["x-amz-function-error"] == "Unhandled"
    assert answer.json()["errorType"] == "KeyError"
    assert answer.json()["errorMessage"] == "'missing thing'"
    assert host.invoke("fail").json()["errorType"] == "KeyError"
    assert host.stats("fail")["cold_starts"] == 1


def test_exit_is_an_error_and_the_next_start_is_cold(host: Host) -> None:
    answer = host.invoke("leave")
    assert answer.headers["x-amz-function-error"] == "Unhandled"
    assert answer.json()["errorType"] == "Runtime.ExitError"
    assert answer.json()["errorMessage"].endswith("Runtime exited with error: exit status 3")
    assert host.invoke("leave").json()["errorType"] == "Runtime.ExitError"
    assert host.stats("leave")["cold_starts"] == 2


def test_killed_while_idle_restarts(host: Host) -> None:
    pid = host.invoke("echo").json()["pid"]
    os.kill(pid, signal.SIGKILL)
    assert _gone(pid)
    answer = host.invoke("echo")
    assert answer.status == 200
    assert answer.json()["pid"] != pid


def test_import_error(host: Host) -> None:
    answer = host.invoke("missing")
    assert answer.headers["x-amz-function-error"] == "Unhandled"
    assert answer.json()["errorType"] == "Runtime.ImportModuleError"


def test_timeout_kills_the_process_and_answers_like_aws(host: Host) -> None:
    pid = host.invoke("sleep", {"seconds": 0}).json()["pid"]
    answer = host.invoke("sleep", {"seconds": 30})
    assert answer.status == 200
    assert answer.headers["x-amz-function-error"] == "Unhandled"
    assert answer.json()["errorMessage"].endswith("Task timed out after 0.50 seconds")
    assert _gone(pid)
    assert host.invoke("sleep", {"seconds": 0}).json()["pid"] != pid


def test_memory_limit_kills(host: Host) -> None:
    answer = host.invoke("hog")
    assert answer.headers["x-amz-function-error"] == "Unhandled"
    assert answer.json()["errorMessage"].endswith("Runtime exited with error: signal: killed")


def test_reserved_concurrency_throttles(host: Host) -> None:
    answers = _together([(host, "busy", {"seconds": 1})] * 5)
    statuses = sorted(answer.status for answer in answers)
    assert statuses == [200, 200, 429, 429, 429]
    refused = next(answer for answer in answers if answer.status == 429)
    assert refused.headers["x-amzn-errortype"] == "TooManyRequestsException"
    assert refused.headers["retry-after"] == "1"
    assert refused.json()["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"


def test_more_requests_than_processes_wait_in_line(host: Host) -> None:
    answers = _together([(host, "queue", {"seconds": 0.05})] * 6)
    assert [answer.status for answer in answers] == [200] * 6
    assert len({answer.json()["pid"] for answer in answers}) == 1


def test_waiting_requests_survive_a_crash(host: Host) -> None:
    host.invoke("queue", {"seconds": 0})
    host.fault(function="queue", kind="crash", times=1)
    answers = _together([(host, "queue", {"seconds": 0.1})] * 4)
    failed = [answer for answer in answers if "x-amz-function-error" in answer.headers]
    assert len(failed) == 1
    assert all(answer.status == 200 for answer in answers)


def test_request_too_large(host: Host) -> None:
    body = b'"' + b"x" * 6_291_456 + b'"'
    answer = host.send("POST", "/2015-03-31/functions/echo/invocations", body)
    assert answer.status == 413
    assert answer.headers["x-amzn-errortype"] == "RequestTooLargeException"
    body = b'"' + b"x" * 1_048_576 + b'"'
    headers = {"X-Amz-Invocation-Type": "Event"}
    answer = host.send("POST", "/2015-03-31/functions/echo/invocations", body, headers)
    assert answer.status == 413


def test_response_too_large_and_just_within(host: Host) -> None:
    answer = host.invoke("big", {"size": 6_291_556 - 1})  # two quotes put it over
    assert answer.headers["x-amz-function-error"] == "Unhandled"
    assert answer.json()["errorType"] == "Function.ResponseSizeTooLarge"
    answer = host.invoke("big", {"size": 6_291_556 - 2})
    assert "x-amz-function-error" not in answer.headers
    assert len(answer.body) == 6_291_556


def test_body_that_is_not_json(host: Host) -> None:
    answer = host.send("POST", "/2015-03-31/functions/echo/invocations", b"{nope")
    assert answer.status == 400
    assert answer.headers["x-amzn-errortype"] == "InvalidRequestContentException"


def test_faults(host: Host, tmp_path: Path) -> None:
    host.fault(function="echo", kind="throttle", times=1)
    assert host.invoke("echo").status == 429
    host.fault(function="echo", kind="service", times=1)
    assert host.invoke("echo").headers["x-amzn-errortype"] == "ServiceException"
    host.fault(function="echo", kind="reset", times=1)
    with pytest.raises((ConnectionError, OSError)):
        host.invoke("echo")
    mark = tmp_path / "mark"
    host.fault(function="sleep", kind="hang", times=1)
    answer = host.invoke("sleep", {"seconds": 0, "mark": str(mark)})
    assert "Task timed out" in answer.json()["errorMessage"]
    assert not mark.exists()
    host.fault(function="sleep", kind="lost", times=1)
    answer = host.invoke("sleep", {"seconds": 0, "mark": str(mark)})
    assert "Task timed out" in answer.json()["errorMessage"]
    assert mark.read_text() == "ran\n"
    host.fault(function="sleep", kind="crash", times=1)
    answer = host.invoke("sleep", {"seconds": 0, "mark": str(mark)})
    assert answer.json()["errorType"] == "Runtime.ExitError"
    assert mark.read_text() == "ran\nran\n"
    assert host.invoke("sleep", {"seconds": 0}).status == 200


def test_a_fault_that_does_not_exist_is_refused(host: Host) -> None:
    answer = host.send("POST", "/host/faults", json.dumps({"kind": "plague"}).encode())
    assert answer.status == 400
    assert "throttle" in answer.json()["message"]


def test_sigterm_stops_everything_at_once() -> None:
    with running("--layout", str(PROBE)) as host:
        pids = [
            host.invoke("echo").json()["pid"],
            host.invoke("queue", {"seconds": 0}).json()["pid"],
        ]
        host.process.send_signal(signal.SIGTERM)
        assert host.process.wait(5) == 0
        assert all(_gone(pid) for pid in pids)


def test_functions_do_not_outlive_a_killed_host() -> None:
    with running("--layout", str(PROBE)) as host:
        pid = host.invoke("echo").json()["pid"]
        host.process.kill()
        assert _gone(pid)
