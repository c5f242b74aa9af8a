"""The servers on a GlusterFS mount and on local disk: run on a node made of namespaces, by `bench/run gluster`."""

import itertools
import os
import pathlib
import random
import re
import signal
import statistics
import subprocess
import sys
import time

import cluster

HERE = pathlib.Path(__file__).resolve().parent
MOUNT = pathlib.Path("/mnt/gluster1/www")
SMALL = 2000
LOADS = {
    "one hot file of 12 KB": ("hot.jpg", 16),
    "2,000 random small files": (None, 16),
    "a file of 2 MB": ("big.jpg", 8),
}


def advised():
    """The options that `hearth gluster plan` prints, read from where they are written."""
    text = (HERE.parent / "src/gluster/options.rs").read_text()
    return re.findall(r'option\(\s*"([\w.-]+)",\s*"(\w+)"', text.replace("WITH_ARBITER", "\0").split("\0")[0])


def outside(arguments, scratch):
    """Makes the nodes, and measures on the first of them."""
    house, one, _ = cluster.pair(scratch, advised() if arguments.options == "advised" else ())
    try:
        words = ["gluster", "--inside", "--options", arguments.options, "--pairs", arguments.pairs, "--seconds", arguments.seconds]
        subprocess.run(one.enter(sys.executable, HERE / "run", *words), check=True)
    finally:
        house.stop()


def publish(root):
    """The same site every time, of a kind that no server compresses; the last file says that it is whole."""
    root.mkdir()
    dice = random.Random(2013)
    words = lambda size: dice.randbytes(size // 2).hex()
    for number in range(SMALL):
        (root / f"{number}.jpg").write_text(words(dice.randrange(5_000, 50_000)))
    (root / "hot.jpg").write_text(words(12_000))
    (root / "1k.css").write_text(words(1024))
    (root / "big.jpg").write_text(words(2_000_000))
    (root / "index.html").write_text("home")
    (root / ".hearth-generation").write_text("1")


def script(scratch):
    """A script of wrk for random paths, with the figures at the end."""
    path = scratch / "random.lua"
    path.write_text(
        (HERE / "percentiles.lua").read_text()
        + f"""
local requests = {{}}
init = function()
  for n = 0, {SMALL - 1} do requests[n] = wrk.format("GET", "/" .. n .. ".jpg") end
  math.randomseed(os.time())
end
request = function() return requests[math.random(0, {SMALL - 1})] end
"""
    )
    return path


def turn(servers, chosen):
    """Only one server runs; the others hold still, so that what they do by themselves disturbs nobody."""
    for server in servers:
        for pid in server.pids():
            try:
                os.kill(pid, signal.SIGCONT if server is chosen else signal.SIGSTOP)
            except ProcessLookupError:
                pass
    time.sleep(0.3)


def settle(server, within=60):
    """Until the server does nothing by itself any more: the first load and the compression are over."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        before = server.cpu()
        time.sleep(2)
        if server.cpu() - before < 0.1:
            return
    print(f"{server.name} was still at work after {within} s")


def inside(arguments, scratch, bench):
    """Measures on this node. `bench` is the module of bench/run."""
    # The node has nothing else that listens; nginx takes the next port too.
    ports = itertools.count(20_000, 10)
    bench.free_port = lambda: next(ports)
    disk = scratch / "www"
    for root in (disk, MOUNT):
        publish(root)
    bench.machine()
    bench.versions(["glusterfs-server", "nginx-light", "lighttpd", "wrk"])
    print(f"Replica 2 between two nodes in namespaces, options: {arguments.options}; one worker each, access logs on in all;")
    print("wrk -t1 -c16 (-c8 at 2 MB); each server runs alone, the others hold still.")
    makers = {
        "hearth": lambda root, at: bench.hearth(root, at),
        "nginx 2013": lambda root, at: bench.nginx("nginx 2013", root, at, False),
        "nginx open_file_cache": lambda root, at: bench.nginx("nginx open_file_cache", root, at, True, 4 * SMALL),
        "lighttpd": lambda root, at: bench.lighttpd(root, at),
    }
    servers = {}
    lua = script(scratch)
    try:
        for where, root in (("mount", MOUNT), ("disk", disk)):
            home = scratch / where
            home.mkdir()
            home.chmod(0o755)
            for name, make in makers.items():
                print(f"starting {name} on the {where}", file=sys.stderr, flush=True)
                servers[name, where] = server = make(root, home)
                bench.wait_for(server.port, within=180)
                bench.wait_for(server.port, "/big.jpg", within=180)
                if name == "hearth":
                    settle(server)
        for title, (path, connections) in LOADS.items():
            measure(bench, arguments, servers, title, path, connections, lua)
        print(f"\nload average at the end {os.getloadavg()[0]:.2f}")
    finally:
        for server in servers.values():
            for pid in server.pids():
                os.kill(pid, signal.SIGCONT)
            server.stop()


def measure(bench, arguments, servers, title, path, connections, lua):
    def run(server, seconds):
        turn(servers.values(), server)
        return bench.wrk(server, path or "", seconds, connections, script=None if path else lua)

    # Long enough for a cache of descriptors to have seen all of them once, at the pace of the mount.
    warm = 1 if path else 10
    for server in servers.values():
        run(server, warm)
    rounds = [{key: run(server, arguments.seconds) for key, server in servers.items()} for _ in range(arguments.pairs)]
    print(f"\n### {title}\n")
    print("| server | mount: requests/s (p50 / p99 ms) | disk: requests/s (p50 / p99 ms) | mount / disk | hearth on the mount / this on the mount |")
    print("|-|-|-|-|-|")
    for name in dict.fromkeys(name for name, _ in servers):
        cells = [figures([one[name, where] for one in rounds]) for where in ("mount", "disk")]
        share = [one[name, "mount"].rate / one[name, "disk"].rate for one in rounds]
        ours = [one["hearth", "mount"].rate / one[name, "mount"].rate for one in rounds]
        last = "-" if name == "hearth" else spread(ours)
        print(f"| {name} | {' | '.join(cells)} | {spread(share)} | {last} |", flush=True)


def figures(loads):
    middle = lambda pick: statistics.median(pick(load) for load in loads)
    p50, p99 = (middle(lambda load, i=i: load.percentiles[i]) for i in (0, 1))
    return f"{middle(lambda load: load.rate):,.0f} ({p50:.2f} / {p99:.2f})"


def spread(ratios):
    ratios = sorted(ratios)
    return f"**{statistics.median(ratios):.2f}** ({ratios[0]:.2f}-{ratios[-1]:.2f})"
