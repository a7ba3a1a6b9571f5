"""Serves kmock's emulator of a cluster on the loopback and says on which port; run by the Python that kmock is installed in."""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import Any


async def main() -> None:
    """Serve until the process is ended."""
    kmock: Any = import_module("kmock")
    handler = kmock.KubernetesEmulator()
    handler.resources["batch/v1/jobs"] = {}
    handler.resources["v1/configmaps"] = {}
    handler.resources["v1/pods"] = {}
    async with handler, kmock.Server(handler, host="127.0.0.1") as server:
        print(f"listening on 127.0.0.1:{server.port}", flush=True)  # noqa: T201
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
