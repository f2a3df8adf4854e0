"""Runs two versions of quash next to each other, in every order of upgrading: validators first, issuers first, and back.

Usage: orders.py OLD NEW, each the path of a quash. It needs redis-server and redis-cli, starts everything on loopback
and private sockets, ends it, and prints a line for each check. The last is `<n> passed, <n> failed`.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

OLD, NEW = (os.path.abspath(path) for path in sys.argv[1:3])
base = tempfile.mkdtemp(prefix="quash-upgrade-")
os.chdir(base)
subprocess.run([NEW, "keys", "generate", "--file", "signing.pem"], check=True, capture_output=True)
CREDENTIAL = "0123456789abcdef0123456789abcdef"
with open("credential", "w") as file:
    file.write(CREDENTIAL)
os.chmod("credential", 0o600)
processes = []
ports = iter(range(31002, 32000, 2))
results = []


def redis(name):
    os.makedirs(name)
    socket = f"{base}/{name}/redis.sock"
    command = ["redis-server", "--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "yes", "--dir", f"{base}/{name}"]
    processes.append(subprocess.Popen(command, stdout=subprocess.DEVNULL))
    until(lambda: os.path.exists(socket))
    return socket


def cli(socket, *arguments):
    return subprocess.run(["redis-cli", "-s", socket, *arguments], capture_output=True, text=True).stdout.strip()


class Node:
    """A process of one role; `settings` are flags without their dashes."""

    def __init__(self, binary, role, name, socket, **settings):
        port = next(ports)
        self.url, self.admin = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{port + 1}"
        flags = {
            "node-id": name, "redis-url": "unix://" + socket, "listen": self.url[7:], "admin-listen": self.admin[7:],
            "lease": "2s", "renew-interval": "500ms", "drain": "1s",
        }
        if role == "issuer":
            flags |= {"signing-key-file": "signing.pem", "admin-token-file": "credential", "outbox-file": "outbox-" + name}
        flags |= {key.replace("_", "-"): value for key, value in settings.items()}
        self.log = f"{name}-{port}.log"
        with open(self.log, "w") as log:
            command = [binary, role] + [word for key, value in flags.items() for word in ("--" + key, value)]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        processes.append(self.process)

    def is_ready(self):
        return until(lambda: http("GET", self.admin + "/readyz")[0] == 200)

    def stop(self):
        self.process.terminate()
        self.process.wait(20)

    def sign_in(self, subject="alice"):
        fields = {"Authorization": "Bearer " + CREDENTIAL, "Content-Type": "application/json"}
        status, body = http("POST", self.admin + "/admin/v1/sessions", json.dumps({"sub": subject}), fields)
        assert status == 200, (status, body)
        return json.loads(body)["access_token"]

    def logs_out(self, token):
        """Whether a logout is confirmed."""
        fields = {"Authorization": "Bearer " + token, "Content-Type": "application/x-www-form-urlencoded"}
        status, body = http("POST", self.url + "/logout", "wait=confirmed", fields)
        return status == 200 and json.loads(body)["status"] == "confirmed"

    def decides(self, token):
        return http("GET", self.url + "/authz/auth-request", fields={"Authorization": "Bearer " + token})[0]

    def logged(self):
        with open(self.log) as log:
            return log.read()


def http(method, url, body=None, fields={}):
    request = urllib.request.Request(url, data=body and body.encode(), method=method, headers=fields)
    try:
        with urllib.request.urlopen(request, timeout=15) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


def until(condition, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.1)
    return False


def check(what, holds):
    results.append(bool(holds))
    print(("ok   " if holds else "FAIL ") + what, flush=True)


def key_set(issuer):
    return issuer.url + "/.well-known/jwks.json"


def layout(socket):
    return cli(socket, "GET", "{quash}:layout") or "1"


def validators_first():
    socket = redis("first")
    issuer = Node(OLD, "issuer", "issuer", socket)
    check("an old issuer is ready", issuer.is_ready())
    old = Node(OLD, "validator", "old", socket, jwks_url=key_set(issuer))
    check("an old validator is ready", old.is_ready())
    good = issuer.sign_in("bob")
    new = Node(NEW, "validator", "new", socket, jwks_url=key_set(issuer))
    check("a new validator is ready at an old issuer", new.is_ready())
    revoked = [issuer.sign_in()]
    check("an old issuer confirms with an old and a new validator", issuer.logs_out(revoked[0]))
    check("both refuse what was revoked", [old.decides(revoked[0]), new.decides(revoked[0])] == [401, 401])
    check("both accept the rest", [old.decides(good), new.decides(good)] == [204, 204])
    old.stop()
    issuer.stop()
    issuer = Node(NEW, "issuer", "issuer", socket)
    check("a new issuer is ready with the outbox of the old one", issuer.is_ready())
    late = Node(NEW, "validator", "late", socket, jwks_url=key_set(issuer))
    check("a validator that starts is ready", late.is_ready())
    check("and refuses what the old issuer revoked", late.decides(revoked[0]) == 401)
    check("the new layout begins once the old validator has left the registry", until(lambda: layout(socket) == "2", 90))
    revoked.append(issuer.sign_in())
    check("a logout in the new layout is confirmed", issuer.logs_out(revoked[1]))
    back(socket, issuer, late, good)
    for node in (new, late):
        node.stop()


def back(socket, issuer, validator, good):
    epoch = cli(socket, "GET", "{quash}:epoch")
    old = Node(OLD, "validator", "back", socket, jwks_url=key_set(issuer))
    check("an old validator says that it does not read the new layout", until(lambda: "unknown kind" in old.logged()))
    check("and refuses every token", old.decides(good) == 503)
    check("it ends no epoch, and others serve", cli(socket, "GET", "{quash}:epoch") == epoch and validator.decides(good) == 204)
    old.stop()
    issuer.stop()
    old = Node(OLD, "issuer", "issuer", socket)
    check("an old issuer does not start with a new outbox", until(lambda: old.process.poll() is not None))
    issuer = Node(NEW, "issuer", "issuer", socket)
    check("the new issuer is ready again", issuer.is_ready())
    issuer.stop()


def issuers_first():
    socket = redis("second")
    one = Node(OLD, "issuer", "one", socket, issuers="one,two")
    two = Node(OLD, "issuer", "two", socket, issuers="one,two")
    check("two old issuers are ready", one.is_ready() and two.is_ready())
    old = Node(OLD, "validator", "old", socket, jwks_url=key_set(one))
    check("an old validator is ready", old.is_ready())
    good, revoked = one.sign_in("bob"), [one.sign_in()]
    check("a logout is confirmed", one.logs_out(revoked[0]))
    one.stop()
    one = Node(NEW, "issuer", "one", socket, issuers="one,two")
    check("a new issuer is ready next to an old one", one.is_ready())
    for issuer in (one, two):
        revoked.append(issuer.sign_in())
        check("each confirms at an old validator", issuer.logs_out(revoked[-1]))
    check("the old validator refuses what was revoked", all(old.decides(token) == 401 for token in revoked))
    check("and accepts the rest", old.decides(good) == 204)
    check("the layout stays the first", layout(socket) == "1")
    cli(socket, "FLUSHALL")
    check("the issuers of two versions restore a Redis that lost everything", until(lambda: old.decides(good) == 204))
    check("nothing that was revoked comes back", all(old.decides(token) == 401 for token in revoked))
    two.stop()
    two = Node(NEW, "issuer", "two", socket, issuers="one,two")
    check("the second issuer is upgraded", two.is_ready())
    old.stop()
    check("the new layout begins", until(lambda: layout(socket) == "2", 90))
    revoked.append(two.sign_in())
    new = Node(NEW, "validator", "new", socket, jwks_url=key_set(one))
    check("a new validator is ready", new.is_ready())
    check("a logout is confirmed", two.logs_out(revoked[-1]))
    cli(socket, "FLUSHALL")
    late = Node(NEW, "validator", "late", socket, jwks_url=key_set(one))
    check("after a total loss a validator that starts is ready", late.is_ready())
    check("and refuses everything that was revoked", all(late.decides(token) == 401 for token in revoked))


try:
    validators_first()
    issuers_first()
finally:
    for process in processes:
        if process.poll() is None:
            process.terminate()
    for process in processes:
        process.wait(20)
    shutil.rmtree(base, ignore_errors=True)
passed = sum(results)
print(f"{passed} passed, {len(results) - passed} failed")
sys.exit(passed != len(results))
