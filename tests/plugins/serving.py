"""Raw requests to a policy server."""

import http.client
from contextlib import closing


def post(address: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=30)
    with closing(connection):
        connection.request("POST", path, body, headers)
        response = connection.getresponse()
        return response.status, response.read()
