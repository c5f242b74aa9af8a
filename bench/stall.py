#!/usr/bin/python3
"""A FUSE file system that passes reads through to a directory, and stalls while a switch file exists.

  stall.py DIRECTORY MOUNT SWITCH

Nothing is cached by the kernel, so that every look and every open comes here, as on a GlusterFS mount.
"""

import os
import sys
import time

import fusepy as fuse


class Stall(fuse.Operations):
    def __init__(self, below, switch):
        self.below, self.switch = below, switch

    def path(self, path):
        while os.path.exists(self.switch):
            time.sleep(0.05)
        return self.below + path

    def getattr(self, path, handle=None):
        try:
            stat = os.lstat(self.path(path))
        except OSError as error:
            raise fuse.FuseOSError(error.errno)
        names = ("st_mode", "st_ino", "st_nlink", "st_size", "st_uid", "st_gid", "st_atime", "st_mtime", "st_ctime")
        return {name: getattr(stat, name) for name in names}

    def readdir(self, path, handle):
        return [".", "..", *os.listdir(self.path(path))]

    def open(self, path, flags):
        try:
            return os.open(self.path(path), flags)
        except OSError as error:
            raise fuse.FuseOSError(error.errno)

    def read(self, path, size, offset, handle):
        self.path(path)
        return os.pread(handle, size, offset)

    def release(self, path, handle):
        os.close(handle)

    def statfs(self, path):
        stat = os.statvfs(self.path(path))
        return {name: getattr(stat, name) for name in ("f_bsize", "f_frsize", "f_blocks", "f_bfree", "f_files")}


if __name__ == "__main__":
    below, mount, switch = sys.argv[1:]
    fuse.FUSE(
        Stall(below, switch), mount, foreground=True, allow_other=True, attr_timeout=0, entry_timeout=0,
        negative_timeout=0, use_ino=True,
    )
