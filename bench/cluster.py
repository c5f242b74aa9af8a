"""GlusterFS nodes made of namespaces, as in the tests: everything ends with the first process of the house.

Needs root and Debian's glusterfs-server and glusterfs-client.
"""

import pathlib
import subprocess
import time

HOUSE = """read -r pid rest </proc/self/stat; echo $pid; ip link set lo up
ip link add bridge type bridge; ip link set bridge up; echo ready; cat >/dev/null"""

MACHINE = """set -e; read -r pid rest </proc/self/stat
mount --make-rprivate /; mount -t proc proc /proc; hostname $2; ip link set lo up
mount -t tmpfs tmpfs /run; mount -t tmpfs tmpfs /mnt
mkdir -p /var/lib/glusterd /var/log/glusterfs /mnt/brick1 /mnt/gluster1
for pair in state:/var/lib/glusterd log:/var/log/glusterfs brick:/mnt/brick1; do
  mkdir -p $1/${pair%%:*}; mount --bind $1/${pair%%:*} ${pair##*:}; done
mount --bind $1/../hosts /etc/hosts
trap 'exit 0' TERM; echo $pid; while :; do sleep 1000 & wait; done"""


class House:
    """A network; machines are added to it."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.process = subprocess.Popen(
            ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child=KILL", "bash", "-c", HOUSE],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        self.pid = self.process.stdout.readline().strip()
        assert self.process.stdout.readline().strip() == "ready"
        hosts = "".join(f"10.77.0.{n} pi{n}\n" for n in (1, 2, 3))
        (self.directory / "hosts").write_text("127.0.0.1 localhost\n" + hosts)

    def machine(self, number):
        return Machine(self, number)

    def stop(self):
        self.process.stdin.close()
        self.process.wait(20)


class Machine:
    """A node with glusterd."""

    def __init__(self, house, number):
        self.name, home = f"pi{number}", house.directory / f"pi{number}"
        home.mkdir()
        self.process = subprocess.Popen(
            ["nsenter", "--target", house.pid, "--net", "--pid", "unshare", "--net", "--mount", "--pid", "--uts", "--fork",
             "bash", "-c", MACHINE, "bash", home, self.name],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
        )
        self.pid = self.process.stdout.readline().strip()
        cable = f"cable{number}"
        line = f"ip link add {cable} type veth peer name eth0 netns {self.pid}; ip link set {cable} master bridge up"
        subprocess.run(["nsenter", "--target", house.pid, "--net", "sh", "-e", "-c", line], check=True)
        self.run(f"ip address add 10.77.0.{number}/24 dev eth0; ip link set eth0 up; glusterd -p /run/glusterd.pid")

    def enter(self, *words):
        """A command line that runs on the machine, in its own PID namespace."""
        return ["nsenter", "--target", self.pid, "--net", "--mount", "--pid", "--uts", *map(str, words)]

    def run(self, line):
        return subprocess.run(self.enter("sh", "-e", "-c", line), check=True, capture_output=True, text=True).stdout

    def wait(self, line, within=60):
        end = time.monotonic() + within
        while subprocess.run(self.enter("sh", "-e", "-c", line), capture_output=True).returncode:
            assert time.monotonic() < end, line
            time.sleep(0.1)


def pair(directory, options=()):
    """Two nodes with a replicated volume, mounted on both at /mnt/gluster1."""
    house = House(directory)
    one, two = house.machine(1), house.machine(2)
    one.wait("gluster peer probe pi2")
    for machine in (one, two):
        machine.wait("gluster peer status | grep -F 'Peer in Cluster (Connected)'")
    one.wait("gluster --mode=script volume create gv0 replica 2 pi1:/mnt/brick1/gv0 pi2:/mnt/brick1/gv0 force")
    for name, value in options:
        one.run(f"gluster --mode=script volume set gv0 {name} {value}")
    one.run("gluster --mode=script volume start gv0")
    for machine, other in ((one, "pi2"), (two, "pi1")):
        machine.wait(f"mount -t glusterfs -o backup-volfile-servers={other} {machine.name}:/gv0 /mnt/gluster1")
    one.run("echo here >/mnt/gluster1/seen")
    two.wait("cat /mnt/gluster1/seen")
    return house, one, two
