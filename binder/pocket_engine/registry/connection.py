"""HTTP connections to registries: whose certificates count, which proxy is used, and where a redirect may lead."""

from __future__ import annotations

import os
import ssl
from http.cookiejar import DefaultCookiePolicy
from urllib.parse import urljoin, urlsplit

import requests
import requests.adapters
import requests.utils
import urllib3

from ..errors import BadRequest
from ..reference_grammar import is_loopback

TIMEOUT = (10, 60)  # seconds to connect, and of silence
REDIRECTS = 5
AGENT = "pocket-engine/0.1 (docker compatible)"

urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)  # only loopback goes unchecked


def trusted() -> ssl.SSLContext:
    """Checks certificates against SSL_CERT_FILE/SSL_CERT_DIR or else the system's store, and REQUESTS_CA_BUNDLE."""
    context = ssl.create_default_context()
    # Python 3.13 made this the default; the CA certificates of networks that intercept TLS often fail it.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        if bundle := os.environ.get(name):
            try:
                context.load_verify_locations(**{"capath" if os.path.isdir(bundle) else "cafile": bundle})
            except (OSError, ssl.SSLError) as error:
                raise BadRequest(f"{name} is {bundle}, which holds no CA certificates ({error}).") from None
    if not context.cert_store_stats()["x509_ca"]:
        context.load_verify_locations(requests.certs.where())
    return context


def unchecked() -> ssl.SSLContext:
    """Accepts any certificate: for loopback, where Docker asks for none that anybody signed."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


class _Adapter(requests.adapters.HTTPAdapter):
    """Leaves the judgement of certificates to one context, made once."""

    def __init__(self, context: ssl.SSLContext):
        self.context = context
        super().__init__()

    def init_poolmanager(self, *args, **kwargs):
        super().init_poolmanager(*args, ssl_context=self.context, **kwargs)

    def proxy_manager_for(self, proxy, **kwargs):
        return super().proxy_manager_for(proxy, ssl_context=self.context, **kwargs)

    def cert_verify(self, conn, url, verify, cert):
        conn.cert_reqs = "CERT_NONE" if self.context.verify_mode == ssl.CERT_NONE else "CERT_REQUIRED"


class Connection:
    """Requests to one registry at `base` ("https://host"), and to where it redirects. May be used by several threads."""

    def __init__(self, base: str):
        self.base = base.rstrip("/")
        self.origin = origin(self.base)
        self.local = is_loopback(urlsplit(base).netloc)
        self.session = requests.Session()
        # Proxies and CA certificates are read from the environment here; requests would also send what is in ~/.netrc.
        self.session.trust_env = False
        self.session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        self.session.headers.update({"User-Agent": AGENT, "Accept-Encoding": "identity"})
        context = unchecked() if self.local else trusted()
        self.session.mount("https://", _Adapter(context))
        self.session.verify = not self.local

    def close(self) -> None:
        self.session.close()

    def request(self, method: str, url: str, *, headers: dict, body=None, authorization: str = "") -> requests.Response:
        """One answer, its body unread, after redirects. `body` is a callable that opens what is sent anew each time."""
        for _ in range(REDIRECTS + 1):
            self.check(url)
            own = {"Authorization": authorization} if authorization and origin(url) == self.origin else {}
            response = self.session.request(
                method,
                url,
                headers={**headers, **own},
                data=body() if body else None,
                proxies={} if is_loopback(urlsplit(url).netloc) else requests.utils.get_environ_proxies(url),
                timeout=TIMEOUT,
                stream=True,
                allow_redirects=False,
            )
            if response.status_code not in (301, 302, 303, 307, 308) or "Location" not in response.headers:
                return response
            response.close()
            url = urljoin(url, response.headers["Location"])
        raise BadRequest(f"{urlsplit(self.base).netloc} redirects in circles.")

    def check(self, url: str) -> None:
        """BadRequest for an address that the registry sends us to but that is less protected than the registry's own."""
        there = urlsplit(url)
        plain = there.scheme == "http" and self.base.startswith("http:")
        if (
            there.scheme == "https"
            or plain
            and (origin(url) == self.origin or self.local and is_loopback(there.netloc))
        ):
            return
        raise BadRequest(f"{urlsplit(self.base).netloc} refers to {there.scheme}://{there.netloc}, which is not HTTPS.")


def origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port: credentials go no further than these."""
    there = urlsplit(url)
    return there.scheme, (there.hostname or "").lower(), there.port or {"http": 80, "https": 443}.get(there.scheme)
