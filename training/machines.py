"""Several machines that train together: who they are (TF_CONFIG), that they do the same, and that none is lost unnoticed.

TensorFlow's own traffic goes through the ports of TF_CONFIG. It neither tells of a machine that is gone nor ends waiting
for it, so the machines are connected besides: each one to the chief, at the port after the chief's. Over that connection
go, once and as lines of JSON, what a machine is about to train and where the chief begins; then, both ways, a beat every
few seconds.
"""
import contextlib
import json
import os
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


def wrong(reason):
    """The InputError for a TF_CONFIG that is of no use."""
    return InputError(f"the environment variable TF_CONFIG is not usable: {reason}. It looks like {EXAMPLE}, with another "
                      "index on each machine; `unset TF_CONFIG` trains on this machine alone.")


def is_address(text):
    """Whether this is "host:port"."""
    host, _, port = text.rpartition(":") if isinstance(text, str) else ("", "", "")
    return bool(host) and port.isdigit() and 0 < int(port) < 65535


class Machines:
    """The connections of one machine of a Cluster; without others, as for ALONE, all of this does nothing.

    While machines are watched, the loss of one ends this process with exit status 1 and a line that names it.
    """

    def __init__(self, cluster):
        self.cluster = cluster
        self.count = len(cluster.addresses)
        self.is_chief = cluster.number == 0
        self.all_know = False  # whether all have agreed on ending
        self._others = {}
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
            send(connection, {"number": self.cluster.number, "about": about})
            told = receive(connection)
            if told is None:
                raise InputError(f"{self.cluster.names[0]} has ended before training began; what it printed says why.")
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
        for connection in self._others.values():
            send(connection, told)
        self._watch()

    # --------------------------------------------------------------------------------------------------- meeting

    def _gather(self, about, difference):
        """Wait for all the others."""
        _, port = self.cluster.meeting_place
        with contextlib.closing(socket.socket()) as door:
            door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                door.bind(("", port))
            except OSError as error:
                raise InputError(f"port {port}, the one after the chief's in TF_CONFIG, cannot be used ({error.strerror}); "
                                 "the machines meet there: end what uses it, or choose another port for the chief.")
            door.listen(self.count)
            say(f"waiting for {self.count - 1} other machine{'s' if self.count > 2 else ''} at port {port} ...")
            begun = time.time()
            while len(self._others) < self.count - 1:
                door.settimeout(max(begun + WAIT - time.time(), 0.01))
                try:
                    connection, _ = door.accept()
                except socket.timeout:
                    missing = [self.cluster.names[number] for number in range(1, self.count) if number not in self._others]
                    raise InputError(f"within {WAIT / 60:.0f} minutes nothing came from {', '.join(missing)}. Give the same "
                                     f"command on every machine, each with its own TF_CONFIG; port {port} here must be open "
                                     "to them.")
                self._receive_one(connection, about, difference)

    def _receive_one(self, connection, about, difference):
        """Read what a machine is about to train. One that has come before, and was started anew, replaces itself."""
        hello = receive(connection, BEAT) or {}
        number = hello.get("number")
        if number not in range(1, self.count) or "about" not in hello:
            connection.close()  # something else that tries ports
            return
        other = difference(hello["about"], about)
        if other:
            refusal = (f"{self.cluster.names[number]} is about to train something else than the chief: {'; '.join(other)}. "
                       "Give the same command on all machines, with the same corpus and BERT.")
            for told in list(self._others.values()) + [connection]:
                send(told, {"refused": refusal})
            raise InputError(refusal)
        if number in self._others:
            self._others[number].close()
        self._others[number] = connection

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
        connection.settimeout(SILENCE)
        try:
            received = ALIVE
            while received and FAREWELL not in received:
                received = connection.recv(64)
        except OSError:
            received = b""
        if not received and not self._leaving.is_set():
            end_process(f"{self.cluster.names[number]} has ended or cannot be reached; if it ended, what it printed says "
                        "why. Training ends on all machines; the same commands continue from the last saved state.")

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


def send(connection, content):
    """Send one line of JSON; that nobody is there any more is noticed by who listens."""
    with contextlib.suppress(OSError):
        connection.sendall(json.dumps(content).encode("utf-8") + b"\n")


def receive(connection, seconds=WAIT):
    """One line of JSON, or None where there is none within so many seconds."""
    connection.settimeout(seconds)
    line = b""
    try:
        while not line.endswith(b"\n"):
            # One byte at a time: what follows the line is not this reader's.
            received = connection.recv(1)
            if not received:
                return None
            line += received
        content = json.loads(line.decode("utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None
