"""cfn-lint over the variants of every blueprint: at most 40 of each, evenly chosen; unchanged ones from the cache."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from blueprints.catalogue import entries
from blueprints.checks.cache import Cache, default_folder
from blueprints.checks.finding import Source
from blueprints.checks.lint import lint
from blueprints.core.render import load_class
from blueprints.review.variants import variants

MOST = 40


def main() -> int:
    """Lint and print; the exit status."""
    status = 0
    for entry in entries():
        made = variants(load_class(entry.blueprint))
        chosen = [made[index * len(made) // MOST] for index in range(MOST)] if len(made) > MOST else made
        sources = [
            Source(f"{entry.name} variant {index}", each.render()) for index, each in enumerate(chosen)
        ]
        found = lint(sources, Cache(default_folder(), "lint", lambda line: print(line, file=sys.stderr)))
        sys.stdout.write(
            f"{entry.name}: {len(made)} variants, {len(sources)} linted, {len(found)} findings\n"
        )
        for each in found:
            print(f"  {each.template}: {each.where}: {each.rule} {each.message}")
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
