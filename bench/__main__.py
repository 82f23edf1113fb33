"""`make bench`: one JSON object a line on standard output, progress on standard error.

make bench                          every family
make bench BENCH=ingest             one
BENCH_SPANS=50000000 make bench     at another size (default 500000)
BENCH_TARGETS=200 make bench        with so many targets in the queries (default 12)
"""

import json
import os
import sys
from importlib import import_module

FAMILIES = ("ingest", "decode", "store", "query", "detect", "targets", "paint")


def main(families: list[str]) -> int:
    """Run the named families, all of them by default."""
    unknown = sorted(set(families) - set(FAMILIES))
    if unknown:
        print(f"bench: no family {', '.join(unknown)}; there are {', '.join(FAMILIES)}", file=sys.stderr)
        return 2
    spans = int(os.environ.get("BENCH_SPANS", "500000"))
    for family in families or FAMILIES:
        print(f"bench: {family}, {spans:,} spans", file=sys.stderr)
        for figure in import_module(f"bench.{family}").run(spans):
            print(json.dumps(figure), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
