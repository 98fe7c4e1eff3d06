"""Shantou's tokens: who may have one, how long it lives. Owns the live tokens, in memory; times are China's."""

import datetime
import hashlib
import hmac
import secrets

from hanma.mock.shantou_checks import now

NO_KEY = ("900010101", "key 不存在！")
NO_USER = ("900010102", "用户不存在！")


class Tokens:
    """The live tokens of one user."""

    def __init__(self, user, secret, life_s, same=False):
        """life_s: seconds that a token lives. same: asked again, answer the live token instead of a new one."""
        self.access_id = hashlib.md5(user.encode("utf-8"), usedforsecurity=False).hexdigest()
        self._secret = secret
        self._life = datetime.timedelta(seconds=life_s)
        self._same = same
        # Token: (given at, ends at), the oldest first.
        self._given = {}

    def refusal(self, access_id, secret):
        """Return (code, message) why this pair gets no token, or None."""
        if not access_id or not secret:
            return NO_KEY
        if not hmac.compare_digest(access_id.encode("utf-8", "replace"), self.access_id.encode()):
            return NO_USER
        right = hmac.compare_digest(secret.encode("utf-8", "replace"), self._secret.encode("utf-8"))
        return None if right else NO_KEY

    def give(self):
        """Return (token, given at, ends at)."""
        if self._same:
            for token, (given, ends) in self._given.items():
                if now() < ends:
                    return token, given, ends
        token, given = secrets.token_hex(16), now()
        self._given[token] = given, given + self._life
        return token, *self._given[token]

    def is_valid(self, token):
        """Say whether a token lives."""
        return token in self._given and now() < self._given[token][1]

    def forget(self, token):
        """End a token's life."""
        self._given.pop(token, None)
