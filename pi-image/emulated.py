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
import threading
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


class Plug:
    """What a machine is connected by, and the ports of this machine that lead to its site and its SSH."""

    def __init__(self, address="10.0.2.15"):
        self.port, self.ssh_port = free_port(), free_port()
        # Its own: the router knows machines by it.
        self.mac = "52:54:00:" + ":".join(part.zfill(2) for part in address.split(".")[1:])
        self.forward = (f"hostfwd=tcp:127.0.0.1:{self.port}-{address}:80,"
                        f"hostfwd=tcp:127.0.0.1:{self.ssh_port}-{address}:22")
        self.network = f"user,id=net,restrict=on,{self.forward}"


class Router:
    """A home's router that several machines are plugged into: each gets an address, in the order in which they first ask, and they
    reach each other. Ends with its block."""

    def __init__(self, count):
        self.plugs = [Plug(f"10.0.2.{15 + number}") for number in range(count)]
        self.lines, self.behind, self.lock = [], {}, threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self.accept, daemon=True).start()
        line = f"socket,id=net,connect=127.0.0.1:{self.listener.getsockname()[1]}"
        for plug in self.plugs:
            plug.network = line
        # QEMU's own network without a machine: it gives the addresses, and lets the test in. It answers whatever it is shown, so
        # that frames from machine to machine must not come its way.
        forward = ",".join(plug.forward for plug in self.plugs)
        self.process = subprocess.Popen(
            ["qemu-system-aarch64", "-M", "none", "-nodefaults", "-display", "none", "-netdev", f"user,id=home,restrict=on,{forward}",
             "-netdev", line, "-netdev", "hubport,id=inside,hubid=0,netdev=home", "-netdev", "hubport,id=outside,hubid=0,netdev=net"],
            stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.process.kill()
        self.process.wait()
        self.listener.close()

    def accept(self):
        while True:
            try:
                line, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                self.lines.append(line)
            threading.Thread(target=self.carry, args=(line,), daemon=True).start()

    def carry(self, line):
        """Takes the frames of one line, each behind its length, to where they belong."""
        with line, line.makefile("rb") as frames:
            while True:
                head = frames.read(4)
                if len(head) < 4:
                    break
                frame = frames.read(int.from_bytes(head, "big"))
                with self.lock:
                    self.behind[frame[6:12]] = line
                    known = None if frame[0] & 1 else self.behind.get(frame[:6])
                    for other in [known] if known else [each for each in self.lines if each is not line]:
                        self.hand_over(other, head + frame)
            with self.lock:
                self.lines.remove(line)
                self.behind = {address: other for address, other in self.behind.items() if other is not line}

    @staticmethod
    def hand_over(line, frame):
        try:
            line.sendall(frame)
        except OSError:
            # It is about to be found closed.
            pass


class Machine:
    """An emulated machine that runs from a card; leaving the block pulls the plug."""

    def __init__(self, disk, boot, kind="virt", append="", plug=None):
        self.plug = plug or Plug()
        self.directory = tempfile.mkdtemp(prefix="hearth-pi-")
        self.disk = disk
        self.log = os.path.join(self.directory, "console")
        self.monitor = os.path.join(self.directory, "monitor")
        # The emulated watchdog of a Pi resets the machine as it is armed; virt has none.
        words = f"quiet panic=10 fsck.repair=yes systemd.show_status=yes systemd.watchdog_sec=0 {append}"
        command = ["qemu-system-aarch64", "-display", "none", "-no-reboot",
                   "-kernel", boot["vmlinuz"], "-initrd", boot["initrd.img"],
                   "-monitor", f"unix:{self.monitor},server,nowait", "-netdev", self.plug.network]
        if kind == "virt":
            command += ["-M", "virt", "-cpu", "cortex-a53", "-smp", "2", "-m", "1024",
                        "-serial", f"file:{self.log}", "-append", f"console=ttyAMA0 {words}",
                        "-drive", f"if=none,id=card,format=raw,file={disk.path}",
                        "-device", "virtio-blk-device,drive=card",
                        "-device", f"virtio-net-device,netdev=net,mac={self.plug.mac}"]
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
            connection = http.client.HTTPConnection("127.0.0.1", self.plug.port, timeout=5)
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
        words = ["ssh", "-q", "-i", key, "-p", str(self.plug.ssh_port), "-o", "StrictHostKeyChecking=no",
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
