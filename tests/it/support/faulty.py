#!/usr/bin/python3
"""A FUSE file system that passes a directory through, and fails where a file of faults says so.

  faulty.py DIRECTORY MOUNT FAULTS

Each line of FAULTS is `OPERATION PATH ERROR COUNT`: the operation (getattr, readdir, open, read, statfs) on the path
fails COUNT times with the error (ESTALE, EIO, ENOTCONN, ...), or for as long as the line stands when COUNT is `*`. The
path `*` is every path; the error HANG does not fail but waits until the line is gone. Of what failed, one line each is
appended to FAULTS.done. The kernel caches nothing, so every look and every open comes here, as on a GlusterFS mount.
"""

import errno
import os
import sys
import threading
import time

import fusepy as fuse

STAT = ("st_mode", "st_ino", "st_nlink", "st_size", "st_uid", "st_gid", "st_atime", "st_mtime", "st_ctime")


class Faulty(fuse.Operations):
    def __init__(self, below, faults):
        self.below, self.faults = below, faults
        self.guard, self.used, self.read_at = threading.Lock(), {}, None

    def wanted(self, operation, path):
        """The fault that is due now, if any; it counts as used."""
        with self.guard:
            stat = os.stat(self.faults)
            if (stat.st_ino, stat.st_mtime_ns) != self.read_at:
                self.used, self.read_at = {}, (stat.st_ino, stat.st_mtime_ns)
            with open(self.faults) as file:
                lines = [line.split() for line in file if line.strip()]
            for line in lines:
                its_operation, its_path, error, count = line
                if its_operation != operation or its_path not in (path, "*"):
                    continue
                used = self.used.get(tuple(line), 0)
                if count != "*" and used >= int(count):
                    continue
                self.used[tuple(line)] = used + 1
                with open(self.faults + ".done", "a") as done:
                    done.write(f"{operation} {path} {error}\n")
                return error
        return None

    def at(self, operation, path):
        while True:
            error = self.wanted(operation, path)
            if error is None:
                return self.below + path
            if error != "HANG":
                raise fuse.FuseOSError(getattr(errno, error))
            time.sleep(0.05)

    def getattr(self, path, handle=None):
        below = self.at("getattr", path)
        try:
            stat = os.lstat(below)
        except OSError as error:
            raise fuse.FuseOSError(error.errno)
        return {name: getattr(stat, name) for name in STAT}

    def readlink(self, path):
        return os.readlink(self.at("readlink", path))

    def readdir(self, path, handle):
        return [".", "..", *os.listdir(self.at("readdir", path))]

    def open(self, path, flags):
        below = self.at("open", path)
        try:
            return os.open(below, flags)
        except OSError as error:
            raise fuse.FuseOSError(error.errno)

    def read(self, path, size, offset, handle):
        self.at("read", path)
        return os.pread(handle, size, offset)

    def release(self, path, handle):
        os.close(handle)

    def statfs(self, path):
        stat = os.statvfs(self.at("statfs", path))
        return {name: getattr(stat, name) for name in ("f_bsize", "f_frsize", "f_blocks", "f_bfree", "f_files")}


if __name__ == "__main__":
    below, mount, faults = sys.argv[1:]
    fuse.FUSE(
        Faulty(below, faults), mount, foreground=True, attr_timeout=0, entry_timeout=0, negative_timeout=0,
        use_ino=True, direct_io=True, fsname="hearth-faulty",
    )
