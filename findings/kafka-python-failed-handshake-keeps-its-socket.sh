#!/usr/bin/env bash
# kafka-python 3.0.12 with TLS, where the listener speaks none: the socket of each handshake that fails is closed by
# nobody: it stays open until the garbage collector finds it. A program that tries again until the listener is put right
# keeps one for every try until then.
#
# Seen on 30 November 2026: five times KafkaTimeoutError, and "5 clients could not connect; 10 TLS sockets are open": each
# client tries twice in its half second. Exits 1 where fewer than one of each client are left open.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check kafka-python==3.0.12
cat > "$folder/try.py" <<'PY'
import gc
import logging
import socket
import ssl
import sys
import threading

from kafka import KafkaAdminClient

logging.disable(logging.CRITICAL)
CLIENTS = 5
listener = socket.create_server(("127.0.0.1", 0))
SERVER = "127.0.0.1:%d" % listener.getsockname()[1]


def answer_in_plain_text() -> None:
    """What a broker does on a port that speaks no TLS: it does not understand, and hangs up."""
    while True:
        connection, _ = listener.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(b"no TLS here")


def opened() -> int:
    """TLS sockets of this program that nobody has closed."""
    return sum(isinstance(one, ssl.SSLSocket) and one.fileno() >= 0 for one in gc.get_objects())


threading.Thread(target=answer_in_plain_text, daemon=True).start()
gc.disable()  # it may come by at any time
for _ in range(CLIENTS):
    try:
        KafkaAdminClient(bootstrap_servers=SERVER, security_protocol="SSL", bootstrap_timeout_ms=500)
    except Exception as error:
        print(type(error).__name__)
left = opened()
print(f"{CLIENTS} clients could not connect; {left} TLS sockets are open")
sys.exit(left < CLIENTS)
PY
"$folder/venv/bin/python" "$folder/try.py"
