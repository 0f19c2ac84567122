"""Files with everything that a backup has to keep, and what there is to compare of them.

Runs on an emulated host, read from standard input: `python - make FOLDER`, `python - facts FOLDER`, and
`python - many FOLDER COUNT BYTES`.
"""

import hashlib
import json
import os
import struct
import sys
from typing import Any

HOSTILE = [
    b"new\nline",
    b"quote'\"`$(touch x)",
    b"-rf",
    b"--checkpoint-action=exec=x",
    b"latin-\xe9",
    b"back\\slash",
    b" space ",
    b"tar: x",
    b"./.. ",
]
MIB = 1024 * 1024

# A POSIX ACL as the kernel keeps it: version 2, then tag, permissions and id of each entry; user 4242 may read.
_NOBODY = 0xFFFFFFFF
_ENTRIES = ((0x01, 6, _NOBODY), (0x02, 4, 4242), (0x04, 4, _NOBODY), (0x10, 4, _NOBODY), (0x20, 0, _NOBODY))
ACL = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *each) for each in _ENTRIES)


def make(folder: str) -> None:
    """A tree with odd names, odd modes, links, holes, attributes and times."""
    os.makedirs(f"{folder}/deep/empty")
    for number, name in enumerate(HOSTILE):
        with open(folder.encode() + b"/deep/" + name, "wb") as file:
            file.write(b"x" * number)
    plain = f"{folder}/plain"
    with open(plain, "w") as file:
        file.write("some text\n" * 1000)
    os.chmod(plain, 0o4750)  # noqa: S103 - kept as it is
    os.setxattr(plain, "user.origin", b"here \x00 there")
    os.link(plain, f"{folder}/hard")
    os.symlink("plain", f"{folder}/soft")
    os.symlink("/nowhere", f"{folder}/dangling")
    with open(f"{folder}/holes", "wb") as file:
        file.seek(64 * MIB)
        file.write(b"middle")
        file.seek(128 * MIB)
        file.write(b"end")
    os.chown(f"{folder}/holes", 4242, 4343)
    with open(f"{folder}/shared", "wb") as file:
        file.write(os.urandom(MIB))
    os.setxattr(f"{folder}/shared", "system.posix_acl_access", ACL)
    os.mkfifo(f"{folder}/pipe", 0o640)
    long = f"{folder}/{'long' * 40}/{'name' * 40}"
    os.makedirs(long)
    os.symlink(long, f"{folder}/far")
    os.utime(plain, ns=(1_000_000_000_123_456_789, 1_000_000_000_123_456_789))
    os.chmod(f"{folder}/deep", 0o1700)


def many(folder: str, count: int, size: int) -> None:
    """So many small files, nine of ten empty, a thousand a folder; and one of `size` bytes, a hole but for its ends."""
    for number in range(count):
        if number % 1000 == 0:
            os.makedirs(f"{folder}/{number // 1000}")
        handle = os.open(f"{folder}/{number // 1000}/{number}", os.O_CREAT | os.O_WRONLY)
        os.write(handle, b"small" if number % 10 == 0 else b"")
        os.close(handle)
    with open(f"{folder}/sparse", "wb") as file:
        file.write(b"begin")
        file.seek(size - 3)
        file.write(b"end")


def facts(root: str) -> dict[str, Any]:
    """What there is to compare of the folder and of every file below it."""
    found = {".": fact(root.encode())}
    for parent, folders, files in os.walk(root.encode()):
        for name in (*folders, *files):
            path = os.path.join(parent, name)
            found[os.fsdecode(os.path.relpath(path, root.encode()))] = fact(path)
    return found


def fact(path: bytes) -> dict[str, Any]:
    """Of one file: what `ls`, `stat` and `getfattr` would tell, and its content."""
    stat = os.lstat(path)
    regular = os.path.isfile(path) and not os.path.islink(path)
    attributes = os.listxattr(path, follow_symlinks=False)
    return {
        "mode": oct(stat.st_mode),
        "owner": [stat.st_uid, stat.st_gid],
        "modified": stat.st_mtime_ns,
        "links": stat.st_nlink if regular else 0,
        "target": os.fsdecode(os.readlink(path)) if os.path.islink(path) else "",
        "size": stat.st_size if regular else 0,
        "holes": stat.st_blocks * 512 < stat.st_size,
        "content": digest(path) if regular else "",
        "attributes": {each: os.getxattr(path, each, follow_symlinks=False).hex() for each in attributes},
    }


def digest(path: bytes) -> str:
    """SHA-256 of a file, read in pieces."""
    hashed = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(MIB):
            hashed.update(piece)
    return hashed.hexdigest()


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(sys.argv[2])
    elif sys.argv[1] == "many":
        many(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    else:
        sys.stdout.write(json.dumps(facts(sys.argv[2])))
