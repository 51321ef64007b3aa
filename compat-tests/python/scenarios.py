"""What python-socketio's clients are to see of the conformance contract, profile `main`: one coroutine each.

A scenario gets `stage`, whose `client(namespace)` makes a client of the kind and transport under test.
"""

import uuid

import socketio

SCENARIOS = []


def scenario(run):
    """Adds a scenario; the first line of its doc is its title."""
    SCENARIOS.append(run)
    return run


def equal(found, expected):
    if found != expected:
        raise AssertionError(f"expected {expected!r}, found {found!r}")


@scenario
async def connects(stage):
    """connects with auth, over the transport that was asked for"""
    client = await stage.joined(auth={"token": "one", "deep": [1, {"two": None}]})
    equal(await client.next("auth"), [{"token": "one", "deep": [1, {"two": None}]}])
    who = await client.call("whoami")
    equal(who["transport"], stage.ends_as)
    equal(who["protocol"], 4)
    equal(who["id"], client.library.get_sid("/"))


@scenario
async def events(stage):
    """hears events with their arguments, in order"""
    client = await stage.joined()
    await client.emit("message", 1, "zwei, два, 二 🎈", {"three": [True, None, 4.5]}, [])
    equal(await client.next("message-back"), [1, "zwei, два, 二 🎈", {"three": [True, None, 4.5]}, []])
    # The library gives up on a polling payload of more than 16 packets, whoever sends it.
    equal(await client.call("burst", 12), 12)
    equal([(await client.next("tick"))[0] for _ in range(12)], list(range(12)))


@scenario
async def acknowledgements(stage):
    """acknowledges, and is acknowledged"""
    client = await stage.joined()
    equal(await client.call("message-with-ack", "one"), "one")
    equal(tuple(await client.call("message-with-ack", 1, {"b": 2})), (1, {"b": 2}))
    client.answer("question", lambda *args: ("because", len(args)))
    await client.emit("ask", 5000, "why", "not")
    equal(await client.next("question"), ["why", "not"])
    equal(await client.next("answer"), [{"timedOut": False, "args": ["because", 2]}])


@scenario
async def binary(stage):
    """sends and hears bytes, alone, nested and in acknowledgements"""
    client = await stage.joined()
    every = bytes(range(256))
    await client.emit("message", every, {"deep": [b"", {"er": b"\x00\xff"}]}, "text")
    equal(await client.next("message-back"), [every, {"deep": [b"", {"er": b"\x00\xff"}]}, "text"])
    equal(await client.call("bytes", 70_000), b"\xa5" * 70_000)
    equal(await client.call("describe", b"abc", None, [1]), ["bin:3", "null", "array"])
    client.answer("question", lambda data: data + b"!")
    await client.emit("ask", 5000, b"\x01\x02")
    equal(await client.next("answer"), [{"timedOut": False, "args": [b"\x01\x02!"]}])


@scenario
async def large(stage):
    """sends and hears a large message"""
    client = await stage.joined()
    text = "long " * 60_000
    equal(await client.call("message-with-ack", text), text)


@scenario
async def rooms(stage):
    """hears what is for its room, once, and nothing else"""
    speaker, member, stranger = [await stage.joined() for _ in range(3)]
    room = f"room-{uuid.uuid4()}"
    joined = await member.call("join", room)
    equal(sorted(joined), sorted([room, member.library.get_sid("/")]))
    await stranger.call("join", [f"{room}-other", f"{room}-third"])
    selection = {"to": [room, f"{room}-third"], "except": [f"{room}-other"]}
    equal(await speaker.call("relay", selection, "news", "n", b"n"), True)
    equal(await member.next("news"), ["n", b"n"])
    await member.call("leave", room)
    equal(await speaker.call("relay", {"to": [room]}, "news", "late"), True)
    for client in (speaker, member, stranger):
        # Twice, because what the first question overtakes on its way from another core is there before the second answer.
        await client.call("message-with-ack", "settle")
        await client.call("message-with-ack", "settle")
        equal(client.waiting("news"), 0)


@scenario
async def broadcast_with_answers(stage):
    """answers a broadcast that wants acknowledgements"""
    speaker, *members = [await stage.joined() for _ in range(3)]
    room = f"room-{uuid.uuid4()}"
    for number, member in enumerate(members):
        member.answer("count", lambda _, number=number: number)
        await member.call("join", room)
    gathered = await speaker.call("relay", {"to": [room], "timeout": 5000}, "count", "please")
    equal(gathered["timedOut"], False)
    equal(sorted(gathered["responses"]), [0, 1])


@scenario
async def namespaces(stage):
    """joins namespaces: static, dynamic, and one with middlewares"""
    for name in ("/custom", "/dyn-4711"):
        client = await stage.joined(name)
        equal((await client.call("whoami"))["nsp"], name)
    client = await stage.joined("/mw", auth={"token": "ok"})
    equal((await client.call("whoami"))["data"], {"user": "ok"})


@scenario
async def refusal(stage):
    """is told why it is refused"""
    client = stage.client("/mw")
    await refused(client, {"token": "wrong"})
    reason = {"message": "not authorized", "data": {"code": "E_AUTH", "retry": False}}
    equal(await client.next("connect_error"), [reason])
    unknown = stage.client("/nowhere")
    await refused(unknown, None)
    equal(await unknown.next("connect_error"), [{"message": "Invalid namespace"}])


async def refused(client, auth):
    try:
        await client.connect(auth)
    except socketio.exceptions.ConnectionError:
        return
    raise AssertionError("expected a refusal, found a connection")


@scenario
async def disconnects(stage):
    """disconnects, by either side, with the reasons that belong to it"""
    watcher = await stage.joined()
    for leave, reasons in (
        # The library closes its WebSocket without waiting until its DISCONNECT is written.
        (lambda client: client.disconnect(), ("client namespace disconnect", "transport close")),
        (lambda client: client.emit("disconnect-me", False), ("server namespace disconnect",)),
    ):
        tag = str(uuid.uuid4())
        client = await stage.joined(auth={"tag": tag})
        await leave(client)
        await client.next("disconnect")
        reason = await last_reason(watcher, tag)
        if reason not in reasons:
            raise AssertionError(f"expected one of {reasons}, found {reason!r}")


async def last_reason(watcher, tag):
    """The reason of the disconnection that was noted, when it has been."""
    while True:
        entries = await watcher.call("log", tag)
        if entries[-1]["ev"] == "disconnect":
            return entries[-1]["reason"]
