"""The rule of a composite alarm. Source: CloudWatch API Reference, PutCompositeAlarm, AlarmRule."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

NAMES = re.compile(r'\b(?:ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*(?:"([^"]+)"|([^\s()"]+))\s*\)')
Rule = Callable[[Mapping[str, str]], bool]


class BadRule(Exception):
    """No rule of a composite alarm."""

    def __init__(self, text: str) -> None:
        super().__init__(f"the rule {text}")


def rule(text: str) -> Rule:
    """What says, given the states of alarms by name, whether the rule is met.

    Raises:
        BadRule
    """
    return _Parser(text).parse()


class _Parser:
    """`ALARM("errors") AND NOT (ALARM(maintenance) OR FALSE)`: NOT binds most, then AND, then OR."""

    WORDS = re.compile(
        r'\s*(\(|\)|AND\b|OR\b|NOT\b|TRUE\b|FALSE\b|(?:ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*(?:"[^"]+"|[^\s()"]+)\s*\))'
    )

    def __init__(self, text: str) -> None:
        self.text, self.words, place = text, [], 0
        while place < len(text.rstrip()):
            found = self.WORDS.match(text, place)
            if not found:
                raise BadRule(text)
            self.words.append(found.group(1))
            place = found.end()

    def parse(self) -> Rule:
        rule = self._any()
        if self.words:
            raise BadRule(self.text)
        return rule

    def _any(self) -> Rule:
        rules = [self._all()]
        while self._take("OR"):
            rules.append(self._all())
        return lambda states: any(rule(states) for rule in rules)

    def _all(self) -> Rule:
        rules = [self._one()]
        while self._take("AND"):
            rules.append(self._one())
        return lambda states: all(rule(states) for rule in rules)

    def _one(self) -> Rule:
        if self._take("NOT"):
            inner = self._one()
            return lambda states: not inner(states)
        if self._take("("):
            inner = self._any()
            if not self._take(")"):
                raise BadRule(self.text)
            return inner
        if not self.words:
            raise BadRule(self.text)
        word = self.words.pop(0)
        if word in ("TRUE", "FALSE"):
            return lambda states: word == "TRUE"
        state, _, name = word.partition("(")
        wanted = name.rstrip(")").strip().strip('"').rpartition(":")[2]  # an ARN ends in the name
        return lambda states: states.get(wanted, "INSUFFICIENT_DATA") == state.strip()

    def _take(self, word: str) -> bool:
        if self.words and self.words[0] == word:
            self.words.pop(0)
            return True
        return False
