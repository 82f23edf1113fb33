"""The receiver that tests share."""

import socket

from tests.served import inbox

HEAD = b"POST /hook HTTP/1.1\r\nhost: here\r\ncontent-length: 2\r\n\r\n"


def test_a_request_that_its_sender_did_not_end_is_no_post() -> None:
    """A monitor killed between the head of a request and its body told nobody anything."""
    with inbox() as receiver:
        for sent in (HEAD, HEAD + b"{", HEAD + b"{}"):
            with socket.create_connection(("127.0.0.1", receiver.server_port)) as sender:
                sender.sendall(sent)
                sender.shutdown(socket.SHUT_WR)
                while sender.recv(1024):
                    pass
        assert [post.json for post in receiver.posts] == [{}]
