"""The field maps of a configuration as formats beside the built-in ones."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from undertow.batch import Origin, is_topic
from undertow.fieldmaps import FieldMapConfig, FieldRule
from undertow_collectors.decode.fieldmap import FieldMap, Rule, always
from undertow_collectors.decode.jsonlog import JsonLog


@dataclass(frozen=True, slots=True)
class Custom:
    """One field map, and the signs by which its messages are known.

    They are texts that stand in a message that holds the `required` keys; whether they are keys, nobody parses.
    """

    log: JsonLog
    topic: str | None
    signs: tuple[bytes, ...]

    def takes(self, value: bytes, origin: Origin) -> bool:
        """Whether a JSON message is in this format. Messages of files and of HTTP have no topic that could tell."""
        if self.topic is not None and is_topic(origin.topic):
            return origin.topic == self.topic and all(sign in value for sign in self.signs)
        return bool(self.signs) and all(sign in value for sign in self.signs)


Maps = Mapping[str, Custom]


def compiled(configs: Iterable[FieldMapConfig]) -> dict[str, Custom]:
    """Each field map by its name, ready to decode; the configuration has checked them."""
    return {config.name: _custom(config) for config in configs}


def _custom(config: FieldMapConfig) -> Custom:
    rules = {"gateway": always(config.name)} | {name: _rule(rule) for name, rule in config.fields.items()}
    table = FieldMap(rules, ("", *config.blanks))
    return Custom(JsonLog(config.name, table), config.topic, tuple(map(_sign, config.required)))


def _rule(rule: FieldRule) -> Rule:
    return Rule(rule.sources, rule.unit, rule.values, rule.default if rule.value is None else rule.value)


def _sign(path: str) -> bytes:
    """The end of the key that a path leads to, whether its dots are inside of the key or between keys."""
    *parents, last = path.split(".")
    key = json.dumps(last, ensure_ascii=False).encode()
    return key[1:] if parents else key
