"""The scene of the tests beside a homeserver: Synapse A with presence, Synapse B without, and nginx in front of B.

    python beside_world.py DIR PLAN

PLAN is a JSON file: `registration` (of the application service that B is to know), `nginx_conf` (the example to be
used), `client` and `federation` (ports at which presenced will listen), `presence` (whether B has its own after all). Prints one line of JSON when the scene is set,
or could not be, then waits until stdin ends or SIGTERM comes. B's port for other servers is nginx's; B's own listeners
are plain HTTP behind it. Until presenced listens nginx sends everything to B.
"""

import json
import os
import shutil
import subprocess
import sys
import urllib.error
from pathlib import Path

import synapse_world
from synapse_world import (
    START_SECONDS, STEP_SECONDS, ChildProcess, Synapse, WorldError, die_with_parent, wait_until,
)


class Beside(Synapse):
    """A Synapse without presence behind nginx, which other servers and clients come to."""

    # One that presenced may sign with.
    further_keys = ("p_second",)

    def __init__(self, label, directory, ports, registration):
        super().__init__(label, directory, ports[:2])
        # What listens at client_port, and at federation_port, the port of the name, is nginx.
        self.own_port = ports[2]
        self.own_url = f"http://127.0.0.1:{self.own_port}"
        self.registration = registration

    def configuration(self, directory, presence):
        return super().configuration(directory, presence) | {
            "listeners": [
                {"port": self.own_port, "bind_addresses": ["127.0.0.1"], "type": "http", "tls": False,
                 "x_forwarded": True, "resources": [{"names": ["client", "federation"], "compress": True}]},
            ],
            "app_service_config_files": [self.registration],
        }

    def is_up(self):
        # Over nginx, which listens before Synapse does.
        try:
            return super().is_up()
        except urllib.error.HTTPError:
            return False


class Nginx(ChildProcess):
    """The example of Config/, with other addresses and certificates, as a process of its own."""

    def __init__(self, directory, b, plan):
        self.directory = directory / "nginx"
        self.directory.mkdir(exist_ok=True)
        self.b, self.plan, self.certificates = b, plan, directory

    def configuration(self):
        text = Path(self.plan["nginx_conf"]).read_text(encoding="utf-8")
        replaced = {
            "127.0.0.1:8011": f"127.0.0.1:{self.plan['client']}",
            "127.0.0.1:8447": f"127.0.0.1:{self.plan['federation']}",
            "127.0.0.1:8008": f"127.0.0.1:{self.b.own_port}",
            # Clients of the tests come without TLS, which an example must not.
            "listen 443 ssl": f"listen 127.0.0.1:{self.b.client_port}",
            "listen 8448 ssl": f"listen 127.0.0.1:{self.b.federation_port} ssl",
            "matrix.example.org;": "localhost;",
            "/etc/ssl/matrix.example.org.pem": str(self.certificates / "leaf.pem"),
            "/etc/ssl/private/matrix.example.org.key": str(self.certificates / "leaf.key"),
        }
        for old, new in replaced.items():
            if old not in text:
                raise WorldError(f"the example for nginx does not hold {old}")
            text = text.replace(old, new)
        folder = self.directory
        temporary = "".join(
            f"{name}_temp_path {folder}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        return (
            f"pid {folder}/nginx.pid;\nerror_log {folder}/error.log;\ndaemon off;\nworker_processes 1;\n"
            + ("user root;\n" if os.geteuid() == 0 else "")
            + "events { worker_connections 4096; }\nhttp {\n"
            f"access_log {folder}/access.log;\n{temporary}{text}\n}}\n"
        )

    def start(self):
        nginx = shutil.which("nginx") or "/usr/sbin/nginx"
        path = self.directory / "nginx.conf"
        path.write_text(self.configuration(), encoding="utf-8")
        with open(self.directory / "nginx.log", "wb") as log:
            self.process = subprocess.Popen(
                [nginx, "-p", str(self.directory), "-e", str(self.directory / "error.log"), "-c", str(path)],
                preexec_fn=die_with_parent, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
            )


def populate(a, b, log):
    """Users on both servers, an administrator of B, and a room in which they are but for one who joins later."""
    on_a = {name: a.register(name) for name in ("alice", "anna", "arthur")}
    on_b = {name: b.register(name) for name in ("paul", "petra")}
    alice = on_a["alice"]
    room_id = a.request(
        "POST", "/_matrix/client/v3/createRoom", {"preset": "public_chat"}, alice["access_token"]
    )["room_id"]
    a.join(on_a["anna"], room_id, a.name)
    for user in on_b.values():
        b.join(user, room_id, a.name)
    inside = {on_a["alice"]["user_id"], on_a["anna"]["user_id"]} | {user["user_id"] for user in on_b.values()}
    wait_until(lambda: a.members(alice, room_id) == inside, STEP_SECONDS, "all four are in A's room")
    wait_until(lambda: b.members(on_b["paul"], room_id) == inside, STEP_SECONDS, "all four are in B's room")
    log.note("rooms joined")
    return on_a, on_b, room_id


def set_scene(directory, a, b, nginx, plan, log):
    synapse_world.write_certificates(directory)
    nginx.start()
    a.start(directory, presence=True)
    b.start(directory, presence=plan.get("presence", False))
    for server in (a, b):
        wait_until(server.is_up, START_SECONDS, f"Synapse {server.name} is up")
    log.note("both are up")
    on_a, on_b, room_id = populate(a, b, log)

    def described(server, users):
        return {
            "server_name": server.name,
            "client_url": server.client_url,
            "users": {
                name: {key: user[key] for key in ("user_id", "access_token", "device_id")} for name, user in users.items()
            },
        }

    return {
        "ready": True,
        "a": described(a, on_a),
        "b": described(b, on_b) | {
            "own_url": b.own_url,
            "signing_key_path": str(b.signing_key_path),
            "federation_port": b.federation_port,
        },
        "ca_path": str(directory / "ca.pem"),
        "room_id": room_id,
    }


def main(directory, plan_path):
    directory.mkdir(parents=True, exist_ok=True)
    plan = json.loads(plan_path.read_text(encoding="utf-8"))
    ports = plan["ports"]
    a = Synapse("a", directory, ports[:2])
    b = Beside("b", directory, ports[2:], plan["registration"])
    nginx = Nginx(directory, b, plan)
    return synapse_world.run(directory, [a, b, nginx], lambda log: set_scene(directory, a, b, nginx, plan, log))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: beside_world.py DIR PLAN")
    sys.exit(main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()))
