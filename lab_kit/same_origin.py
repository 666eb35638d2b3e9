"""The names under which a web server is reached, and whether a request comes from the server's own page.

Another page in a visitor's browser must not send requests in the visitor's name (cross-site request forgery), and must
not reach a server of this machine through a domain name of its own that points to 127.0.0.1 (DNS rebinding). Browsers
say which name they have asked (`Host`) and which page asks (`Origin`, `Sec-Fetch-Site`), and no page can change that.
Programs say nothing about pages, and are accepted.

A proxy may replace `Host`, so `Origin` need not agree with it. `Sec-Fetch-Site: same-origin` says that the browser has
compared the two itself, before the proxy. Browsers send it to HTTPS addresses and to this machine; elsewhere, the
server must be told its public names.
"""

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lab_kit.errors import UserError

LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})
NAME = re.compile(r"([\w.-]+|\[[0-9a-f:.]+\])(:\d{1,5})?", re.ASCII)


@dataclass(frozen=True)
class ServerNames:
    """The names of a server, in lower case.

    Args:
        names: host names that a request may use, besides numeric addresses (which nobody can point elsewhere); None for
            any name.
        public: names of a proxy in front of the server, as in the browser's address: with the port if it shows one.
    """

    names: frozenset[str] | None = LOOPBACK_NAMES
    public: frozenset[str] = frozenset()

    @classmethod
    def of(cls, host: str, address: str, public: Iterable[str] = ()) -> "ServerNames":
        """Return the names of a server.

        Args:
            host: the host as the user has named it.
            address: the numeric address at which the server listens.
            public: names of a proxy in front of it. Without any, a server for the whole network accepts every name: it
                cannot know how other machines call it.

        Raises:
            UserError: a public name is not a host name.
        """
        public = frozenset(map(_checked, public))
        if not public and not ipaddress.ip_address(address).is_loopback:
            return cls(None)
        return cls(LOOPBACK_NAMES | {host.lower()} | {_without_port(name) for name in public}, public)

    def wrong_host(self, headers: Mapping[str, str]) -> str:
        """Return why a request with these headers must be refused for its host name; "" if it need not."""
        name = _without_port(headers.get("host", "").lower())
        if self.names is None or name in self.names or _is_numeric(name):
            return ""
        return f"the host name is not allowed: use {min(self.public, default='127.0.0.1')}{_advice(name)}"

    def wrong_origin(self, headers: Mapping[str, str]) -> str:
        """Return why a request with these headers must be refused for the page that sends it; "" if it need not."""
        site, origin = headers.get("sec-fetch-site", "none"), headers.get("origin")
        if site == "same-origin":
            return ""
        place = (origin or "").lower().partition("://")[2]
        if site == "none" and (origin is None or (place and place in {headers.get("host", "").lower(), *self.public})):
            return ""
        return f"the request comes from another web page{_advice(place) if site == 'none' else ''}"


def _advice(name: str) -> str:
    return f". If a proxy gives it the name {name}, start it with --public-name {name}" if NAME.fullmatch(name) else ""


def _checked(name: str) -> str:
    """Return a public name in the form in which browsers send it."""
    try:
        found = name.lower().encode("idna").decode()
    except UnicodeError:
        found = ""
    if not NAME.fullmatch(found):
        raise UserError(f"{name!r} is not a name. --public-name takes the name in the address, such as read.example.")
    return re.sub(":(80|443)$", "", found)  # of HTTP and HTTPS: browsers leave them out


def _without_port(host: str) -> str:
    return host if host.endswith("]") else host.rpartition(":")[0] or host


def _is_numeric(name: str) -> bool:
    try:
        return bool(ipaddress.ip_address(name.strip("[]")))
    except ValueError:
        return False
