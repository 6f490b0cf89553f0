"""A client of the Container Runtime Interface (CRI), by which the kubelet asks containerd and CRI-O for pods.

The calls are gRPC over a Unix socket; messages are Protocol Buffers, here dictionaries of the numbers of their fields,
which are those of pkg/apis/runtime/v1/api.proto of Kubernetes' cri-api.
"""

import socket
from urllib.parse import unquote

import h2.connection
import h2.events

SERVICES = "/runtime.v1.{}Service/{}"
HEAD = 5  # bytes before a message: not compressed, four of its length


class Refused(Exception):
    """What the server says of a call that it does not do."""


def _varint(number):
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


def pack(fields):
    """The message with these fields: numbers, texts, bytes, messages as dictionaries, lists of them."""
    message = b""
    for number, values in fields.items():
        for value in values if isinstance(values, list) else [values]:
            if isinstance(value, int):
                message += _varint(number << 3) + _varint(int(value))
                continue
            content = pack(value) if isinstance(value, dict) else value if isinstance(value, bytes) else value.encode()
            message += _varint(number << 3 | 2) + _varint(len(content)) + content
    return message


def unpack(message):
    """The fields of a message: numbers, and bytes for all that has a length; the last one of each."""
    found, rest = {}, memoryview(message)

    def varint():
        nonlocal rest
        number = shift = 0
        while True:
            byte, rest = rest[0], rest[1:]
            number |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return number

    while rest:
        key = varint()
        value = varint()
        if key & 7 == 2:
            value, rest = bytes(rest[:value]), rest[value:]
        found[key >> 3] = value
    return found


def _text(word):
    """What a header says: bytes, or with newer versions of the library a text."""
    return word if isinstance(word, str) else word.decode()


class Cri:
    """The services behind one socket."""

    def __init__(self, path):
        self._path = path

    def __call__(self, name, fields=None, service="Runtime"):
        """Call a method and return the fields of its answer."""
        connection = h2.connection.H2Connection()
        connection.initiate_connection()
        headers = [
            *((":method", "POST"), (":scheme", "http"), (":authority", "localhost")),
            *((":path", SERVICES.format(service, name)), ("content-type", "application/grpc"), ("te", "trailers")),
        ]
        message = pack(fields or {})
        connection.send_headers(1, headers)
        connection.send_data(1, bytes(1) + len(message).to_bytes(HEAD - 1) + message, end_stream=True)
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(60)
            link.connect(self._path)
            answer, told = self._exchange(connection, link)
        if told.get("grpc-status") != "0":
            raise Refused(unquote(told.get("grpc-message", "the connection was closed")))
        return unpack(answer[HEAD:])

    @staticmethod
    def _exchange(connection, link):
        """Send what there is to be sent until the answer is complete; returns it, and all headers."""
        answer, told = b"", {}
        while True:
            link.sendall(connection.data_to_send())
            data = link.recv(65536)
            for event in connection.receive_data(data) if data else [h2.events.ConnectionTerminated()]:
                if isinstance(event, (h2.events.ResponseReceived, h2.events.TrailersReceived)):
                    told.update((_text(name), _text(value)) for name, value in event.headers)
                elif isinstance(event, h2.events.DataReceived):
                    answer += event.data
                    connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, (h2.events.StreamEnded, h2.events.StreamReset, h2.events.ConnectionTerminated)):
                    return answer, told
