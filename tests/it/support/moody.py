#!/usr/bin/python3
"""A FUSE file system over a directory, whose mood is a word in a file: well, slow, stall or error.

  moody.py DIRECTORY MOUNT [-o OPTIONS]        the mood is in DIRECTORY.mood; no file: well

The kernel caches nothing, so that every look comes here, as on a GlusterFS mount. Goes into the background when it was
started by mount(8), which gives it options.
"""

import errno
import os
import sys
import time

import fusepy as fuse


class Moody(fuse.Operations):
    def __init__(self, below):
        self.below = below

    def mood(self):
        try:
            with open(self.below + ".mood") as file:
                return file.read().strip()
        except FileNotFoundError:
            return "well"

    def path(self, path):
        while self.mood() == "stall":
            time.sleep(0.02)
        if self.mood() == "slow":
            time.sleep(0.6)
        if self.mood() == "error":
            raise fuse.FuseOSError(errno.EIO)
        return self.below + path

    def real(self, call, path, *more):
        try:
            return call(self.path(path), *more)
        except OSError as error:
            raise fuse.FuseOSError(error.errno)

    def getattr(self, path, handle=None):
        stat = self.real(os.lstat, path)
        names = ("st_mode", "st_ino", "st_nlink", "st_size", "st_uid", "st_gid", "st_atime", "st_mtime", "st_ctime")
        return {name: getattr(stat, name) for name in names}

    def readdir(self, path, handle):
        return [".", "..", *self.real(os.listdir, path)]

    def open(self, path, flags):
        return self.real(os.open, path, flags)

    def read(self, path, size, offset, handle):
        self.path(path)
        return os.pread(handle, size, offset)

    def release(self, path, handle):
        os.close(handle)

    def statfs(self, path):
        stat = self.real(os.statvfs, path)
        return {name: getattr(stat, name) for name in ("f_bsize", "f_frsize", "f_blocks", "f_bfree", "f_bavail")}


if __name__ == "__main__":
    below, mount = sys.argv[1:3]
    fuse.FUSE(
        Moody(below), mount, foreground=len(sys.argv) == 3, allow_other=True, attr_timeout=0, entry_timeout=0,
        negative_timeout=0, use_ino=True, nonempty=True, fsname="moody", subtype="moody",
    )
