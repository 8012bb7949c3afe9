"""`/api/v1/Agents/UserDefinedFieldInfo/…`: publishing user-defined fields, in the original's two steps."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import msgspec
from litestar import Controller, post
from litestar.di import NamedDependency, Provide
from litestar.params import JSONBody
from litestar.status_codes import HTTP_200_OK, HTTP_204_NO_CONTENT
from sqlalchemy import Engine

from batchtask.database import database_errors
from batchtask.errors import PublishError, StoreUnavailable, SubmitError
from batchtask.http.callers import Caller
from batchtask.http.letter_case import AnyLetterCaseRequest
from batchtask.http.negotiation import require_json_sent
from batchtask.http.problems import BadRequest, Conflict
from batchtask.identifiers import TaskId
from batchtask.udef.owners import OWNERS, Owner
from batchtask.udef.publishing import (
    PublishingActive,
    is_any_publishing,
    is_publishing,
    not_submitted,
    start_publishing,
    submitting,
)
from producer.rest.creating import Creation, provide_creation


class OwnerTypeArguments(msgspec.Struct, frozen=True, rename="pascal"):
    owner_type: str  #: Contact, Person, Project, Sale, Appointment or Document


class TypeArguments(msgspec.Struct, frozen=True, rename="pascal"):
    type: str  #: as `OwnerTypeArguments.owner_type`


class UserDefinedFieldAgent(Controller):
    """Publishing, for administrators; and whether it is going on, for everybody who reads or writes fields."""

    path = "/api/v1/Agents/UserDefinedFieldInfo"
    tags = ("Agents",)
    request_class = AnyLetterCaseRequest
    guards = [require_json_sent]  # noqa: RUF012 - the framework's own, as the next
    dependencies = {"creation": Provide(provide_creation, sync_to_thread=False)}  # noqa: RUF012

    @post("/SetPublishStartSystemEvent", status_code=HTTP_204_NO_CONTENT, sync_to_thread=True)
    def set_publish_start_system_event(
        self, caller: NamedDependency[Caller], engine: NamedDependency[Engine], data: JSONBody[OwnerTypeArguments]
    ) -> None:
        """Set the start flag, which keeps others from editing these fields; without Publish, for 10 minutes."""
        caller.require_administrator()
        owner = read_owner(data.owner_type)
        try:
            with database_errors(), engine.begin() as connection:
                start_publishing(connection, owner, caller.associate_id)
        except PublishingActive as error:
            raise Conflict(str(error)) from None

    @post("/Publish", status_code=HTTP_200_OK)
    async def publish(
        self,
        *,
        caller: NamedDependency[Caller],
        engine: NamedDependency[Engine],
        creation: NamedDependency[Creation],
        data: JSONBody[OwnerTypeArguments],
    ) -> int:
        """Start publishing, and answer the task's id. 409 without the start flag, which then belongs to the task."""
        caller.require_administrator()
        owner = read_owner(data.owner_type)
        if not await asyncio.to_thread(_give_flag, engine, owner, creation.task_id):
            raise Conflict(
                f"there is no start flag for the user-defined fields of {owner.label}, or another task has it: "
                "call SetPublishStartSystemEvent first"
            )
        try:
            return (await creation.submit("publish-udef", {"owner": owner.name})).number
        except (PublishError, SubmitError):
            await asyncio.to_thread(_give_flag_back, engine, creation.task_id)
            raise

    @post("/IsPublishEventActive", status_code=HTTP_200_OK, sync_to_thread=True)
    def is_publish_event_active(self, engine: NamedDependency[Engine], data: JSONBody[TypeArguments]) -> bool:
        """Tell whether the fields of a type are being published, or are about to be."""
        owner = read_owner(data.type, argument="Type")
        with database_errors(), engine.connect() as connection:
            return is_publishing(connection, owner)

    @post("/IsAnyPublishEventActive", status_code=HTTP_200_OK, sync_to_thread=True)
    def is_any_publish_event_active(self, engine: NamedDependency[Engine]) -> bool:
        """Tell whether fields of any type are being published, or are about to be."""
        with database_errors(), engine.connect() as connection:
            return is_any_publishing(connection)


def read_owner(name: str, *, argument: str = "OwnerType") -> Owner:
    """Read an owner type, in any letter case.

    Raises:
        BadRequest: Lists those that have fields.
    """
    for owner in OWNERS.values():
        if owner.name == name.strip().lower():
            return owner
    names = ", ".join(owner.name.capitalize() for owner in OWNERS.values())
    raise BadRequest(f"{argument}: {name[:100]!r} has no user-defined fields; there are {names}")


def _give_flag_back(engine: Engine, task_id: TaskId) -> None:
    # Without the database the flag runs out by itself.
    with suppress(StoreUnavailable), database_errors(), engine.begin() as connection:
        not_submitted(connection, task_id)


def _give_flag(engine: Engine, owner: Owner, task_id: TaskId) -> bool:
    with database_errors(), engine.begin() as connection:
        return submitting(connection, owner, task_id)
