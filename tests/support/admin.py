"""The admin HTTP of a gateway, one connection a request."""

import http.client
import json

from .waiting import slowed


class Answer:
    """One HTTP answer: status, headers (any case) and body."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.body[:200]!r}>"


class Admin:
    """Asks the admin HTTP at `address` (host, port)."""

    def __init__(self, address, token=""):
        self.address = address
        self.token = token

    def request(self, method, path, body=None, headers=None):
        """Sends one request; `body` that is not bytes or text goes out as JSON."""
        sent_headers = dict(headers or {})
        if self.token:
            sent_headers.setdefault("Authorization", f"Bearer {self.token}")
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
            sent_headers.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPConnection(*self.address, timeout=slowed(10))
        try:
            connection.request(method, path, body, sent_headers)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def get(self, path, **options):
        return self.request("GET", path, **options)

    def put(self, path, body, **options):
        return self.request("PUT", path, body, **options)

    def post(self, path, body=None, **options):
        return self.request("POST", path, body, **options)

    def delete(self, path, **options):
        return self.request("DELETE", path, **options)

    def stats(self):
        answer = self.get("/v1/stats")
        assert answer.status == 200, answer
        return answer.json()

    def closed(self, reason):
        """How many connections were closed for this reason."""
        return self.stats()["closed"][reason]

    def refused(self, reason):
        return self.stats()["refused"][reason]

    def tls(self):
        """The part of the statistics that is about TLS."""
        return self.stats()["tls"]

    def session(self, device_id):
        """What is known of one session; None when the device is offline."""
        answer = self.get(f"/v1/sessions/{device_id}")
        if answer.status == 404:
            return None
        assert answer.status == 200, answer
        return answer.json()
