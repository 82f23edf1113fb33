"""Ferro Labs' AI Gateway (ferrogw): what its spans mean beyond the table of names.

Written after 1.5.10. What it calls the response's model is the one that it asked its provider for. A request that
failed names its provider in the sentence of the error alone.
"""

import re
from collections.abc import Mapping
from typing import Any

from undertow_collectors.decode import providers
from undertow_collectors.decode.records import Record

_TARGET = re.compile(r"\b(?:target|provider) ([\w.-]+)(?: attempt \d+)?: ")


def correct(fields: dict[str, Any], values: Mapping[str, Any], record: Record) -> None:
    """Put the gateway's words where they belong."""
    if ".ferro" in values:
        sent = fields.pop("response_model", None)
        if sent != fields.get("model"):
            fields["sent_model"] = sent
    tried = _TARGET.findall(record.message) if record.failed and not fields.get("provider") else []
    if tried and (".ferro" in values or providers.known(tried[-1])):  # others write such sentences, too
        fields["provider"] = tried[-1]
