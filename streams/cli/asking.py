"""Commands that ask a worker over HTTP."""

import http.client
import json as json_
import urllib.error
import urllib.parse
import urllib.request
from http import HTTPStatus
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from schemas.rejected import Rejected
from schemas.report import check_tenant
from streams.errors import Failed, WrongUse

SECONDS = 30.0
"""How long a worker may take to answer."""


def check(
    tenant: str,
    recipient: list[str],
    /,
    *,
    purpose: Literal["marketing", "transactional"] = "marketing",
    url: str = "http://127.0.0.1:8080",
    token: Annotated[str | None, Parameter(env_var="BOUNCELINE_TOKEN")] = None,
    json: bool = False,
) -> None:
    """Ask a worker whether addresses may be mailed. A denial for a typo or the network is written down, as over HTTP.

    Parameters
    ----------
    tenant
        On whose behalf the mail would go.
    recipient
        The addresses.
    purpose
        What the mail is for; an unsubscribe does not hold back transactional mail.
    url
        Where a worker serves HTTP; `bounceline dev` shows it.
    token
        Token of the tenant, where the worker asks for one.
    json
        Show the answer as one JSON object.

    """
    check_tenant_name(tenant)
    asked = {"tenant": tenant, "recipients": recipient, "purpose": purpose}
    body = ask(url, "/v1/check", token, json_.dumps(asked).encode())
    answer = json_.loads(body)
    if json:
        print(body.decode())
        return
    for result in answer["results"]:
        print(_line(result))


def _line(result: dict[str, Any]) -> str:
    meant = f", perhaps {result['suggestion']} was meant" if "suggestion" in result else ""
    if result["send"]:
        return f"send         {result['recipient']}{meant}"
    since = f" since {result['since']}" if result["since"] else ""
    until = f" until {result['expires_at']}" if result["expires_at"] else ""
    return f"do not send  {result['recipient']}: {result['status']}{since}{until}{meant}"


def ask(url: str, path: str, token: str | None, body: bytes | None = None) -> bytes:
    """Ask a worker: POST where there is a body, else GET; gives the body of its answer.

    Raises:
        WrongUse: That is no address of a server.
        Failed: No worker answers there, or it refuses.

    """
    check_url(url)
    headers = {"Content-Type": "application/json"} if body is not None else {}
    headers |= {"Authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(url.rstrip("/") + path, body, headers)  # noqa: S310 - looked at above
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as response:  # noqa: S310 - as above
            return bytes(response.read())
    except urllib.error.HTTPError as error:
        hint = "; --token or BOUNCELINE_TOKEN gives it" if error.code == HTTPStatus.UNAUTHORIZED else ""
        raise Failed(f"the worker refuses: {_detail(error.read()) or error}{hint}") from None
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError) as error:
        reason = getattr(error, "reason", error)
        raise Failed(f"no worker answers at {url} ({reason}); --url says where one is") from None


def check_url(url: str) -> None:
    """Raise `WrongUse` where that is no address of a server."""
    try:
        parts = urllib.parse.urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a port that is none
        good = False
    if not good or not url.isprintable() or " " in url:
        raise WrongUse(f"--url {url} is no http:// or https:// address")


def check_tenant_name(tenant: str) -> None:
    """Raise `WrongUse` where no tenant can be called so."""
    if isinstance(wrong := check_tenant(tenant), Rejected):
        raise WrongUse(f"the {wrong.detail}")


def _detail(body: bytes) -> str:
    try:
        return str(json_.loads(body)["detail"])
    except (ValueError, KeyError, TypeError):
        return ""
