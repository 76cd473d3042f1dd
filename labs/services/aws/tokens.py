"""A stand-in for an identity provider (GitHub's, say): it signs tokens, and the API checks them.

On AWS the provider's public keys are fetched from its address. Here one key signs for every provider, and
`POST /labs/v1/tokens` gives a token with any claims: the question of the labs is which tokens a *role* trusts.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

ALGORITHM = "RS256"
LIFETIME_SECONDS = 900


class BadToken(Exception):
    """`code` is what AWS STS would answer."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Provider:
    """An identity provider that an account knows. `url` has no https:// and no slash at its end."""

    arn: str
    url: str
    audiences: Sequence[str]


@functools.cache
def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def sign(claims: Mapping[str, Any]) -> str:
    """A token with these claims. `iat`, `nbf` and `exp` are added where they are missing."""
    now = int(time.time())
    times = {"iat": now, "nbf": now, "exp": now + LIFETIME_SECONDS}
    return jwt.encode({**times, **claims}, _key(), algorithm=ALGORITHM)


def verify(token: str, providers: Sequence[Provider]) -> tuple[Provider, Mapping[str, Any]]:
    """Which provider stands behind a token, and its claims.

    Raises:
        BadToken: nobody whom the account knows signed it, it is for somebody else, or its time is over.
    """
    try:
        issuer = str(jwt.decode(token, options={"verify_signature": False}).get("iss", ""))
    except jwt.InvalidTokenError as error:
        raise BadToken("InvalidIdentityToken", f"This is no token: {error}") from error
    url = issuer.removeprefix("https://").rstrip("/")
    provider = next((each for each in providers if each.url.rstrip("/") == url), None)
    if provider is None or not issuer.startswith("https://"):
        raise BadToken(
            "InvalidIdentityToken", "No OpenIDConnect provider found in your account for " + issuer
        )
    try:
        claims = jwt.decode(
            token,
            _key().public_key(),
            algorithms=[ALGORITHM],
            audience=list(provider.audiences),
            issuer=issuer,
        )
    except jwt.ExpiredSignatureError as error:
        raise BadToken(
            "ExpiredTokenException", "Token expired: current date/time must be before exp"
        ) from error
    except jwt.InvalidAudienceError as error:
        raise BadToken("InvalidIdentityToken", "Incorrect token audience") from error
    except jwt.InvalidTokenError as error:
        raise BadToken("InvalidIdentityToken", "Couldn't verify the signature of the token") from error
    return provider, claims


def context(provider: Provider, claims: Mapping[str, Any]) -> dict[str, list[str]]:
    """What a trust policy may ask about a token: `token.actions.githubusercontent.com:sub` and the like."""
    found: dict[str, list[str]] = {}
    for claim in ("aud", "sub", "azp", "amr", "email", "oaud"):
        if claim in claims:
            value = claims[claim]
            texts = [str(one) for one in value] if isinstance(value, list) else [str(value)]
            found[f"{provider.url.lower()}:{claim}"] = texts
    return found
