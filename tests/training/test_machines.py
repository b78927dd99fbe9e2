"""The port where machines meet: who may come in, how long a stranger may take, and that none of them ends the chief."""
import contextlib
import socket
import threading
import time

import pytest

from support.errors import InputError
from training import machines

SECRET = "some words that only these machines know"


@pytest.fixture
def cluster(monkeypatch):
    """Two machines on the loopback, the chief's number."""
    monkeypatch.setenv(machines.SECRET, SECRET)
    with contextlib.closing(socket.socket()) as door:
        door.bind(("127.0.0.1", 0))
        port = door.getsockname()[1]
    return machines.Cluster(("the chief", "worker 1"), (f"127.0.0.1:{port - 1}", f"127.0.0.1:{port}"), 0)


class Chief:
    """A chief that gathers in a thread."""

    def __init__(self, cluster, difference=lambda old, new: [] if old == new else ["other"]):
        self.error, self.entered = None, threading.Event()
        self._cluster, self._difference = cluster, difference
        self._thread = threading.Thread(target=self._gather)
        self._thread.start()

    def _gather(self):
        try:
            with machines.Machines(self._cluster).gathered({"a": 1}, self._difference) as gathered:
                gathered.tell(step=3)
                self.entered.set()
        except BaseException as error:  # pylint: disable=broad-except
            self.error = error

    def end(self):
        self._thread.join(20)
        assert not self._thread.is_alive()
        return self.error


def connect(cluster):
    for _ in range(100):
        with contextlib.suppress(OSError):
            return socket.create_connection(cluster.meeting_place, 10)
        time.sleep(0.05)
    return pytest.fail("nobody listens")


def join(cluster):
    """The other machine, as it should be; returns what it was told."""
    with machines.Machines(cluster._replace(number=1)).joined({"a": 1}) as told:
        return told


def signed(connection, content):
    """Send content with the proof that a machine gives."""
    challenge = machines.receive_line(connection, 10)
    machines.send(connection, content, SECRET.encode(), b"join" + challenge)


STRANGERS = {
    "garbage": b"\x00\xff garbage \x80\n", "http": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "nothing": b"", "an empty line": b"\n",
    "json": b'{"number": 1, "about": {"a": 1}, "challenge": "x"}\n', "deep json": b"[" * 60000 + b"\n",
    "without end": b"x" * (machines.LONGEST_LINE + 10)}


@pytest.mark.parametrize("name", list(STRANGERS))
def test_a_stranger_is_not_let_in_and_the_machines_still_meet(name, cluster, capsys):
    chief = Chief(cluster)
    with connect(cluster) as stranger:
        with contextlib.suppress(OSError):
            stranger.sendall(STRANGERS[name])
            stranger.shutdown(socket.SHUT_WR)
        assert join(cluster) == {"step": 3}
    assert chief.end() is None
    assert "127.0.0.1 came to the port where the machines meet, and is none of them" in capsys.readouterr().out


@pytest.mark.parametrize("hello", [
    {"number": 2}, {"number": True, "about": {"a": 1}, "challenge": "x"}, {"number": 1, "about": {"a": 1}, "challenge": 7},
    {"number": [1], "about": {"a": 1}, "challenge": "x"}, {"number": 1, "about": [], "challenge": "x"}, []])
def test_what_knows_the_secret_and_talks_nonsense_is_no_traceback(hello, cluster):
    def difference(old, new):
        return [key for key in new if old.get(key) != new[key]]
    chief = Chief(cluster, difference)
    with connect(cluster) as connection:
        signed(connection, hello)
        assert connection.recv(1) == b""
    assert join(cluster) == {"step": 3} and chief.end() is None


def test_a_slow_stranger_is_left_after_a_while(cluster, monkeypatch):
    monkeypatch.setattr(machines, "BEAT", 0.5)
    chief = Chief(cluster)
    with connect(cluster) as slow:
        ended = threading.Event()

        def drip():
            with contextlib.suppress(OSError):
                while not ended.wait(0.1):
                    slow.sendall(b"x")
        thread = threading.Thread(target=drip)
        thread.start()
        began = time.time()
        assert join(cluster) == {"step": 3}
        assert time.time() - began < 10
        ended.set()
        thread.join()
    assert chief.end() is None


def test_strangers_without_end_do_not_make_the_chief_wait_longer(cluster, monkeypatch):
    monkeypatch.setattr(machines, "WAIT", 1.0)
    chief = Chief(cluster)
    until = time.time() + 20
    while chief.error is None and time.time() < until:
        with contextlib.suppress(OSError), socket.create_connection(cluster.meeting_place, 1) as stranger:
            stranger.sendall(b"\n")
    assert "nothing came from worker 1" in str(chief.end())


def test_another_secret_is_no_secret(cluster, monkeypatch, capsys):
    monkeypatch.setattr(machines, "WAIT", 3.0)
    chief = Chief(cluster)
    connect(cluster).close()
    monkeypatch.setenv(machines.SECRET, SECRET + " or not")
    with pytest.raises(InputError, match=f"or its {machines.SECRET} is another"):
        join(cluster)
    assert "nothing came from worker 1" in str(chief.end())
    assert SECRET not in capsys.readouterr().out


def test_a_false_chief_is_not_believed(cluster):
    """It has heard what a machine sends, and sends it back."""
    def lie(door):
        connection, _ = door.accept()
        with connection:
            machines.send_line(connection, b"00")
            line = machines.receive_line(connection, 10)
            assert line and SECRET.encode() not in line
            machines.send_line(connection, line)
            time.sleep(0.2)

    with contextlib.closing(machines.open_door(cluster.meeting_place)) as door:
        thread = threading.Thread(target=lie, args=(door,))
        thread.start()
        with pytest.raises(InputError, match="is another"):
            join(cluster)
        thread.join()


def test_the_chief_listens_at_its_address_alone(cluster):
    with contextlib.closing(machines.open_door(cluster.meeting_place)) as door:
        assert door.getsockname()[0] == "127.0.0.1"
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.2", cluster.meeting_place[1]), 1)
        with pytest.raises(InputError, match="cannot be used"):
            machines.open_door(cluster.meeting_place)
    with pytest.raises(InputError, match="cannot be used.*address that this machine has"):
        machines.open_door(("192.0.2.1", cluster.meeting_place[1]))
    with pytest.raises(InputError, match="is not known here"):
        machines.open_door(("no.such.host.invalid", 5))


@pytest.mark.parametrize("secret, words", [(None, "is not set"), ("", "is not set"), ("short", "is too short")])
def test_machines_need_a_secret(secret, words, cluster, monkeypatch):
    monkeypatch.delenv(machines.SECRET)
    if secret is not None:
        monkeypatch.setenv(machines.SECRET, secret)
    with pytest.raises(InputError, match=f"{machines.SECRET} {words}.*token_hex"):
        machines.Machines(cluster)
    machines.Machines(machines.ALONE)


@pytest.mark.parametrize("restart, words", [(False, "; the same commands continue"), (True, "the same commands without --restart")])
def test_what_continues_where_a_machine_is_lost(restart, words, cluster, monkeypatch):
    told = []
    monkeypatch.setattr(machines, "end_process", told.append)
    ours, theirs = socket.socketpair()
    theirs.close()
    with ours:
        machines.Machines(cluster, restart)._listen(1, ours)  # pylint: disable=protected-access
    assert len(told) == 1 and told[0].startswith("worker 1 has ended") and words in told[0]


@pytest.mark.parametrize("text, right", [
    ("10.0.0.1:2222", True), ("a:0", False), ("a:65535", False), ("a:", False), (":5", False), ("a:\u00b2", False),
    ("a:\u0663", False), ("a:1\n", False), ("a:" + "1" * 5000, False), (7, False)])
def test_a_port_is_a_number_in_ascii(text, right):
    assert machines.is_address(text) is right
