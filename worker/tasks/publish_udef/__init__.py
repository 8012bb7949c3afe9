"""Publishing user-defined fields: an owner's draft becomes the live version, and the values move with it.

Here are only the definition and its parameter, because the web tier loads them to check a submission. The work is
told in `run`; which column a field gets is decided in `batchtask.udef.layout`, and `values` moves what is stored.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from batchtask.definitions import TaskContext, task
from batchtask.errors import StoreUnavailable
from batchtask.outcomes import Outcome
from batchtask.retrying import RetryPolicy
from batchtask.udef import OwnerName


class PublishUdef(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose draft to publish. The start flag must have been set before."""

    owner: OwnerName
    #: Values that a changed type cannot hold, such as the text "about 20" of a field that becomes a number. "refuse"
    #: publishes nothing and names them; "set-aside" keeps them in batchtask.udef_former_value and goes on.
    misfits: Literal["refuse", "set-aside"] = "refuse"
    remove_all: bool = False  #: publish a draft without any field: without this it is taken for a mistake


@task(
    "publish-udef",
    administrators_only=True,
    timeout=1500,
    retry=RetryPolicy(attempts=5, retry_on=(StoreUnavailable,)),
    description="Publish the user-defined fields of companies, persons, projects, sales, appointments or documents",
)
def publish_udef(context: TaskContext, parameters: PublishUdef) -> Outcome:
    """Make an owner's draft live. All in one transaction: a later attempt begins anew, or finds it done."""
    from worker.tasks.publish_udef.run import run  # noqa: PLC0415 - SQLAlchemy is the worker's own

    return run(context, parameters)
