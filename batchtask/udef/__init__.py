"""User-defined fields: what the rows of `crm7.udeffield` mean, drafts of them, and what keeps others out meanwhile.

For the web tier, where administrators edit drafts, as well as for the task `publish-udef`, which makes a draft live.
Begin with `fields`, then `layout`: which column each field gets. SQLAlchemy only.
"""

from __future__ import annotations

from typing import Literal

#: Kinds of records that have user-defined fields, as preferences write them. Here it loads without SQLAlchemy.
OwnerName = Literal["contact", "person", "project", "sale", "appointment", "document"]
