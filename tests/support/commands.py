"""Runs figway commands as processes, but loads the program once.

A test of the command line starts hundreds of commands, and most of the time of each would go into
importing. This process imports the program, then forks for every command that it is sent: a JSON
object a line on standard input (words, environment, folder, input), one a line on standard output
(code, out, err). Each command runs `main()` in a process of its own, with pipes of its own.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from typing import Any

from control_plane.cli.main import main


def _become(asked: dict[str, Any], streams: list[int]) -> None:
    """In the child: run the command; never returns."""
    code = 70
    try:
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        sys.stdin = os.fdopen(0, "r")
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        os.environ.clear()
        os.environ.update(asked["environment"])
        os.chdir(asked["folder"])
        sys.argv = ["figway", *asked["words"]]
        main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _run(asked: dict[str, Any]) -> dict[str, Any]:
    with (
        tempfile.TemporaryFile() as given,
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
    ):
        given.write(asked["input"].encode())
        given.seek(0)
        child = os.fork()
        if child == 0:
            _become(asked, [given.fileno(), out.fileno(), err.fileno()])
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode())
    return {"code": code, "out": texts[0], "err": texts[1]}


if __name__ == "__main__":
    for line in sys.stdin:
        sys.stdout.write(json.dumps(_run(json.loads(line))) + "\n")
        sys.stdout.flush()
