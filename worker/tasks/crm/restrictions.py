"""A flat list of criteria, as the CRM submits and stores them, with AND/OR and parentheses between, as a tree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from batchtask.definitions import TaskFailure
from worker.tasks.crm.criteria import Group, Node

_DEEPEST = 50


@dataclass(frozen=True, kw_only=True)
class Listed:
    """One criterion of a flat list."""

    node: Node
    opens: int = 0  #: parentheses before it
    closes: int = 0  #: and behind it
    or_next: bool = False  #: joined to the next one by OR


def build_tree(listed: Sequence[Listed]) -> Group:
    """Build the tree that a flat list stands for; `a or b and c` means `a or (b and c)`.

    Raises:
        TaskFailure: The parentheses do not match, or lie too deep.
    """
    stack: list[list[list[Node]]] = [[[]]]  # per open parenthesis: alternatives, each a list of what must all hold
    begins_alternative = False
    for one in listed:
        if begins_alternative:
            stack[-1].append([])
        _open(stack, one.opens)
        stack[-1][-1].append(one.node)
        _close(stack, one.closes)
        begins_alternative = one.or_next
    if len(stack) != 1:
        raise TaskFailure("The parentheses of the criteria do not match: one is not closed.")
    return _group(stack[0])


def _open(stack: list[list[list[Node]]], count: int) -> None:
    if len(stack) + count > _DEEPEST:
        raise TaskFailure(f"The parentheses of the criteria lie more than {_DEEPEST} deep: use fewer.")
    stack.extend([[]] for _ in range(count))


def _close(stack: list[list[list[Node]]], count: int) -> None:
    for _ in range(count):
        closed = stack.pop()
        if not stack:
            raise TaskFailure("The parentheses of the criteria do not match: one is closed that was not opened.")
        stack[-1][-1].append(_group(closed))


def _group(alternatives: list[list[Node]]) -> Group:
    groups = [Group(members=tuple(members)) for members in alternatives if members]
    return groups[0] if len(groups) == 1 else Group(members=tuple(groups), any=bool(groups))
