"""What an agent costs while nobody visits: wakeups, memory, and what reaches the disk and the log. Used by `bench/run rest`.

The agent serves a site of 10 MB, keeps one name at Knot, asks two echoes for its address and beats to a watcher that looks at it;
everything on loopback. Lamps are off, unless `--lamps` makes their keeper play to nobody.
"""

import base64
import http.server
import os
import pathlib
import random
import re
import socket
import subprocess
import sys
import threading
import time

ZONE, HOST, PUBLIC = "home.test", "www.home.test", "127.0.9.1"
WORDS = "a site at home whose pages are about boats cats clocks gardens rivers ships trains and weather".split()


def publish(root):
    """The same 10 MB every time: 4 MB of pages, which compress, and 6 MB of pictures, which do not."""
    dice = random.Random(2013)
    for number in range(200):
        page = root / f"{number % 20}" / f"{number}.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text("<p>" + " ".join(f"{dice.choice(WORDS)}{dice.randrange(99)}" for _ in range(2900)))
    for number in range(60):
        (root / f"{number}.jpg").write_bytes(dice.randbytes(100_000))
    (root / "index.html").write_text("home")


def answering(text):
    """A web server that says this to everybody; its port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        do_HEAD = do_GET

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port


def free_port(address="127.0.0.1", kind=socket.SOCK_STREAM):
    with socket.socket(type=kind) as s:
        s.bind((address, 0))
        return s.getsockname()[1]


def knot(scratch, secret):
    """Knot with a zone that both roles may write; the process and its port."""
    port, home = free_port(), scratch / "knot"
    home.mkdir()
    (home / "zone").write_text(
        f"$ORIGIN {ZONE}.\n$TTL 60\n@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\nns A 127.0.0.1\n"
    )
    keys = "".join(f"- id: {name}\n  algorithm: hmac-sha256\n  secret: {secret}\n" for name in ("pi1", "watcher"))
    (home / "conf").write_text(
        f"""server:
  rundir: "{home}"
  listen: 127.0.0.1@{port}
database:
  storage: "{home}"
  journal-db-max-size: 16M
  kasp-db-max-size: 8M
  timer-db-max-size: 8M
  catalog-db-max-size: 8M
key:
{keys}acl:
- id: all
  key: [pi1, watcher]
  action: update
zone:
- domain: {ZONE}
  storage: "{home}"
  file: zone
  journal-max-usage: 8M
  acl: all
"""
    )
    command = ["knotd", "--config", str(home / "conf")]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL), port


def key(program, path):
    """A key of a role, in a file; what of it is public."""
    subprocess.run([program, "key", "new", "--out", path], check=True, stdout=subprocess.DEVNULL)
    return subprocess.run([program, "key", "show", path], check=True, capture_output=True, text=True).stdout.strip()


def configure(scratch, program, lamps):
    """Writes both configurations, and starts what they name; the processes to end."""
    secret = base64.b64encode(os.urandom(32)).decode()
    (scratch / "tsig").write_text(secret)
    (scratch / "tsig").chmod(0o600)
    server, dns = knot(scratch, secret)
    node, watcher = key(program, scratch / "node.key"), key(program, scratch / "watcher.key")
    beats, site = free_port(), free_port(PUBLIC)
    echoes = "".join(
        f'[[address.source]]\nkind = "https"\nurl = "http://127.0.0.1:{answering(PUBLIC)}/"\noperator = "{name}"\n' for name in ("one", "two")
    )
    pages = answering("home")
    provider = lambda role: (
        f'[provider.zone]\nkind = "rfc2136"\nserver = "127.0.0.1:{dns}"\nzone = "{ZONE}"\nname-servers = ["127.0.0.1:{dns}"]\n'
        f'key = {{ name = "{role}", secret = {{ file = "tsig" }} }}\n'
    )
    (scratch / "agent.toml").write_text(
        f"""[node]
name = "pi1"
key = {{ file = "node.key" }}
state = "state"
control = "agent.sock"
[site]
hosts = ["{HOST}"]
root = "www"
listen = ["{PUBLIC}:{site}"]
[address]
families = ["ipv4"]
admit = ["127.0.0.0/8"]
{echoes}
[[record]]
name = "pi1.{ZONE}"
provider = "zone"
ttl = "60s"
{provider("pi1")}
[heartbeat]
watchers = [{{ url = "http://127.0.0.1:{beats}", public-key = "{watcher}" }}]
[leds]
preset = "{"terminal" if lamps else "off"}"
"""
    )
    (scratch / "watcher.toml").write_text(
        f"""[watcher]
listen = ["127.0.0.1:{beats}"]
state = "watcher-state"
control = "watcher.sock"
key = {{ file = "watcher.key" }}
references = ["http://127.0.0.1:{answering("up")}/"]
[[watch]]
site = "{HOST}"
provider = "zone"
record = "address"
nodes = ["pi1"]
fallback = {{ name = "user.pages.test", addresses = ["127.0.0.1"], port = {pages}, scheme = "http" }}
scheme = "http"
port = {site}
page = "/"
{provider("watcher")}
[[peer]]
name = "pi1"
public-key = "{node}"
host = "pi1.{ZONE}"
"""
    )
    return [server]


def tasks(pids):
    return [task for pid in pids for task in pathlib.Path(f"/proc/{pid}/task").iterdir()]


def wakeups(pids):
    """How often each thread has waited and gone on."""
    found = {}
    for task in tasks(pids):
        try:
            switched = re.search(r"^voluntary_ctxt_switches:\s+(\d+)", (task / "status").read_text(), re.M)[1]
            found[task.name] = ((task / "comm").read_text().strip(), task.parent.parent.name, int(switched))
        except FileNotFoundError:
            pass
    return found


def written(pids):
    """Bytes that these processes have made dirty for a disk."""
    total = lambda pid: int(re.search(r"^write_bytes: (\d+)", pathlib.Path(f"/proc/{pid}/io").read_text(), re.M)[1])
    return {pid: total(pid) for pid in pids}


def report(name, server, log, seconds):
    """Measures one role and prints its row; then which of its threads woke up."""
    before, disk, said = wakeups(server.pids()), written(server.pids()), os.fstat(log).st_size
    time.sleep(seconds)
    after, disk_after = wakeups(server.pids()), written(server.pids())
    gone = lambda task: after[task][2] - before.get(task, (0, 0, 0))[2]
    count = sum(map(gone, after))
    bytes_written = sum(disk_after[pid] - disk.get(pid, 0) for pid in disk_after)
    a_day = lambda size: f"{size} in {seconds} s: {size * 86_400 / seconds / 1e6:.1f} MB a day"
    lines = os.pread(log, os.fstat(log).st_size - said, said)
    logged = f"{lines.count(10)} lines, {a_day(len(lines))}"
    print(f"| {name} | {count / seconds:.2f} | {server.memory()} | {a_day(bytes_written)} | {logged} |")
    busy = sorted(((gone(task), *after[task][:2]) for task in after), reverse=True)
    return ", ".join(f"{comm} of {pid} {count}" for count, comm, pid in busy if count)


def run(arguments, scratch, server_of):
    """`server_of` starts a process and can tell its memory."""
    program = pathlib.Path(arguments.program).resolve()
    (scratch / "www").mkdir()
    publish(scratch / "www")
    ending = configure(scratch, program, arguments.lamps)
    environment = os.environ | {"MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
    # In memory: what is said is no write of theirs.
    logs = {role: os.memfd_create(role) for role in ("watcher", "agent")}
    start = lambda role: server_of(
        role, [program, role, "--config", str(scratch / f"{role}.toml")], 0, env=environment, cwd=scratch, stderr=logs[role]
    )
    roles = []
    try:
        roles = [start("watcher"), start("agent")]
        status = [program, "status", "--json", "--config", str(scratch / "agent.toml")]
        for _ in range(120):
            time.sleep(1)
            told = subprocess.run(status, capture_output=True, text=True).stdout
            if '"answered"' in told and '"phase": "running"' in told.replace('":"', '": "'):
                break
        else:
            sys.exit(f"the agent does not come to rest: {told}")
        # Compressing, and keeping the copy, goes on for a while.
        time.sleep(arguments.settle)
        print("\n| role | wakeups a second | KiB: resident / proportional share / private and written to | bytes for the disk | bytes for the log |\n|-|-|-|-|-|")
        told = [report(role.name, role, logs[role.name], arguments.seconds) for role in reversed(roles)]
        print("\nThreads that woke up: " + "; ".join(told) + ".")
        for role in roles:
            for pid in role.pids():
                rolled = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
                figures = re.findall(r"^(Rss|Pss|Pss_Anon|Pss_File|Private_Dirty):\s+(\d+)", rolled, re.M)
                print(f"{role.name} {pid}: {', '.join(map(' '.join, figures))} KiB")
    finally:
        for role in roles:
            role.stop()
        for process in ending:
            process.terminate()
            process.wait()
