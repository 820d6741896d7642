"""The command line's own HTTP client, against a server of sockets."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator

import pytest
import typer

from control_plane.cli import main
from control_plane.cli.client import Api
from control_plane.cli.errors import CliError, Exit
from control_plane.cli.http import ApiClient, NoApiAnswer

Serve = Callable[[bytes], str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Answers each connection with these bytes, and closes; its URL. `asked` holds requests."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        answers: list[bytes] = []

        def run() -> None:
            while True:
                try:
                    peer, _ = listener.accept()
                except OSError:
                    return
                with peer:
                    asked.append(peer.recv(65_536))
                    peer.sendall(answers[0])

        thread = threading.Thread(target=run, daemon=True)
        thread.start()

        def begin(answer: bytes) -> str:
            answers[:] = [answer]
            asked.clear()
            return f"http://127.0.0.1:{listener.getsockname()[1]}"

        yield begin
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


asked: list[bytes] = []
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\nETag: x\r\n\r\n"


def test_a_call_says_what_the_api_reads(serve: Serve) -> None:
    """use 16: names and values of a query are encoded, true is `true`, what is None is not sent."""
    api = Api(serve(OK + b'{"a": "b"}'[:9] + b""), "key")
    client = ApiClient(api.url, {"figway-source": "cli"}, 5)
    answer = client.request(
        "POST", "/x", query={"reason": "a b&c", "merge": True, "confirm": None}, content=b"{}"
    )
    head = asked[0].decode()
    assert head.startswith("POST /x?reason=a+b%26c&merge=true HTTP/1.1")
    assert "Content-Length: 2" in head
    assert (answer.status, answer.headers["etag"], answer.content) == (200, "x", b'{"a": "b"')


def test_lines_of_a_stream(serve: Serve) -> None:
    url = serve(b"HTTP/1.1 200 OK\r\nFigway-Api: v1\r\n\r\ndata: 1\n\ndata: 2\r\n")
    assert list(Api(url, "").lines("/stream")) == ["data: 1", "", "data: 2"]


@pytest.mark.parametrize(
    "answer",
    [b"", b"no HTTP at all\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\ncut off"],
)
def test_what_is_no_answer_is_unreachable(serve: Serve, answer: bytes) -> None:
    """use 5: one line with the next step, whatever stands at that address."""
    with pytest.raises(CliError) as told:
        Api(serve(answer), "key").get("/routes")
    assert told.value.code is Exit.UNREACHABLE
    assert "does not answer" in told.value.message


def test_what_is_no_control_plane_is_named(serve: Serve) -> None:
    """use 5: the facade answered, or something between."""
    url = serve(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno")
    with pytest.raises(CliError, match="is not a control plane") as told:
        Api(url, "key").get("/routes")
    assert told.value.code is Exit.UNREACHABLE


@pytest.mark.parametrize("content", [b'{"path": "/api/v1/routes"}', b"[]", b"<p>hello</p>", b""])
def test_an_application_that_answers_all_is_no_control_plane(serve: Serve, content: bytes) -> None:
    """M1: the address of the facade, or of the application, ended in a traceback."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    api = Api(serve(head % len(content) + content), "key")
    for ask in (
        lambda: api.get("/routes"),
        lambda: api.call("POST", "/routes/orders/flip", {}),
        lambda: api.send_document("/table/apply", b"", "application/yaml"),
        lambda: list(api.lines("/stream")),
    ):
        with pytest.raises(CliError, match="answers 200, and is not a control plane") as told:
            ask()
        assert told.value.code is Exit.UNREACHABLE


def test_the_metrics_port_is_no_control_plane(serve: Serve) -> None:
    """It answers as the control plane would, of a path that it has not."""
    body = b'{"type":"urn:figway:problem:not_found","title":"Nothing here","status":404}'
    head = b"HTTP/1.1 404 Not Found\r\nContent-Type: application/problem+json\r\n"
    url = serve(head + b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
    with pytest.raises(CliError, match="is not a control plane") as told:
        Api(url, "key").get("/routes")
    assert "metrics" in told.value.hint


def test_ctrl_c_does_not_deny_what_was_sent(
    serve: Serve, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`figway flip --wait`, stopped while it waited, said "nothing was changed"."""
    for method, said in (("GET", "nothing was changed"), ("POST", "may be done all the same")):
        monkeypatch.setattr(Api, "asked_for_change", False)
        url = serve(b"HTTP/1.1 200 OK\r\nFigway-Api: v1\r\nContent-Length: 0\r\n\r\n")

        def stopped(*_: object, url: str = url, method: str = method) -> list[str]:
            Api(url, "").call(method, "/routes")
            raise typer.Abort

        monkeypatch.setattr(main, "shared_first", stopped)
        with pytest.raises(SystemExit) as ended:
            main.main()
        assert ended.value.code == Exit.FAILED
        assert said in capsys.readouterr().err


@pytest.mark.parametrize("url", ["http://", "http://host:99999", "http://h ost", "http://h\xf6st"])
def test_what_is_no_url_is_said(url: str) -> None:
    with pytest.raises(CliError) as told:
        Api(url, "")
    assert told.value.code is Exit.USAGE


def test_silence_ends() -> None:
    """A control plane that hangs: the command ends, and says so."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = ApiClient(f"http://127.0.0.1:{listener.getsockname()[1]}", {}, 0.1)
        with pytest.raises(NoApiAnswer, match="in time"):
            client.request("GET", "/", query={})


@pytest.mark.parametrize(("method", "doubtful"), [("GET", False), ("POST", True)])
def test_what_may_have_been_done_is_said_so(method: str, doubtful: bool) -> None:
    """B3: nobody knows what became of a press that was not answered; `kill off` in a database that
    hung was done when it went on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        api = Api(f"http://127.0.0.1:{listener.getsockname()[1]}", "key", timeout=0.1)
        with pytest.raises(CliError) as told:
            api.call(method, "/kill")
    assert told.value.code is Exit.UNREACHABLE
    assert ("not known whether it has done this" in told.value.message) is doubtful


def test_what_was_never_asked_is_not_in_doubt() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(CliError) as told:
        Api(f"http://127.0.0.1:{port}", "key").call("POST", "/kill", {"on": True})
    assert "not known" not in told.value.message


def test_of_several_the_next_is_asked(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """B3: the one that was named hangs, or is gone: `kill on` waited for it, and told of the host
    alone."""
    monkeypatch.setattr("control_plane.cli.client.NEXT_S", 0.2)
    good = serve(
        b"HTTP/1.1 200 OK\r\nFigway-Api: 1\r\nContent-Type: application/json\r\n"
        b'Content-Length: 8\r\n\r\n{"on":1}'
    )
    with socket.create_server(("127.0.0.1", 0)) as hangs:
        silent = f"http://127.0.0.1:{hangs.getsockname()[1]}"
        for first in (silent, "http://127.0.0.1:1"):
            api = Api(f"{first}/, {good}", "key")
            assert api.call("POST", "/kill", {"on": True}, again=True)[0] == {"on": 1}
            assert api.url == good, "the rest of the command asks it, too"
            Api(f"{first}/, {good}", "key").wake(0.1)
            assert Api(f"{first},{good}", "key").get("/kill") == {"on": 1}
        api = Api(f"{silent},{good}", "key", timeout=5)
        assert api.call("POST", "/routes/a/flip", {})[0] == {"on": 1}, "by one that is awake"
        asked.clear()
        with pytest.raises(CliError, match="does not answer"):
            Api(f"{silent},{silent}", "key", timeout=0.2).call("POST", "/routes/a/flip", {})
        assert not asked
        dead = "http://127.0.0.1:1"
        with pytest.raises(CliError, match=r"127.0.0.1:1 .*not known whether"):
            Api(f"{silent},{dead}", "key", timeout=0.5).call("POST", "/kill", {}, again=True)
    with pytest.raises(CliError, match="not a URL"):
        Api(f"{good},example.org", "key")
