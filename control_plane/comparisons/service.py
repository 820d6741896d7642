"""Comparisons for the endpoints, the console and rollouts: the parts, put together."""

from __future__ import annotations

from dataclasses import dataclass

from control_plane.comparisons.export import Exports
from control_plane.comparisons.ingest import BatchIngest
from control_plane.comparisons.previews import Previews
from control_plane.comparisons.replay_jobs import ReplayJobs
from control_plane.comparisons.retention import Retention
from control_plane.comparisons.stored_pairs import StoredPairs
from control_plane.comparisons.views import EvidenceViews
from control_plane.publishing.hub import Hub


@dataclass(frozen=True)
class ComparisonService:
    """What shadowing has shown, by what is done with it."""

    live: Hub
    """Feeds `GET /comparisons/live`."""
    ingest: BatchIngest
    views: EvidenceViews
    pairs: StoredPairs
    previews: Previews
    exports: Exports
    replays: ReplayJobs
    retention: Retention
