"""Runs the project's programs in processes that are forked from one that has imported TensorFlow already.

Most of what a short command costs is importing TensorFlow. A forked process is as fresh as a started one, but for what was
imported: no session, graph or thread exists before the fork. `helpers.run` and `helpers.Background` use it; what starting a
program is about is tested with started ones.

A request is one line of JSON (program, arguments, working directory, environment) with three file descriptors: standard output,
standard error, and a socket that gets two lines, the process' id and, at its end, its exit status. Several may be at work.
"""
import array
import gc
import json
import os
import runpy
import selectors
import signal
import socket
import sys
import tempfile
import traceback

PROJECT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
REQUEST_BYTES = 1 << 20


def serve(connection):
    """Answer requests until the other side is gone."""
    at_work = {}
    ends, end = os.pipe()
    for descriptor in (ends, end):
        os.set_blocking(descriptor, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(end)
    with selectors.DefaultSelector() as selector:
        selector.register(connection, selectors.EVENT_READ)
        selector.register(ends, selectors.EVENT_READ)
        while True:
            ready = {key.fileobj for key, _ in selector.select()}
            if ends in ready:
                os.read(ends, 1000)
                tell_ends(at_work)
            if connection in ready:
                request, descriptors = receive(connection)
                if request is None:
                    return
                out, errors, answers = descriptors
                process = os.fork()
                if not process:
                    signal.set_wakeup_fd(-1)
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    for descriptor in (connection.detach(), ends, end, answers, *at_work.values()):
                        os.close(descriptor)
                    become(request, out, errors)
                os.close(out)
                os.close(errors)
                at_work[process] = answers
                tell(answers, process)


def tell_ends(at_work):
    """Answer with the exit statuses of the processes that have ended: {process: descriptor of its socket}, which they leave."""
    while at_work:
        process, status = os.waitpid(-1, os.WNOHANG)
        if not process:
            return
        tell(at_work[process], os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status))
        os.close(at_work.pop(process))


def tell(answers, number):
    """A line with a number; nobody may be there to read it any more."""
    try:
        os.write(answers, b"%d\n" % number)
    except OSError:
        pass


def receive(connection):
    """(request, [descriptors]) or (None, []) at the end."""
    descriptors = array.array("i")
    data, ancillary, _, _ = connection.recvmsg(REQUEST_BYTES, socket.CMSG_SPACE(3 * descriptors.itemsize))
    for level, kind, content in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            descriptors.frombytes(content[:len(content) - len(content) % descriptors.itemsize])
    while data and not data.endswith(b"\n"):
        data += connection.recv(REQUEST_BYTES)
    return (json.loads(data.decode("utf-8")), list(descriptors)) if data else (None, [])


def become(request, out, errors):
    """Be the program; never returns."""
    status = 70
    try:
        with open(os.devnull) as nothing:
            os.dup2(nothing.fileno(), 0)
        os.dup2(out, 1)
        os.dup2(errors, 2)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.chdir(request["folder"])
        os.environ.clear()
        os.environ.update(request["environment"])
        tempfile.tempdir = None  # the environment may name another one
        program = request["program"]
        sys.argv = [program] + request["arguments"]
        if program.endswith(".py"):
            sys.path[0] = os.path.dirname(program)
            runpy.run_path(program, run_name="__main__")
        else:
            runpy.run_module(program, run_name="__main__", alter_sys=True)
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        status = 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def prepare_to_fork():
    """Do once what every forked process would: the first drawing's imports, and looking for garbage in what was imported."""
    from evaluation import plots
    plots.confusion(["a", "b"], [[1, 0], [0, 1]])
    if hasattr(gc, "freeze"):  # not in Python 3.6
        gc.collect()
        gc.freeze()


def main():
    """Import what commands import, then serve the socket whose descriptor is the only argument."""
    sys.path[0] = PROJECT
    import commands.check  # noqa: F401
    import commands.demo  # noqa: F401
    import commands.repeat  # noqa: F401
    import commands.use  # noqa: F401
    import notes.export  # noqa: F401
    import predict  # noqa: F401
    import training.checks  # noqa: F401
    import training.timing  # noqa: F401
    prepare_to_fork()
    serve(socket.socket(fileno=int(sys.argv[1])))


if __name__ == "__main__":
    main()
