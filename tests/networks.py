"""Hosts of a test's own on one machine: network namespaces on a bridge, each of which can be cut off.

Needs root and ``ip`` of iproute2. A host that is taken off the bridge is not told: what it sends is lost,
as behind a switch that died.
"""

import ctypes
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Self

_NEW_NETWORK = 0x40000000  # CLONE_NEWNET
_OWN = "/proc/thread-self/ns/net"
_SUBNET = "10.213.77"


def missing() -> str:
    """Return what this machine lacks to make such hosts; empty if nothing."""
    if os.geteuid():
        return "needs root to make network namespaces"
    if not shutil.which("ip"):
        return "needs ip of iproute2 to make network namespaces"
    tried = subprocess.run(["ip", "netns", "add", _name("try")], capture_output=True, text=True, check=False)
    if tried.returncode:
        return f"network namespaces cannot be made here: {tried.stderr.strip()}"
    subprocess.run(["ip", "netns", "del", _name("try")], check=True)
    return ""


class Network:
    """A bridge and its hosts; ``addresses`` by the name of the host."""

    def __init__(self, hosts: Sequence[str]) -> None:
        self.addresses = {host: f"{_SUBNET}.{number}" for number, host in enumerate(hosts, 1)}
        self.bridge = _name("br")
        self._home = -1

    @contextmanager
    def on(self, host: str) -> Iterator[None]:
        """Let this thread, and whatever it starts, be on a host: connections made within are that host's."""
        space = os.open(f"/var/run/netns/{_name(host)}", os.O_RDONLY)
        with _within(space):
            yield
        os.close(space)

    def part(self, host: str, seconds: float) -> None:
        """Take a host off the bridge for a while; the thread that asks may be on any host."""
        with self.without(host):
            time.sleep(seconds)

    @contextmanager
    def without(self, host: str) -> Iterator[None]:
        """Take a host off the bridge meanwhile; the thread that asks may be on any host."""
        with _within(self._home):
            _ip("link", "set", _name(f"{host}-"), "nomaster")
        yield
        with _within(self._home):
            _ip("link", "set", _name(f"{host}-"), "master", self.bridge)

    def __enter__(self) -> Self:
        self._home = os.open(_OWN, os.O_RDONLY)
        _ip("link", "add", self.bridge, "type", "bridge")
        _ip("link", "set", self.bridge, "up")
        for host, address in self.addresses.items():
            space, near, far = _name(host), _name(f"{host}+"), _name(f"{host}-")
            _ip("netns", "add", space)
            _ip("link", "add", far, "type", "veth", "peer", "name", near, "netns", space)
            _ip("link", "set", far, "master", self.bridge, "up")
            _ip("-n", space, "addr", "add", f"{address}/24", "dev", near)
            _ip("-n", space, "link", "set", near, "up")
            _ip("-n", space, "link", "set", "lo", "up")
        return self

    def __exit__(self, *_: object) -> None:
        for host in self.addresses:
            _ip("link", "del", _name(f"{host}-"))  # a namespace lives on while a process is in it
            _ip("netns", "del", _name(host))
        _ip("link", "del", self.bridge)
        os.close(self._home)


def _name(what: str) -> str:
    """Name a namespace or a device, at most 15 characters, apart from those of other runs."""
    return f"v{os.getpid() % 100_000}{what}"


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr}"


@contextmanager
def _within(namespace: int) -> Iterator[None]:
    """Let this thread be in a network namespace, and bring it back."""
    before = os.open(_OWN, os.O_RDONLY)
    _enter(namespace)
    try:
        yield
    finally:
        _enter(before)
        os.close(before)


def _enter(namespace: int) -> None:
    if ctypes.CDLL(None, use_errno=True).setns(namespace, _NEW_NETWORK):
        raise OSError(ctypes.get_errno(), "setns")
