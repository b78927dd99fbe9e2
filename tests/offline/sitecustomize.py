"""On PYTHONPATH this ends the process, with a word, at the first attempt to reach a network."""
import os
import socket


def refuse(*_, **__):
    """End at once: whoever catches exceptions must not hide the attempt."""
    os.write(2, b"a network connection was attempted\n")
    os._exit(99)


socket.socket.connect = socket.socket.connect_ex = refuse
socket.create_connection = socket.getaddrinfo = socket.gethostbyname = refuse
