"""One client of a public library (matrix-nio), as the tests drive it.

    python nio_client.py HOMESERVER USER PASSWORD

Logs in, then syncs for ever. Says in lines of JSON what it is told: {"login": …}, for each sync {"presence": [[user,
state, text], …], "events": [[room, event id, body], …], "next_batch": …}. Takes lines of JSON on stdin: {"presence":
state, "text": text}, {"send": text, "room": room}. Ends with stdin, or with {"failed": …} where a sync failed.
"""

import asyncio
import json
import sys

from nio import AsyncClient, AsyncClientConfig, LoginError, SyncError

TIMEOUT_MILLISECONDS = 5_000


def say(**what):
    print(json.dumps(what), flush=True)


async def obey(client):
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        order = json.loads(line)
        if "presence" in order:
            answer = await client.set_presence(order["presence"], order.get("text"))
        else:
            content = {"msgtype": "m.text", "body": order["send"]}
            answer = await client.room_send(order["room"], "m.room.message", content)
        say(done=order, answer=str(answer))


async def follow(client):
    """Until a sync fails: a client that goes on would hide that it did."""
    since = None
    while True:
        try:
            answer = await client.sync(timeout=TIMEOUT_MILLISECONDS, since=since)
        except Exception as error:
            return say(failed=f"{type(error).__name__}: {error}")
        if isinstance(answer, SyncError):
            return say(failed=f"{answer.status_code} {answer.message}")
        since = answer.next_batch
        say(
            next_batch=since,
            presence=[[event.user_id, event.presence, event.status_msg] for event in answer.presence_events],
            events=[
                [room, event.event_id, event.source.get("content", {}).get("body")]
                for room, joined in answer.rooms.join.items()
                for event in joined.timeline.events
            ],
        )


async def main(homeserver, user, password):
    # Failures are said, not hidden by tries of the library's own.
    config = AsyncClientConfig(max_limit_exceeded=0, max_timeouts=0)
    client = AsyncClient(homeserver, user, config=config)
    try:
        answer = await client.login(password)
        if isinstance(answer, LoginError):
            say(failed=f"login: {answer.message}")
            return 1
        say(login=answer.user_id, device=answer.device_id, token=answer.access_token)
        tasks = [asyncio.create_task(obey(client)), asyncio.create_task(follow(client))]
        done, waiting = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
        for task in done:
            task.result()
        return 0
    finally:
        await client.close()


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("usage: nio_client.py HOMESERVER USER PASSWORD")
    sys.exit(asyncio.run(main(*sys.argv[1:])))
