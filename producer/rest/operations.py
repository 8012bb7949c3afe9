"""What Operations may do, administrators only: have workers pause and go on, all of them or one."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import Controller, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter
from litestar.status_codes import HTTP_200_OK

from batchtask.http.callers import Caller
from batchtask.http.pauses import PauseView, pause_view
from batchtask.pausing import Pausing, scope_of

Key = Annotated[str, PathParameter(description="The worker's id, as /workers shows it.", max_length=300)]


class PauseWish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What may be said along with a wish to pause."""

    reason: Annotated[str, msgspec.Meta(max_length=1000)] = ""


class OperationCommands(Controller):
    """Pausing and going on. Workers hear of it within some 5 s; what runs goes on to its end."""

    path = "/api/v2"
    tags = ("operations",)

    @post("/pause", status_code=HTTP_200_OK, sync_to_thread=True)
    def pause(
        self,
        caller: NamedDependency[Caller],
        pausing: NamedDependency[Pausing],
        data: JSONBody[PauseWish | None] = None,
    ) -> PauseView:
        """Have all workers take nothing new, those that start later too. One that stands already stays as it is."""
        caller.require_administrator()
        return pause_view(pausing.pause(caller.name, _reason(data)))

    @post("/resume", status_code=HTTP_200_OK, sync_to_thread=True)
    def resume(self, caller: NamedDependency[Caller], pausing: NamedDependency[Pausing]) -> PauseView:
        """Have all workers go on, but for those that were paused by themselves."""
        caller.require_administrator()
        pausing.resume()
        return pause_view(None)

    @post("/workers/{key:str}/pause", status_code=HTTP_200_OK, sync_to_thread=True)
    def pause_worker(
        self,
        caller: NamedDependency[Caller],
        pausing: NamedDependency[Pausing],
        key: Key,
        data: JSONBody[PauseWish | None] = None,
    ) -> PauseView:
        """Have one worker take nothing new; the pause ends with the process."""
        caller.require_administrator()
        return pause_view(pausing.pause(caller.name, _reason(data), scope_of(key)))

    @post("/workers/{key:str}/resume", status_code=HTTP_200_OK, sync_to_thread=True)
    def resume_worker(
        self, caller: NamedDependency[Caller], pausing: NamedDependency[Pausing], key: Key
    ) -> PauseView:
        """Have one worker go on; a pause of all workers still holds it."""
        caller.require_administrator()
        pausing.resume(scope_of(key))
        return pause_view(None)


def _reason(wish: PauseWish | None) -> str:
    return "" if wish is None else wish.reason
