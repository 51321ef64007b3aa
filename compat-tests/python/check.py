"""Runs every scenario with both of python-socketio's clients over each transport, all at once.

    python check.py URL

One line of JSON for each: {"name", "error"}. Not a test runner: tests/python.test.mjs counts the lines.
"""

import asyncio
import json
import sys

from clients import FACES
from scenarios import SCENARIOS

TRANSPORTS = {"websocket": ["websocket"], "polling": ["polling"], "upgrade": ["polling", "websocket"]}
RUN_S_MAX = 25
"""The longest a scenario may take, whatever it waits for."""


class Stage:
    """Makes the clients of one scenario, and ends them."""

    def __init__(self, url, face, transport):
        self.url, self.face, self.transport = url, face, transport
        self.ends_as = "polling" if transport == "polling" else "websocket"
        self.clients = []

    def client(self, namespace="/"):
        client = self.face(self.url, TRANSPORTS[self.transport], namespace)
        self.clients.append(client)
        return client

    async def joined(self, namespace="/", auth=None):
        client = self.client(namespace)
        await client.connect(auth)
        return client

    async def end(self):
        for client in self.clients:
            await client.disconnect()


async def run(url, face, transport, scenario):
    stage = Stage(url, face, transport)
    error = None
    try:
        async with asyncio.timeout(RUN_S_MAX):
            await scenario(stage)
            await stage.end()
    except Exception as failure:  # whatever it is: it is reported, and the others go on
        error = f"{type(failure).__name__}: {failure}"
    print(json.dumps({"name": f"{face.kind}, {transport}: {scenario.__doc__}", "error": error}), flush=True)


async def main(url):
    combinations = [(face, transport, scenario) for face in FACES for transport in TRANSPORTS for scenario in SCENARIOS]
    await asyncio.gather(*(run(url, *combination) for combination in combinations))


asyncio.run(main(sys.argv[1]))
