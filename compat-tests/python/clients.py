"""python-socketio's two clients behind one face: what they hear is kept in order, and every wait is bounded.

Not a client of its own: connecting, emitting and acknowledging is all done by the library's public API.
"""

import asyncio

import socketio

WAIT_S_MAX = 5
"""The longest wait for one event; only a failure ever takes this long."""


class Face:
    """What scenarios see: coroutines only, whichever client is behind them."""

    library = None

    def __init__(self, url, transports, namespace="/"):
        self.url, self.transports, self.namespace = url, transports, namespace
        self.loop = asyncio.get_running_loop()
        self.heard = {}

    def next(self, name):
        """Resolves with the arguments of the next event of that name."""
        return asyncio.wait_for(self._queue(name).get(), WAIT_S_MAX)

    def waiting(self, name):
        """How many events of that name nobody has taken."""
        return self._queue(name).qsize()

    def _hear(self, name, args):
        self._queue(name).put_nowait(list(args))

    def _queue(self, name):
        return self.heard.setdefault(name, asyncio.Queue())

    def _connection(self, auth):
        return {
            "url": self.url,
            "auth": auth,
            "transports": self.transports,
            "namespaces": [self.namespace],
            "wait_timeout": WAIT_S_MAX,
        }


class AsyncFace(Face):
    """socketio.AsyncClient."""

    kind = "async client"

    def __init__(self, *args):
        super().__init__(*args)
        self.library = socketio.AsyncClient(reconnection=False)
        for name in ("connect", "disconnect", "connect_error"):
            self.library.on(name, self._listener(name), namespace=self.namespace)
        self.library.on("*", self._on_any, namespace=self.namespace)

    def answer(self, name, answer):
        """Acknowledges every event of that name with what `answer` makes of its arguments."""

        async def handler(*args):
            self._hear(name, args)
            return answer(*args)

        self.library.on(name, handler, namespace=self.namespace)

    async def connect(self, auth=None):
        await self.library.connect(**self._connection(auth))

    async def emit(self, name, *args):
        await self.library.emit(name, args, namespace=self.namespace)

    async def call(self, name, *args):
        return await self.library.call(name, args, namespace=self.namespace, timeout=WAIT_S_MAX)

    async def disconnect(self):
        await self.library.disconnect()

    def _listener(self, name):
        async def listen(*args):
            self._hear(name, args)

        return listen

    async def _on_any(self, name, *args):
        self._hear(name, args)


class SyncFace(Face):
    """socketio.Client, whose calls block: each goes to a thread, and what it hears comes back to the loop."""

    kind = "sync client"

    def __init__(self, *args):
        super().__init__(*args)
        self.library = socketio.Client(reconnection=False)
        for name in ("connect", "disconnect", "connect_error"):
            self.library.on(name, self._listener(name), namespace=self.namespace)
        self.library.on("*", self._forward, namespace=self.namespace)

    def answer(self, name, answer):
        """Acknowledges every event of that name with what `answer` makes of its arguments."""

        def handler(*args):
            self._forward(name, *args)
            return answer(*args)

        self.library.on(name, handler, namespace=self.namespace)

    async def connect(self, auth=None):
        await asyncio.to_thread(self.library.connect, **self._connection(auth))

    async def emit(self, name, *args):
        await asyncio.to_thread(self.library.emit, name, args, namespace=self.namespace)

    async def call(self, name, *args):
        return await asyncio.to_thread(
            self.library.call, name, args, namespace=self.namespace, timeout=WAIT_S_MAX
        )

    async def disconnect(self):
        await asyncio.to_thread(self.library.disconnect)

    def _listener(self, name):
        def listen(*args):
            self._forward(name, *args)

        return listen

    def _forward(self, name, *args):
        self.loop.call_soon_threadsafe(self._hear, name, args)


FACES = (AsyncFace, SyncFace)
