"""What tells what runs: a cluster, or what kubectl printed of one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from builder.cluster.connect import Address
    from builder.cluster.documents import Document
    from builder.drift.model import Cluster


def make_cluster(address: Address, documents: Sequence[Document]) -> Cluster:
    """Set up a cluster: what was printed of one where there is anything printed, else its API.

    Raises:
        ClusterError: it cannot be found.
    """
    if documents:
        from builder.cluster.documents import PrintedCluster

        return PrintedCluster(address.name, documents)
    from builder.cluster.connect import connect

    return connect(address, os.environ, Path.home())
