"""Several machines that train together: who they are (TF_CONFIG), that they do the same, and that none is lost unnoticed.

TensorFlow's own traffic goes through the ports of TF_CONFIG. It neither tells of a machine that is gone nor ends waiting
for it, so the machines are connected besides: each one to the chief, at the port after the chief's. Over that connection
go, once and as lines of JSON, what a machine is about to train and where the chief begins; then, both ways, a beat every
few seconds.

Either side proves that it knows the user's secret, by a digest (HMAC-SHA-256) of the secret, a number that the other has just
drawn, and the line. Nothing that comes without proof is looked into.
"""
import contextlib
import hashlib
import hmac
import json
import os
import re
import secrets
import socket
import threading
import time
from typing import NamedTuple

from support.console import say
from support.errors import InputError, Interrupted

WAIT = 600.0      # seconds in which all machines must have come
BEAT = 5.0        # seconds between two signs of life
SILENCE = 30.0    # seconds without one after which a machine counts as lost
ALIVE, FAREWELL = b".", b"!"
LONGEST_LINE = 1 << 16  # bytes; what a machine is about to train takes some thousands
SECRET = "CLUSTER_SECRET"  # the environment variable
SHORTEST_SECRET = 16

EXAMPLE = '{"cluster": {"worker": ["10.0.0.1:2222", "10.0.0.2:2222"]}, "task": {"type": "worker", "index": 0}}'


class Cluster(NamedTuple):
    """The machines of TF_CONFIG, the chief first."""

    names: tuple      # as messages name them, such as "worker 1 (10.0.0.2:2222)"
    addresses: tuple  # "host:port", TensorFlow's
    number: int       # of this machine

    @property
    def meeting_place(self):
        """(host, port) where the chief listens: the port after its own in TF_CONFIG."""
        host, _, port = self.addresses[0].rpartition(":")
        return host.strip("[]"), int(port) + 1


ALONE = Cluster(("this machine",), ("",), 0)


def of_environment():
    """The Cluster that the environment's TF_CONFIG describes; ALONE without one, or where it names one machine.

    Raises
    ------
    InputError : TF_CONFIG is not what TensorFlow expects of machines that train with MultiWorkerMirroredStrategy.
    """
    text = os.environ.get("TF_CONFIG", "").strip()
    return parse(text) if text else ALONE


def parse(text):
    """The Cluster of a TF_CONFIG; raises as `of_environment`."""
    try:
        config = json.loads(text)
    except ValueError as error:
        raise wrong(f"it is not JSON ({error})")
    if not isinstance(config, dict) or not isinstance(config.get("cluster", {}), dict):
        raise wrong("it is not an object with the objects `cluster` and `task`")
    jobs, task = config.get("cluster", {}), config.get("task", {})
    others = sorted(set(jobs) - {"chief", "worker"})
    if others:
        raise wrong(f"the cluster has the job {others[0]}; only `chief` and `worker` train here")
    for job, addresses in jobs.items():
        if not isinstance(addresses, list) or not all(map(is_address, addresses)):
            raise wrong(f"`{job}` of the cluster is not a list of \"host:port\"")
    members = [(job, index, address) for job in ("chief", "worker") for index, address in enumerate(jobs.get(job, []))]
    addresses = tuple(address for _, _, address in members)
    if len(jobs.get("chief", [])) > 1 or len(set(addresses)) < len(addresses):
        raise wrong("the cluster names two chiefs, or one address twice")
    if len(members) < 2:
        return ALONE
    where = (task.get("type"), task.get("index")) if isinstance(task, dict) else None
    numbers = [number for number, (job, index, _) in enumerate(members) if (job, index) == where]
    if not numbers:
        raise wrong("its `task` is none of the cluster's machines")
    names = tuple(f"{job} {index} ({address})" if number else f"the chief ({address})"
                  for number, (job, index, address) in enumerate(members))
    return Cluster(names, addresses, numbers[0])


def secret_of_environment():
    """The secret that the machines know each other by, as bytes; InputError where the user has set none, or a short one."""
    secret = os.environ.get(SECRET, "").strip()
    if len(secret) < SHORTEST_SECRET:
        raise InputError(f"the environment variable {SECRET} " + ("is not set" if not secret else "is too short")
                         + f": the machines of TF_CONFIG know each other by it. Set it to the same {SHORTEST_SECRET} or more "
                         "characters on all of them; `python3 -c 'import secrets; print(secrets.token_hex(16))'` draws some.")
    return secret.encode("utf-8", "surrogateescape")


def wrong(reason):
    """The InputError for a TF_CONFIG that is of no use."""
    return InputError(f"the environment variable TF_CONFIG is not usable: {reason}. It looks like {EXAMPLE}, with another "
                      "index on each machine; `unset TF_CONFIG` trains on this machine alone.")


def is_address(text):
    """Whether this is "host:port"."""
    host, _, port = text.rpartition(":") if isinstance(text, str) else ("", "", "")
    # Not isdigit: it knows digits of which int makes no number.
    return bool(host) and re.match(r"[0-9]{1,5}\Z", port) is not None and 0 < int(port) < 65535


class Machines:
    """The connections of one machine of a Cluster; without others, as for ALONE, all of this does nothing.

    While machines are watched, the loss of one ends this process with exit status 1 and a line that names it.

    Parameters
    ----------
    cluster : Cluster
    restart : whether the command was given with --restart, without which it continues.
    """

    def __init__(self, cluster, restart=False):
        self.cluster = cluster
        self._same_commands = "the same commands without --restart" if restart else "the same commands"
        self.count = len(cluster.addresses)
        self._secret = secret_of_environment() if self.count > 1 else None
        self.is_chief = cluster.number == 0
        self.all_know = False  # whether all have agreed on ending
        self._others = {}      # number of a machine -> its connection
        self._challenges = {}  # number of a machine -> what it drew, to be answered
        self._listeners = []
        self._leaving = threading.Event()

    @contextlib.contextmanager
    def gathered(self, about, difference):
        """The chief's: within this block every machine is there and watched.

        Parameters
        ----------
        about : what this machine is about to train, to be sent as JSON.
        difference : function of another machine's `about` and this one's: list of lines.

        Raises
        ------
        InputError : a machine does not come, or is about to train something else.
        """
        try:
            if self.count > 1:
                self._gather(about, difference)
            with self._farewell():
                yield self
        finally:
            self._close()

    @contextlib.contextmanager
    def joined(self, about):
        """Another machine's: within this block it is connected to the chief and watched; gives what the chief told."""
        try:
            connection = self._connect()
            self._others = {0: connection}
            challenge = receive_line(connection, SILENCE) or b""
            own = secrets.token_hex(16)
            send(connection, {"number": self.cluster.number, "about": about, "challenge": own}, self._secret, b"join" + challenge)
            told = receive(connection, self._secret, b"told" + own.encode("ascii"))
            if told is None:
                raise InputError(f"{self.cluster.names[0]} has ended before training began, or its {SECRET} is another than here; "
                                 "what it printed says why.")
            if "refused" in told:
                raise InputError(told["refused"])
            self._watch()
            with self._farewell():
                yield told
            # The chief may still be saving: only when it has, the run has ended well.
            for listener in self._listeners:
                listener.join()
        finally:
            self._close()

    def tell(self, **told):
        """The chief's: tell the others where training begins, or that nothing is to do; from here on they are watched."""
        for number in self._others:
            self._tell(number, told)
        self._watch()

    def _tell(self, number, told):
        send(self._others[number], told, self._secret, b"told" + self._challenges[number])

    # --------------------------------------------------------------------------------------------------- meeting

    def _gather(self, about, difference):
        """Wait for all the others."""
        place = self.cluster.meeting_place
        with contextlib.closing(open_door(place)) as door:
            say(f"waiting for {self.count - 1} other machine{'s' if self.count > 2 else ''} at port {place[1]} ...")
            begun = time.time()
            while len(self._others) < self.count - 1:
                door.settimeout(max(begun + WAIT - time.time(), 0.01))
                try:
                    if time.time() > begun + WAIT:
                        raise socket.timeout
                    connection, address = door.accept()
                except socket.timeout:
                    missing = [self.cluster.names[number] for number in range(1, self.count) if number not in self._others]
                    raise InputError(f"within {WAIT / 60:.0f} minutes nothing came from {', '.join(missing)}. Give the same "
                                     f"command on every machine, each with its own TF_CONFIG and the same {SECRET}; port "
                                     f"{place[1]} here must be open to them.")
                self._receive_one(connection, address[0], about, difference)

    def _receive_one(self, connection, address, about, difference):
        """Read what a machine is about to train. One that has come before, and was started anew, replaces itself."""
        challenge = secrets.token_hex(16).encode("ascii")
        send_line(connection, challenge)
        hello = receive(connection, self._secret, b"join" + challenge, BEAT) or {}
        try:
            number, its_challenge = hello["number"], hello["challenge"].encode("ascii")
            other = difference(hello["about"], about)
            known = type(number) is int and 0 < number < self.count
        except (KeyError, TypeError, AttributeError, ValueError):
            known = False
        if not known:
            connection.close()
            say(f"{address} came to the port where the machines meet, and is none of them, or its {SECRET} is another: not let in")
            return
        if number in self._others:
            self._others[number].close()
        self._others[number], self._challenges[number] = connection, its_challenge
        if other:
            refusal = (f"{self.cluster.names[number]} is about to train something else than the chief: {'; '.join(other)}. "
                       "Give the same command on all machines, with the same corpus and BERT.")
            for each in self._others:
                self._tell(each, {"refused": refusal})
            raise InputError(refusal)

    def _connect(self):
        """Connect to the chief, which may come later."""
        place, begun, said = self.cluster.meeting_place, time.time(), False
        while True:
            try:
                return socket.create_connection(place, SILENCE)
            except OSError as error:
                if time.time() - begun > WAIT:
                    raise InputError(f"{self.cluster.names[0]} could not be reached at port {place[1]} within "
                                     f"{WAIT / 60:.0f} minutes ({error.strerror or error}). Give the same command there; that "
                                     "port must be open to this machine.")
            if not said:
                say(f"waiting for {self.cluster.names[0]} at port {place[1]} ...")
                said = True
            time.sleep(0.5)

    # -------------------------------------------------------------------------------------------------- watching

    def _watch(self):
        """Begin to send signs of life and to listen for those of the others."""
        if not self._others:
            return
        for number, connection in self._others.items():
            listener = threading.Thread(target=self._listen, args=(number, connection), daemon=True)
            listener.start()
            self._listeners.append(listener)
        threading.Thread(target=self._beat, daemon=True).start()

    def _beat(self):
        while not self._leaving.wait(BEAT):
            self._send_all(ALIVE)

    def _listen(self, number, connection):
        """Until the other machine says farewell; its silence, or its end without a farewell, ends this process."""
        try:
            connection.settimeout(SILENCE)
            received = ALIVE
            while received and FAREWELL not in received:
                received = connection.recv(64)
        except OSError:
            received = b""
        if not received and not self._leaving.is_set():
            end_process(f"{self.cluster.names[number]} has ended or cannot be reached; if it ended, what it printed says "
                        f"why. Training ends on all machines; {self._same_commands} continue from the last saved state.")

    @contextlib.contextmanager
    def _farewell(self):
        """After this block the others know that this machine ended in good order, or by a signal that all know of."""
        try:
            yield
        except Interrupted:
            if self.all_know:
                self._send_all(FAREWELL)
            raise
        self._send_all(FAREWELL)

    def _send_all(self, sign):
        for connection in self._others.values():
            with contextlib.suppress(OSError):  # who listens to it notices
                connection.sendall(sign)

    def _close(self):
        self._leaving.set()
        for connection in self._others.values():
            connection.close()


def end_process(message):
    """End this process from a thread: the main one waits in TensorFlow for the lost machine, and cannot be woken."""
    os.write(2, f"error: {message}\n".encode("utf-8"))
    os._exit(1)


def open_door(place):
    """A socket that listens at (host, port), and there alone; InputError where that cannot be."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(*place, type=socket.SOCK_STREAM)[0]
        door = socket.socket(family, kind, protocol)
    except OSError as error:
        raise InputError(f"{place[0]}, the chief's address in TF_CONFIG, is not known here ({error.strerror}); give a number, as "
                         "10.0.0.1.")
    try:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind(address)
        door.listen(socket.SOMAXCONN)
    except OSError as error:
        door.close()
        raise InputError(f"port {place[1]} of {place[0]}, the one after the chief's in TF_CONFIG, cannot be used "
                         f"({error.strerror}); the machines meet there: end what uses it, choose another port for the chief, or "
                         "give the address that this machine has in the network of the others.")
    return door


def send_line(connection, line):
    """Send a line of bytes; that nobody is there any more is noticed by who listens."""
    with contextlib.suppress(OSError):
        connection.sendall(line + b"\n")


def send(connection, content, secret, challenge):
    """Send content as a line of JSON, after the proof that this side knows the secret."""
    text = json.dumps(content, allow_nan=False).encode("utf-8")
    send_line(connection, proof(secret, challenge, text) + b" " + text)


def proof(secret, challenge, text):
    """What only who knows the secret can compute for this text, and the other side's challenge: hexadecimal bytes."""
    return hmac.new(secret, challenge + b" " + text, hashlib.sha256).hexdigest().encode("ascii")


def receive(connection, secret, challenge, seconds=WAIT):
    """The content that `send` sent; None where nothing comes in so many seconds, or no proof with it."""
    given, _, text = (receive_line(connection, seconds) or b"").partition(b" ")
    if not hmac.compare_digest(given, proof(secret, challenge, text)):
        return None
    try:
        content = json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def receive_line(connection, seconds):
    """A line of bytes, without its end; None where it does not come whole in so many seconds, or is too long."""
    line, until = b"", time.time() + seconds
    try:
        while len(line) < LONGEST_LINE:
            connection.settimeout(max(until - time.time(), 0.01))
            # One byte at a time: what follows the line is not this reader's.
            received = connection.recv(1)
            if received == b"\n":
                return line
            if not received or time.time() > until:
                return None
            line += received
    except OSError:
        pass
    return None
