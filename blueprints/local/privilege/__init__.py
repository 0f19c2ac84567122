"""Least privilege by execution: the calls that a stack's roles have made, held against the policies in its template.

    with Running(stack) as running, watch(running.aws, running.stack) as watched:
        …
    assert watched.verdict().clean and not watched.survivors()

What is used and not granted fails, as does what is granted and not used, or wider than used; and what nobody here can
judge: a call without a row in `table.py`, a condition key of which nothing is known. A grant that no run can use, and a
pattern whose breadth none can need, say why in the Metadata beside their policy; `blocks/roles.py` writes it.
"""

from .watch import Watched, watch

__all__ = ["Watched", "watch"]
