"""One CRM's API: who we are there, how long we wait, and what its refusals mean.

Requests, paging, waiting (429 with Retry-After, failing servers) and the exchange of tokens are dlt's REST client's.
Secrets come from the environment, travel in headers and forms only, and stand in no message.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from time import time
from typing import Any
from urllib.parse import urlsplit

from dlt.common.configuration.specs import RuntimeConfiguration
from dlt.sources.helpers.requests import Client
from dlt.sources.helpers.rest_client.auth import BearerTokenAuth, OAuth2ClientCredentials
from dlt.sources.helpers.rest_client.client import PageData, RESTClient
from dlt.sources.helpers.rest_client.paginators import BasePaginator
from requests import HTTPError, Response

from features.sources.live import Patience
from features.sources.readers import SourceError

_AT_HOME = frozenset(("localhost", "127.0.0.1", "::1"))
_LONGEST_MESSAGE = 300
_LIMIT_REACHED = "REQUEST_LIMIT_EXCEEDED"
"""Salesforce's word for too many requests, which it says with status 403."""


class Forbidden(SourceError):
    """The token may not read something."""


class Missing(SourceError):
    """The CRM has no such thing."""


@dataclass(frozen=True)
class Account:
    """Whose data are pulled: the API's address, and a token or what one is obtained with.

    ``secrets`` are the names of the variables that were looked for, to be told where something is wrong.
    """

    crm: str
    address: str
    secrets: str
    token: str = ""
    token_address: str = ""
    client_id: str = ""
    client_secret: str = ""
    refresh_token: str = ""


def account(crm: str, environment: Mapping[str, str], address: str, token_path: str, needs_refresh: bool) -> Account:
    """The account that RAPPORT_<CRM>_... variables describe. Raises SourceError if they do not.

    ``address`` is used where RAPPORT_<CRM>_URL says none; ``needs_refresh`` whether a client needs a refresh token.
    """
    prefix = f"RAPPORT_{crm.upper()}"
    url = environment.get(f"{prefix}_URL", "").strip().rstrip("/") or address
    if not url:
        raise SourceError(f"{prefix}_URL is not set; it is the address such as https://ours.my.salesforce.com")
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _AT_HOME):
        raise SourceError(f"{prefix}_URL: {url!r} must begin with https://")
    names = ("TOKEN", "CLIENT_ID", "CLIENT_SECRET", "REFRESH_TOKEN")
    token, client_id, client_secret, refresh = (environment.get(f"{prefix}_{name}", "").strip() for name in names)
    client = f"{prefix}_CLIENT_ID, {prefix}_CLIENT_SECRET and {prefix}_REFRESH_TOKEN"
    secrets = f"{prefix}_TOKEN, or {client}" + ("" if needs_refresh else " (which some clients do without)")
    able = bool(client_id and client_secret and (refresh or not needs_refresh))
    if not token and not able:
        raise SourceError(f"nothing says who asks {crm}: set {secrets}")
    if not able:
        return Account(crm, url, secrets, token)
    return Account(crm, url, secrets, "", f"{url}{token_path}", client_id, client_secret, refresh)


class Connection:
    """An API that is asked; ``now`` is its own time at the first answer (UTC seconds)."""

    def __init__(self, account: Account, patience: Patience) -> None:
        self.account = account
        self.now: int | None = None
        waiting = Client(
            raise_for_status=False,
            retry_condition=self._worth_another_try,
            request_max_attempts=patience.attempts,
            request_max_retry_delay=patience.longest,
            request_backoff_factor=patience.factor,
        )
        self._unproven: str | None = None
        self._auth = self._authorisation(waiting) if account.token_address else BearerTokenAuth(account.token)
        self._client = RESTClient(
            account.address, auth=self._auth, session=waiting.session, config=RuntimeConfiguration()
        )

    def get(self, path: str, **parameters: str) -> Any:
        """The JSON answer to a request. Raises SourceError where it is refused."""
        with self._telling():
            return self._answer(self._client.get(path, params=parameters))

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """The JSON answer to a request with a body. Raises SourceError where it is refused."""
        with self._telling():
            return self._answer(self._client.post(path, json=dict(body)))

    def pages(
        self,
        path: str,
        records: str,
        paginator: BasePaginator,
        body: Mapping[str, Any] | None = None,
        **parameters: str,
    ) -> Iterator[PageData[Any]]:
        """The pages of a list, whose records stand under ``records``. Raises SourceError where it is refused."""
        with self._telling():
            yield from self._client.paginate(
                path,
                method="POST" if body is not None else "GET",
                json=dict(body) if body is not None else None,
                params=parameters,
                paginator=paginator,
                data_selector=records,
            )

    def _answer(self, response: Response) -> Any:
        response.raise_for_status()
        if self.now is None:
            said = response.headers.get("Date")
            self.now = int(parsedate_to_datetime(said).timestamp() if said else time())
        return response.json()

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Tell in words what a refusal means."""
        try:
            yield
        except HTTPError as error:
            if error.response is None:
                raise
            raise self._refusal(error.response) from None

    def _authorisation(self, waiting: Client) -> OAuth2ClientCredentials:
        account = self.account
        renewing = {"grant_type": "refresh_token", "refresh_token": account.refresh_token}
        return OAuth2ClientCredentials(
            access_token_url=account.token_address,
            client_id=account.client_id,
            client_secret=account.client_secret,
            access_token_request_data=renewing if account.refresh_token else {},
            session=waiting.session,
        )

    def _worth_another_try(self, response: Response | None, error: BaseException | None) -> bool:
        """Whether to ask again, beside where the status says so: after a new token, or too many requests at once."""
        if response is None:
            return False
        if response.ok:
            self._unproven = None
        if response.status_code == 401 and isinstance(self._auth, OAuth2ClientCredentials):
            return self._renewed(self._auth, response)
        return response.status_code == 403 and _LIMIT_REACHED in _told(response)

    def _renewed(self, auth: OAuth2ClientCredentials, response: Response) -> bool:
        """Obtain another token in the place of one that has expired; not in the place of one never accepted."""
        if response.request.headers.get("Authorization") in (None, self._unproven):
            return False
        auth.obtain_token()
        self._unproven = f"Bearer {auth.access_token}"
        response.request.headers["Authorization"] = self._unproven
        return True

    def _refusal(self, response: Response) -> SourceError:
        crm, status, told = self.account.crm, response.status_code, _told(response)
        path = urlsplit(response.url).path
        if status == 429 or _LIMIT_REACHED in told:
            return SourceError(f"{crm} allows no more requests for now ({told}); a later pull goes on from here")
        if status >= 500:
            return SourceError(f"{crm} fails again and again (status {status}, {told}); a later pull goes on from here")
        if self.account.token_address and path == urlsplit(self.account.token_address).path:
            return SourceError(f"{crm} gives no token ({told}): set {self.account.secrets}")
        if status == 401:
            return SourceError(f"{crm} does not accept the token (expired or revoked): set {self.account.secrets}")
        if status == 403:
            return Forbidden(f"{crm} does not let the token read {path} ({told})")
        if status == 404:
            return Missing(f"{crm} has no {path} ({told})")
        return SourceError(f"{crm} refuses {path} (status {status}, {told})")


def _told(response: Response) -> str:
    """What a refusal says of itself: HubSpot's message, Salesforce's code and message, OAuth's error."""
    try:
        answer = response.json()
    except ValueError:
        return response.reason or "no reason told"
    answer = answer[0] if isinstance(answer, list) and answer else answer
    if not isinstance(answer, dict):
        return json.dumps(answer)[:_LONGEST_MESSAGE]
    words = [answer.get(name) for name in ("errorCode", "error", "policyName", "message", "error_description")]
    return ": ".join(str(word) for word in words if word)[:_LONGEST_MESSAGE] or "no reason told"
