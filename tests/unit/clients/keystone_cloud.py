"""A keystone in this process, and services behind it that remember their requests."""

import json

KEYSTONE = "http://keystone.test"
USER = """
auth_type = password
auth_url = http://keystone.test/v3
username = {name}
password = secret
user_domain_name = Default
project_name = service
project_domain_name = Default
"""


class Cloud:
    """A keystone that hands out the token `token-of-USER`, and services that remember their requests."""

    def __init__(self):
        self.requests = []
        self.logins = []

    def __call__(self, environ, start_response):
        if environ["HTTP_HOST"] == "keystone.test":
            return self._keystone(environ, start_response)
        self.requests.append(environ)
        start_response("503 Busy", [("content-type", "application/json")])
        return [b"{}"]

    def _keystone(self, environ, start_response):
        if environ["REQUEST_METHOD"] == "GET":
            links = [{"rel": "self", "href": KEYSTONE}]
            start_response("200 OK", [("content-type", "application/json")])
            return [json.dumps({"version": {"id": "v3.14", "status": "stable", "links": links}}).encode()]
        asked = json.load(environ["wsgi.input"])
        name = asked["auth"]["identity"]["password"]["user"]["name"]
        self.logins.append(name)
        start_response("201 Created", [("x-subject-token", f"token-of-{name}")])
        token = {"expires_at": "2999-01-01T00:00:00Z", "catalog": self._catalog()}
        return [json.dumps({"token": token}).encode()]

    @staticmethod
    def _catalog():
        def entry(kind, *endpoints):
            return {
                "type": kind,
                "name": kind,
                "endpoints": [
                    {"interface": interface, "region": region, "region_id": region, "url": url}
                    for interface, region, url in endpoints
                ],
            }

        return [
            entry(
                "placement",
                ("public", "one", "http://placement.public"),
                ("internal", "one", "http://placement.internal"),
                ("internal", "two", "http://placement.two"),
            ),
            entry("network", ("public", "one", "http://neutron.public")),
            entry("image", ("public", "one", "http://glance.public")),
            entry("volumev3", ("public", "one", "http://cinder.public/v3/p1")),
        ]
