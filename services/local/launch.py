"""Started by the supervisor in place of a child: ties it to the supervisor's life, gives up root, becomes the child.

    python -I -S launch.py PARENT SIGNAL USER COMMAND...

It is a program of its own because these steps belong between fork and exec, where the supervisor, which has threads,
must not run Python. The process id stays that of the child. ``PARENT`` is the supervisor's process id; ``SIGNAL`` comes to the
child when the supervisor ends in whatever way (Linux only); ``USER`` is ``-`` or ``uid:gid``, with ``:reach`` when the user
has to pass folders that are closed to it.
"""

from __future__ import annotations

import ctypes
import os
import sys

PR_SET_PDEATHSIG, PR_SET_SECUREBITS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 1, 28, 47, 2
SECBIT_NO_SETUID_FIXUP = 1 << 2
CAPABILITY_VERSION_3 = 0x20080522
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1, 2


def main(parent: int, death_signal: int, user: str, command: list[str]) -> None:
    os.umask(0o077)  # what children write is about patients
    if user != "-":
        uid, gid, *reach = user.split(":")
        try:
            become(int(uid), int(gid), bool(reach))
        except OSError as error:
            sys.exit(
                f"{command[0]} does not run as root, and root may not hand it to user {uid} here ({error}): run rxvigil as "
                "an ordinary user, or keep it and its data where every user may pass, as below /opt and /var/lib"
            )
    if sys.platform == "linux":
        # last, because a change of user clears it
        call("prctl", PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
        if os.getppid() != parent:
            sys.exit("the supervisor ended while this process was starting")
    os.execv(command[0], command)  # noqa: S606 - an argument list, no shell


def become(uid: int, gid: int, reach: bool) -> None:
    """Give up root for good. With ``reach``, of all its rights only that to pass and read closed folders is kept."""
    if reach:
        # without this bit access(2), by which Postgres looks for its own files, would ignore the capability
        call("prctl", PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0)
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    if reach:
        try:
            keep_only(CAP_DAC_READ_SEARCH)
        except OSError:
            keep_only(CAP_DAC_OVERRIDE)  # containers often have this one only


def keep_only(capability: int) -> None:
    """Reduce the capabilities to one that survives exec. Raises ``OSError`` when this process does not have it."""
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    bit = 1 << capability
    call("capset", header, (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0))
    call("prctl", PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0)


def call(name: str, *arguments: object) -> None:
    converted = [ctypes.c_ulong(each) if isinstance(each, int) else each for each in arguments]
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*converted) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:])
