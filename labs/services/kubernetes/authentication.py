"""From the headers of a request to a user: bearer tokens and impersonation.

Source: https://kubernetes.io/docs/reference/access-authn-authz/authentication/
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import unquote

from labs.services.kubernetes.rbac import Authorizer
from labs.services.kubernetes.statuses import ApiError, bad_request, unauthorized
from labs.services.kubernetes.tokens import Tokens
from labs.services.kubernetes.users import AUTHENTICATED, Attributes, User, service_account

_EXTRA = "impersonate-extra-"


class Authentication:
    def __init__(self, tokens: Tokens, authorizer: Authorizer) -> None:
        self._tokens, self._authorizer = tokens, authorizer

    def user(self, headers: Mapping[str, list[str]], now: float) -> User:
        """Who asks; the impersonated user if there is one.

        Args:
            headers: names in lower case, each with all its values.

        Raises:
            ApiError: 401, no token or one that does not hold; 403, the user may not impersonate.
        """
        scheme, _, token = headers.get("authorization", [""])[0].partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise unauthorized()
        try:
            found = self._tokens.user(token.strip(), now)
        except (KeyError, TypeError, ValueError):
            found = None
        if found is None:
            raise unauthorized()
        return self._impersonated(found, headers)

    def _impersonated(self, user: User, headers: Mapping[str, list[str]]) -> User:
        name = headers.get("impersonate-user", [""])[0]
        groups = headers.get("impersonate-group", [])
        uid = headers.get("impersonate-uid", [""])[0]
        extra = {
            unquote(key.removeprefix(_EXTRA)): values
            for key, values in headers.items()
            if key.startswith(_EXTRA)
        }
        if not name:
            if groups or uid or extra:
                raise bad_request("requested to impersonate groups, a uid or extra fields without a user")
            return user
        pieces = name.split(":")
        account = pieces[2:] if pieces[:2] == ["system", "serviceaccount"] and len(pieces) == 4 else []
        if account:
            self._allow(user, Attributes("impersonate", "", "serviceaccounts", "", account[0], account[1]))
        else:
            self._allow(user, Attributes("impersonate", "", "users", name=name))
        for group in groups:
            self._allow(user, Attributes("impersonate", "", "groups", name=group))
        if uid:
            self._allow(user, Attributes("impersonate", "authentication.k8s.io", "uids", name=uid))
        for key, values in extra.items():
            for value in values:
                self._allow(
                    user, Attributes("impersonate", "authentication.k8s.io", "userextras", key, name=value)
                )
        if account and not groups:
            return service_account(account[0], account[1], uid)
        return User(name, tuple(dict.fromkeys([*groups, AUTHENTICATED])), uid, extra)

    def _allow(self, user: User, asked: Attributes) -> None:
        if not self._authorizer.decide(user, asked).allowed:
            raise denied(user, asked)


def denied(user: User, asked: Attributes) -> ApiError:
    """The 403 that kubectl shows, with who may not do what, and where."""
    if asked.path:
        return ApiError(
            403,
            "Forbidden",
            f'forbidden: User "{user.name}" cannot {asked.verb} path "{asked.path}"',
            {"causes": [{"message": f"no RBAC rule allows {asked.verb} on {asked.path}"}]},
        )
    qualified = f"{asked.resource}.{asked.group}" if asked.group else asked.resource
    about = f'{qualified} "{asked.name}"' if asked.name else qualified
    place = f'in the namespace "{asked.namespace}"' if asked.namespace else "at the cluster scope"
    return ApiError(
        403,
        "Forbidden",
        f'{about} is forbidden: User "{user.name}" cannot {asked.verb} resource "{asked.full_resource}" '
        f'in API group "{asked.group}" {place}',
        {
            key: value
            for key, value in {"name": asked.name, "group": asked.group, "kind": asked.resource}.items()
            if value
        },
    )
