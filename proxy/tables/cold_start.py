"""A start without the control plane: the last good table of the disk, if there is one of use."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from proxy.loop.events import EventLog
from proxy.tables.check import Checker, RefusedTable, Served
from proxy.tables.last_good import CorruptTable, LastGood


async def stored_table(
    last_good: LastGood, checker: Checker, log: EventLog, refuse: Callable[[RefusedTable], None]
) -> Served | None:
    """The table that was kept last, checked anew; None, and a line in the log, if none can serve.

    A table that the checks refuse is handed to `refuse`.
    """
    try:
        stored = await asyncio.to_thread(last_good.load)
        if stored is None:
            log.warning(
                "no_table",
                "No table from the control plane, and none on disk: answering 503 until one comes.",
            )
            return None
        served = await asyncio.to_thread(checker.stored, stored.revision, stored.etag, stored.table)
    except CorruptTable as error:
        log.error("last_good_corrupt", f"{error}.")
    except OSError as error:
        log.error("last_good_unreadable", f"{last_good.path} cannot be read: {error.strerror}.")
    except RefusedTable as refused:
        log.error("last_good_refused", f"The last good table is of no use: {refused}.")
        refuse(refused)
    else:
        log.warning(
            "serving_last_good",
            f"Serving revision {stored.revision} from disk until the control plane answers.",
        )
        return served
    return None
