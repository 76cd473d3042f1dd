"""Bearer tokens: the administrator's, and signed ones of ServiceAccounts.

A ServiceAccount's token is a JSON Web Token with the claims of the real one, signed with a key that the server makes at
its first start. Nothing is stored: the signature, the expiry and the account's uid say whether it holds.

Source: https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/ and RFC 7519
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import Any

import orjson

from labs.services.kubernetes import objects
from labs.services.kubernetes.objects import Obj
from labs.services.kubernetes.resources import PODS, SECRETS, SERVICEACCOUNTS
from labs.services.kubernetes.store import Store
from labs.services.kubernetes.users import ADMIN, User, service_account

ISSUER = "https://kubernetes.default.svc.cluster.local"
SHORTEST, USUAL, LONGEST = 600, 3600, 2**32
_HEADER = {"alg": "HS256", "typ": "JWT"}


class Tokens:
    def __init__(self, store: Store) -> None:
        self._store = store
        if store.setting("key") is None:
            with store.transaction():
                store.set("key", secrets.token_hex(32))
                store.set("admin", secrets.token_urlsafe(24))

    @property
    def admin(self) -> str:
        return self._store.setting("admin") or ""

    def mint(
        self, account: Obj, now: float, lifetime: int, audiences: list[str], bound: Obj | None = None
    ) -> str:
        """A token for a ServiceAccount.

        Args:
            lifetime: seconds from now.
            bound: a Pod or Secret with which the token ends.
        """
        about: dict[str, Any] = {
            "namespace": objects.namespace(account),
            "serviceaccount": {"name": objects.name(account), "uid": objects.uid(account)},
        }
        if bound:
            about[bound["kind"].lower()] = {"name": objects.name(bound), "uid": objects.uid(bound)}
        claims = {
            "iss": ISSUER,
            "sub": f"system:serviceaccount:{objects.namespace(account)}:{objects.name(account)}",
            "aud": audiences,
            "iat": int(now),
            "nbf": int(now),
            "exp": int(now) + lifetime,
            "jti": secrets.token_hex(8),
            "kubernetes.io": about,
        }
        head = f"{_encoded(orjson.dumps(_HEADER))}.{_encoded(orjson.dumps(claims))}"
        return f"{head}.{self._signature(head)}"

    def user(self, token: str, now: float, audiences: tuple[str, ...] = (ISSUER,)) -> User | None:
        """Whose token it is; None if nobody's, or if it no longer holds."""
        if hmac.compare_digest(token.encode(), self.admin.encode()):
            return ADMIN
        claims = self._claims(token)
        if claims is None or not claims["nbf"] <= now + 1 or now >= claims["exp"]:
            return None
        if not set(claims["aud"]) & set(audiences):
            return None
        about = claims["kubernetes.io"]
        space, account = about["namespace"], about["serviceaccount"]
        for kind, resource in (("serviceaccount", SERVICEACCOUNTS), ("pod", PODS), ("secret", SECRETS)):
            if kind in about:
                found = self._store.get(resource, space, about[kind]["name"])
                if found is None or objects.uid(found) != about[kind]["uid"]:
                    return None
        return service_account(space, account["name"], account["uid"])

    def _claims(self, token: str) -> Obj | None:
        head, dot, signature = token.rpartition(".")
        if not dot or not hmac.compare_digest(signature.encode(), self._signature(head).encode()):
            return None
        body = head.partition(".")[2]
        claims: Obj = orjson.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        return claims

    def _signature(self, text: str) -> str:
        key = bytes.fromhex(self._store.setting("key") or "")
        return _encoded(hmac.new(key, text.encode(), hashlib.sha256).digest())


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
