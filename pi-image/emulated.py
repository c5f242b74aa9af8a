"""An emulated machine that starts from a card with the image on it, and that card: what pi-image/test is made of."""

import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

CARD_AT = 4 << 20
# A machine without acceleration on a busy host: slow, and no reason to fail.
PATIENCE = 1800


def run(*command, **kw):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, **kw).stdout


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Disk:
    """A card with the image on it: what the person and the Pi write to it stays."""

    def __init__(self, image, path, size=2 << 30):
        self.path = path
        run("cp", "--sparse=always", image, self.path)
        os.truncate(self.path, size)
        self.fat = f"{self.path}@@{CARD_AT}"

    def copy(self, name):
        """A card with the same on it."""
        return Disk(self.path, os.path.join(os.path.dirname(self.path), f"{name}.img"))

    def read(self, name):
        return run("mtype", "-i", self.fat, f"::{name}")

    def write(self, name, content):
        with tempfile.NamedTemporaryFile() as file:
            file.write(content)
            file.flush()
            run("mcopy", "-D", "o", "-i", self.fat, file.name, f"::{name}")

    def status(self):
        return self.read("hearth-status.txt").decode().replace("\r\n", "\n").rstrip()


class Machine:
    """An emulated machine that runs from a card; leaving the block pulls the plug."""

    def __init__(self, disk, boot, kind="virt", append=""):
        self.port, self.ssh_port = free_port(), free_port()
        self.directory = tempfile.mkdtemp(prefix="hearth-pi-")
        self.disk = disk
        self.log = os.path.join(self.directory, "console")
        self.monitor = os.path.join(self.directory, "monitor")
        forward = f"hostfwd=tcp:127.0.0.1:{self.port}-:80,hostfwd=tcp:127.0.0.1:{self.ssh_port}-:22"
        network = f"user,id=net,restrict=on,{forward}"
        # The emulated watchdog of a Pi resets the machine as it is armed; virt has none.
        words = f"quiet panic=10 fsck.repair=yes systemd.show_status=yes systemd.watchdog_sec=0 {append}"
        command = ["qemu-system-aarch64", "-display", "none", "-no-reboot",
                   "-kernel", boot["vmlinuz"], "-initrd", boot["initrd.img"],
                   "-monitor", f"unix:{self.monitor},server,nowait", "-netdev", network]
        if kind == "virt":
            command += ["-M", "virt", "-cpu", "cortex-a53", "-smp", "2", "-m", "1024",
                        "-serial", f"file:{self.log}", "-append", f"console=ttyAMA0 {words}",
                        "-drive", f"if=none,id=card,format=raw,file={disk.path}",
                        "-device", "virtio-blk-device,drive=card", "-device", "virtio-net-device,netdev=net"]
        else:
            command += ["-M", "raspi3b", "-dtb", boot["bcm2837-rpi-3-b.dtb"], "-serial", "null",
                        "-serial", f"file:{self.log}", "-append", f"console=ttyS1,115200 {words}",
                        "-drive", f"if=sd,format=raw,file={disk.path}", "-device", "usb-net,netdev=net"]
        self.began = time.monotonic()
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        if kind is not None:
            with open(self.log, errors="replace") as log:
                print("".join(log.readlines()[-60:]), file=sys.stderr)
        shutil.rmtree(self.directory)

    def age(self):
        return time.monotonic() - self.began

    def cost(self):
        """Seconds of this machine's processors so far; what else they do beside it is not in them."""
        with open(f"/proc/{self.process.pid}/stat") as file:
            user, system = file.read().rsplit(")", 1)[1].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def until(self, what, look, patience=PATIENCE):
        """The first answer of `look` that is something."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            found = look()
            if found:
                return found
            if self.process.poll() is not None:
                raise AssertionError(f"the machine stopped while waiting for {what}")
            time.sleep(0.2)
        raise AssertionError(f"{what}: not within {patience} s")

    def card_at(self, moment, name):
        """What is on the card when the plug is pulled at this age."""
        self.until("the moment", lambda: self.age() >= moment)
        return self.card_now(name)

    def card_now(self, name):
        """What is on the card when the plug is pulled now: the machine stands still between two of its instructions while the card
        is copied, and goes on."""
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED)
        card = self.disk.copy(name)
        self.process.send_signal(signal.SIGCONT)
        return card

    def stops(self, patience=PATIENCE):
        """Waits until the machine starts anew: here it ends instead, and another one takes its card."""
        self.process.wait(timeout=patience)
        return self.age()

    def get(self, host, path="/"):
        """Status and body, or None while nobody answers."""
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            connection.request("GET", path, headers={"Host": host})
            answer = connection.getresponse()
            return answer.status, answer.read().decode(errors="replace")
        except (OSError, http.client.HTTPException):
            return None

    def serves(self, host, text):
        """Waits for the first answer; how old the machine was."""
        def look():
            answer = self.get(host)
            return answer is not None and answer[0] == 200
        self.until(f"the first answer for {host}", look)
        age = self.age()
        assert text in self.get(host)[1]
        return age

    def ask(self, *words):
        """A line of the monitor, and what it says."""
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(self.monitor)
            s.settimeout(10)
            said = b""
            while not said.endswith(b"(qemu) "):
                said += s.recv(4096)
            s.sendall((" ".join(words) + "\n").encode())
            said = b""
            while not said.endswith(b"(qemu) "):
                said += s.recv(4096)
            return said.decode(errors="replace")

    def written(self):
        """How many bytes the machine has written to its card."""
        card = next(line for line in self.ask("info", "blockstats").splitlines() if line.startswith("card"))
        return int(re.search(r"\bwr_bytes=(\d+)", card)[1])

    def ssh(self, key, command, given=b"", patience=PATIENCE, last=None):
        """What a command says in the machine that is given these bytes to read; after its `last` words nobody may answer any more."""
        words = ["ssh", "-q", "-i", key, "-p", str(self.ssh_port), "-o", "StrictHostKeyChecking=no",
                 "-o", "UserKnownHostsFile=/dev/null", "-o", "ConnectTimeout=30", "-o", "BatchMode=yes",
                 "root@127.0.0.1", command]
        deadline = time.monotonic() + patience
        while True:
            done = subprocess.run(words, input=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
            said = done.stdout.decode(errors="replace")
            if done.returncode != 255 or (last and last in said):
                return said
            assert time.monotonic() < deadline, f"SSH does not answer: {command}"
            time.sleep(2)
