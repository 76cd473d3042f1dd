"""The attacks of `canaries.py`. Runs only as a learner's file, inside a sandbox; each says whether it got through."""

# ruff: noqa
# mypy: ignore-errors

import ctypes, os, signal, socket, subprocess, sys, time


def honest_work(path):
    """What every sandbox must allow; if this fails, the canaries prove nothing."""
    with open("own.txt", "w") as file:
        file.write("1")
    return open("own.txt").read() + open(path).read() == "12"


def read_hidden(path):
    return open(path).read()


def write_outside(path):
    open(path, "w").write("was here")
    return True


def read_memory(pid):
    with open(f"/proc/{pid}/environ", "rb") as file:
        return len(file.read(64)) > 0


def trace(pid):
    libc = ctypes.CDLL(None, use_errno=True)
    attach, detach = 16, 17
    if libc.ptrace(attach, pid, 0, 0):
        raise OSError(ctypes.get_errno(), "ptrace")
    os.waitpid(pid, 0)
    libc.ptrace(detach, pid, 0, 0)
    return True


def send_signal(pid):
    os.kill(pid, 0)
    return True


def reach_tcp(port):
    socket.create_connection(("127.0.0.1", port), timeout=1).close()
    return True


def reach_unix(path):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(1)
        sock.connect(path)
    return True


def reach_abstract(name):
    return reach_unix(b"\0" + name.encode())


def leave_daemon(mark):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execvp("sleep", ["sleep", mark])
        os._exit(0)
    return True


def become_root():
    os.setuid(0)
    os.chown("/proc/self", 0, 0)
    return True


def new_namespace():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(0x10000000 | 0x00020000):
        raise OSError(ctypes.get_errno(), "unshare")
    return True


def fork_many(count):
    made = 0
    for _ in range(count):
        try:
            if os.fork() == 0:
                time.sleep(5)
                os._exit(0)
            made += 1
        except OSError:
            break
    time.sleep(0.5)
    return made >= count


def take_memory(mb):
    held = []
    for _ in range(mb // 8):
        held.append(os.urandom(1) * (8 * 2**20))
    time.sleep(0.5)
    return True


def take_memory_together(mb):
    pids = []
    for _ in range(4):
        pid = os.fork()
        if pid == 0:
            held = bytearray(b"x") * (mb // 4 * 2**20)
            time.sleep(1.5)
            os._exit(len(held) % 2)
        pids.append(pid)
    return all(os.waitpid(pid, 0)[1] == 0 for pid in pids)


def fill_disk(mb):
    for number in range(mb):
        with open(f"filler-{number}", "wb") as file:
            file.write(bytes(2**20))
    time.sleep(1)
    return True
