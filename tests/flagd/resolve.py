"""Runs in an environment of its own: what flagd's evaluator resolves, for many users, of the file of flags in argv."""

import json
import sys
from collections import Counter
from pathlib import Path

from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.evaluation_context import EvaluationContext

USERS = 5000


def main() -> None:
    """Write flag to variant to its share of users; a user is the same one each time."""
    document = Path(sys.argv[1]).read_text(encoding="utf-8")
    core = FlagdCore()
    core.set_flags(document)
    shares = {}
    for flag in json.loads(document)["flags"]:
        found: Counter[str] = Counter()
        for number in range(USERS):
            user = EvaluationContext(f"user-{number}", {"user": f"u{number}", "tier": "paid"})
            found[core.resolve_string_value(flag, "none", user).value] += 1
        shares[flag] = {variant: count / USERS for variant, count in found.items()}
    sys.stdout.write(json.dumps(shares))


if __name__ == "__main__":
    main()
