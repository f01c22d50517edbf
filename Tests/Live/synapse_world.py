"""The scene of the live tests: a real Synapse A, and the name, port and key of a stopped Synapse B.

    python synapse_world.py DIR

Prints one line of JSON when the scene is set (or could not be), then waits until stdin ends or SIGTERM comes.
Needs only what matrix-synapse brings along. Everything else that is said goes to DIR/*.log.
"""

import ctypes
import datetime
import hashlib
import hmac
import ipaddress
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from signedjson.key import generate_signing_key, write_signing_keys

START_SECONDS = 120
STEP_SECONDS = 30
STOP_SECONDS = 20
SHARED_SECRET = "only for throwaway servers on loopback"
# No proxy of the environment may stand between us and loopback; Synapse, too, would use one for federation.
PROXYLESS_ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class WorldError(Exception):
    """Why the scene could not be set."""


class Log:
    """Progress with times, in DIR/world.log."""

    def __init__(self, directory):
        self.began = time.monotonic()
        self.file = open(directory / "world.log", "w", encoding="utf-8", buffering=1)

    def note(self, text):
        self.file.write(f"{time.monotonic() - self.began:7.2f} s  {text}\n")


# Certificates


def certificate(subject, public_key, issuer, issuer_key, extensions):
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False
        )
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(issuer_key, hashes.SHA256())


def key_usage(signs_certificates):
    return x509.KeyUsage(
        digital_signature=not signs_certificates, key_cert_sign=signs_certificates, crl_sign=signs_certificates,
        content_commitment=False, key_encipherment=False, data_encipherment=False, key_agreement=False,
        encipher_only=False, decipher_only=False,
    )


def write_certificates(directory):
    """A private CA, and one leaf for every name of loopback, which A, B and B's successor all use."""
    ca_key, leaf_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "presenced live tests")])
    leaf_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    names = [
        x509.DNSName("localhost"),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
        x509.IPAddress(ipaddress.ip_address("::1")),
    ]
    ca = certificate(ca_name, ca_key.public_key(), ca_name, ca_key, [
        (x509.BasicConstraints(ca=True, path_length=0), True),
        (key_usage(signs_certificates=True), True),
    ])
    leaf = certificate(leaf_name, leaf_key.public_key(), ca_name, ca_key, [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (key_usage(signs_certificates=False), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (x509.SubjectAlternativeName(names), False),
    ])
    pem = serialization.Encoding.PEM
    (directory / "ca.pem").write_bytes(ca.public_bytes(pem))
    (directory / "leaf.pem").write_bytes(leaf.public_bytes(pem))
    (directory / "leaf.key").write_bytes(
        leaf_key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


# Configuration


def free_ports(count):
    """Ports below the range from which the kernel takes those of outgoing connections: B's port must stay free
    from B's end until its successor listens."""
    found = []
    for port in random.sample(range(20000, 32000), 500):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise WorldError("no free ports on loopback")


def without_rate_limits():
    limit = {"per_second": 100_000, "burst_count": 100_000}
    return {
        "rc_message": limit,
        "rc_registration": limit,
        "rc_room_creation": limit,
        "rc_joins_per_room": limit,
        "rc_login": {"address": limit, "account": limit, "failed_attempts": limit},
        "rc_joins": {"local": limit, "remote": limit},
        "rc_invites": {"per_room": limit, "per_user": limit, "per_issuer": limit},
        "rc_presence": {"per_user": limit},
        "rc_federation": {"sleep_limit": 100_000, "reject_limit": 100_000, "concurrent": 100},
    }


def synapse_config(server, directory, presence):
    return without_rate_limits() | {
        "server_name": server.name,
        "public_baseurl": server.client_url,
        "listeners": [
            {"port": server.client_port, "bind_addresses": ["127.0.0.1"], "type": "http", "tls": False,
             "resources": [{"names": ["client"]}]},
            {"port": server.federation_port, "bind_addresses": ["127.0.0.1"], "type": "http", "tls": True,
             "resources": [{"names": ["federation"]}]},
        ],
        "database": {"name": "sqlite3", "args": {"database": str(server.directory / "homeserver.db")}},
        "tls_certificate_path": str(directory / "leaf.pem"),
        "tls_private_key_path": str(directory / "leaf.key"),
        "federation_custom_ca_list": [str(directory / "ca.pem")],
        "signing_key_path": str(server.signing_key_path),
        "registration_shared_secret": SHARED_SECRET,
        "macaroon_secret_key": SHARED_SECRET,
        "form_secret": SHARED_SECRET,
        "trusted_key_servers": [],
        "suppress_key_server_warning": True,
        "report_stats": False,
        # Loopback is blocked by default. Synapse knows only this spelling and ignores others in silence.
        "ip_range_blacklist": [],
        "presence": {"enabled": presence},
        "experimental_features": {"msc3026_enabled": True},
        "bcrypt_rounds": 4,
        "enable_media_repo": False,
        "user_directory": {"enabled": False},
        # While nobody listens on B's port A tries about twice a second, for minutes before it gives up:
        # the presence in a transaction that was given up is lost, and nothing but new traffic ends the back-off.
        "federation": {
            "client_timeout": "5s",
            "destination_min_retry_interval": "1s",
            "destination_max_retry_interval": "2s",
            "destination_retry_multiplier": 1,
            "max_long_retries": 240,
            "max_long_retry_delay": 500,
            "max_short_retry_delay": 500,
        },
    }


# Servers


def die_with_parent():
    """Even if this script is killed outright, its servers end."""
    if sys.platform == "linux":
        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGTERM)


class ChildProcess:
    """What this script started, and ends by its pid."""

    process = None

    def stop(self):
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(STOP_SECONDS)


class Synapse(ChildProcess):
    # Versions of keys on further lines of the key file: published, and used by others.
    further_keys = ()

    def __init__(self, label, directory, ports):
        self.directory = directory / label
        self.directory.mkdir(exist_ok=True)
        self.log_path = directory / f"{label}.log"
        self.client_port, self.federation_port = ports
        self.name = f"localhost:{self.federation_port}"
        self.client_url = f"http://127.0.0.1:{self.client_port}"
        self.signing_key_path = self.directory / "signing.key"

    def configuration(self, directory, presence):
        return synapse_config(self, directory, presence)

    def start(self, directory, presence):
        for leftover in self.directory.glob("homeserver.db*"):
            leftover.unlink()
        with open(self.signing_key_path, "w", encoding="ascii") as file:
            versions = [f"a_{random.randrange(16**4):04x}", *self.further_keys]
            write_signing_keys(file, [generate_signing_key(version) for version in versions])
        config_path = self.directory / "homeserver.yaml"
        config_path.write_text(yaml.safe_dump(self.configuration(directory, presence)), encoding="utf-8")
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "synapse.app.homeserver", "-c", str(config_path)],
                cwd=self.directory, env=PROXYLESS_ENVIRONMENT, preexec_fn=die_with_parent,
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
            )

    def is_running(self):
        """Raises if it is not: no server here may end by itself."""
        if self.process.poll() is not None:
            raise WorldError(f"Synapse {self.name} ended with status {self.process.returncode}")
        return True

    def is_up(self):
        self.is_running()
        try:
            with OPENER.open(f"{self.client_url}/health", timeout=STEP_SECONDS):
                return True
        except OSError:
            return False

    def request(self, method, path, body=None, token=None):
        """One client-server request, which has to succeed."""
        request = urllib.request.Request(self.client_url + path, method=method)
        request.add_header("Content-Type", "application/json")
        if body is not None:
            request.data = json.dumps(body).encode()
        if token is not None:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            with OPENER.open(request, timeout=STEP_SECONDS) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            raise WorldError(f"{method} {path}: {error.code} {error.read()[:500]!r}") from error
        except OSError as error:
            raise WorldError(f"{method} {path}: {error}") from error

    def register(self, name):
        """The answer has user_id, access_token and device_id."""
        path = "/_synapse/admin/v1/register"
        nonce = self.request("GET", path)["nonce"]
        parts = "\0".join([nonce, name, name, "notadmin"])
        mac = hmac.new(SHARED_SECRET.encode(), parts.encode(), hashlib.sha1).hexdigest()
        account = {"nonce": nonce, "username": name, "password": name, "admin": False, "mac": mac}
        return self.request("POST", path, account)

    def join(self, user, room_id, via):
        room = urllib.parse.quote(room_id)
        self.request("POST", f"/_matrix/client/v3/join/{room}?via={via}", {}, user["access_token"])

    def members(self, user, room_id):
        room = urllib.parse.quote(room_id)
        answer = self.request("GET", f"/_matrix/client/v3/rooms/{room}/joined_members", token=user["access_token"])
        return set(answer["joined"])


# The scene


def wait_until(condition, seconds, what):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise WorldError(f"not within {seconds} s: {what}")
        time.sleep(0.1)


def populate(a, b, log):
    """Users on both servers, and one room in which they all are."""
    on_a = {name: a.register(name) for name in ("alice", "anna")}
    on_b = {name: b.register(name) for name in ("paul", "petra")}
    log.note("users registered")
    alice, paul = on_a["alice"], on_b["paul"]
    room_id = a.request(
        "POST", "/_matrix/client/v3/createRoom", {"preset": "public_chat"}, alice["access_token"]
    )["room_id"]
    a.join(on_a["anna"], room_id, a.name)
    for user in on_b.values():
        b.join(user, room_id, a.name)
    log.note("rooms joined")
    everybody = {user["user_id"] for user in (on_a | on_b).values()}
    # Both must know, or one of them would still have something to say to the other when B stops.
    wait_until(lambda: a.members(alice, room_id) == everybody, STEP_SECONDS, "all four are in A's room")
    wait_until(lambda: b.members(paul, room_id) == everybody, STEP_SECONDS, "all four are in B's room")
    return on_a, on_b, room_id


def set_scene(directory, a, b, log):
    write_certificates(directory)
    a.start(directory, presence=True)
    b.start(directory, presence=False)
    for server in (a, b):
        wait_until(server.is_up, START_SECONDS, f"Synapse {server.name} is up")
    log.note("both are up")
    on_a, on_b, room_id = populate(a, b, log)
    b.stop()
    log.note("B stopped, ready")
    return {
        "ready": True,
        "a": {
            "server_name": a.name,
            "client_url": a.client_url,
            "pid": a.process.pid,
            "users": {name: {key: user[key] for key in ("user_id", "access_token")} for name, user in on_a.items()},
        },
        "b": {
            "server_name": b.name,
            "federation_port": b.federation_port,
            "signing_key_path": str(b.signing_key_path),
            "users": {name: {key: user[key] for key in ("user_id", "device_id")} for name, user in on_b.items()},
        },
        "ca_path": str(directory / "ca.pem"),
        "leaf_cert_path": str(directory / "leaf.pem"),
        "leaf_key_path": str(directory / "leaf.key"),
        "room_id": room_id,
    }


class Ended(Exception):
    """stdin ended, or SIGTERM came."""


def raise_ended(_signal, _frame):
    raise Ended("told to end")


def follow_stdin():
    """The one who started us is gone, or wants us gone, when stdin ends."""
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def report_failure(directory, error):
    """The line that says why there is no scene, with what each log said last."""
    logs = {}
    for path in (directory / f"{name}.log" for name in ("world", "a", "b")):
        if path.is_file():
            logs[path.name] = path.read_text(encoding="utf-8", errors="replace").splitlines()[-15:]
    print(json.dumps({"ready": False, "error": error, "logs": logs}), flush=True)
    return 1


def run(directory, servers, set_up):
    """Sets the scene, says so in one line, and keeps it until told to end. The first server must not end by itself."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        log = Log(directory)
    except OSError as error:
        return report_failure(directory, str(error))
    for stop in (signal.SIGTERM, signal.SIGINT):
        signal.signal(stop, raise_ended)
    threading.Thread(target=follow_stdin, daemon=True).start()
    ready, told_to_end, failure = False, False, ""
    try:
        scene = set_up(log)
        ready = True
        print(json.dumps(scene), flush=True)
        servers[0].process.wait()
        servers[0].is_running()
    except Ended as error:
        told_to_end, failure = True, str(error)
    except Exception as error:  # Whatever it is, the one who waits for our line must hear of it.
        failure = f"{type(error).__name__}: {error}"
    finally:
        for stop in (signal.SIGTERM, signal.SIGINT):
            signal.signal(stop, signal.SIG_IGN)
        for server in servers:
            server.stop()
    log.note(failure)
    if ready:
        return 0 if told_to_end else 1
    return report_failure(directory, failure)


def main(directory):
    try:
        directory.mkdir(parents=True, exist_ok=True)
        ports = free_ports(4)
    except (OSError, WorldError) as error:
        return report_failure(directory, str(error))
    a, b = Synapse("a", directory, ports[:2]), Synapse("b", directory, ports[2:])
    return run(directory, [a, b], lambda log: set_scene(directory, a, b, log))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: synapse_world.py DIR")
    sys.exit(main(Path(sys.argv[1]).resolve()))
