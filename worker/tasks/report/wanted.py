"""Which criteria count: the report's own and those given at submission.

A criterion given at submission takes the place of the report's own on the same field, as when a user changes it on
the screen. A locked one cannot be changed: both must hold then.
"""

from __future__ import annotations

from collections.abc import Sequence

from worker.tasks.crm.catalogue import Catalogue
from worker.tasks.crm.criteria import Criterion, Group, Node
from worker.tasks.crm.restrictions import Listed, build_tree
from worker.tasks.crm.subject import Subject
from worker.tasks.report import Restriction
from worker.tasks.report.definition import OwnCriterion


def wanted_criteria(
    catalogue: Catalogue, subject: Subject, own: Sequence[OwnCriterion], restrictions: Sequence[Restriction]
) -> Group:
    """Join the report's criteria and the restrictions.

    Raises:
        TaskFailure: Parentheses of the restrictions do not match.
    """
    given = {_name(catalogue, subject, one.name) for one in restrictions}
    kept: list[Node] = []
    for criterion in own:
        if criterion.locked or _name(catalogue, subject, criterion.name) not in given:
            kept.extend(criterion.criteria)
    added = build_tree([_listed(one) for one in restrictions if one.is_active])
    return Group(members=(*kept, added) if added.members else tuple(kept))


def _listed(one: Restriction) -> Listed:
    return Listed(
        node=Criterion(name=one.name, operator=one.operator, values=one.values),
        opens=max(one.inter_parenthesis, 0),
        closes=max(-one.inter_parenthesis, 0),
        or_next=one.inter_operator == "Or",
    )


def _name(catalogue: Catalogue, subject: Subject, name: str) -> str:
    """The one name of a field that has several, so that `owner` replaces `associateId`."""
    found = catalogue.definition(subject, name)
    return found[0].lower() if found else name.strip().lower()
