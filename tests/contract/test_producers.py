"""What every producer promises, on a real broker: confirmed or an error that says which; no hang, no loss."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from batchtask import envelope
from batchtask.definitions import CancellationBehaviour, Registry, TaskContext, task
from batchtask.errors import (
    BrokerUnavailable,
    InvalidParameters,
    PayloadTooLarge,
    PayloadUnwritable,
    PublishReturned,
    PublishUnconfirmed,
    TopologyMismatch,
    UnknownTask,
)
from batchtask.identifiers import TaskId, new_task_id
from batchtask.local import RabbitMQ, broker_installation
from batchtask.local.processes import free_port
from batchtask.messages import CancelTask, SubmitTask
from batchtask.payloads import PayloadStore
from batchtask.settings import Settings
from batchtask.topology import CANCEL_KEY, COMMANDS, PROJECTIONS_QUEUE, SUBMIT_KEY, TASKS_QUEUE
from producer import TaskRequest
from producer.submission import InvalidCancellation, SubmitManyFailed
from tests.conftest import ENVIRON
from tests.polling import eventually
from tests.submitters import HANG_SECONDS, SUBMITTERS, AioSubmitter, Submitter

#: What an error may come later than its deadline on a busy machine.
MARGIN_SECONDS = 1.5
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class ReportParameters(msgspec.Struct, forbid_unknown_fields=True):
    selection_id: int
    title: str = ""
    factor: float = 1.0


@task("noop")
def noop(context: TaskContext) -> None:
    """Do nothing."""


@task("report", cancellation=CancellationBehaviour.CancelWithWarning)
def report(context: TaskContext, parameters: ReportParameters) -> None:
    """Print a report."""


REGISTRY = Registry([noop, report])


@pytest.fixture(params=SUBMITTERS)
def client(request: pytest.FixtureRequest) -> str:
    """Name of the producer under test."""
    name: str = request.param
    return name


@pytest.fixture(params=["blocking", "aio"])
def connecting_client(request: pytest.FixtureRequest) -> str:
    """Name of a producer that makes its own connection."""
    name: str = request.param
    return name


@pytest.fixture
def producer(client: str, amqp_url: str) -> Iterator[Submitter]:
    with open_producer(client, amqp_url) as submitter:
        yield submitter


@contextmanager
def open_producer(client: str, url: str, **settings: Any) -> Iterator[Submitter]:
    with SUBMITTERS[client](Settings(amqp_url=url, **settings), REGISTRY) as submitter:
        yield submitter


@contextmanager
def broker_channel(url: str) -> Iterator[BlockingChannel]:
    connection = pika.BlockingConnection(pika.URLParameters(url))
    yield connection.channel()
    connection.close()


def unbind(url: str, routing_key: str) -> None:
    with broker_channel(url) as channel:
        for queue in (TASKS_QUEUE, PROJECTIONS_QUEUE):
            channel.queue_unbind(queue.name, COMMANDS.name, routing_key)


def messages_in(url: str, queue: str) -> list[tuple[pika.BasicProperties, envelope.CommandMessage]]:
    with broker_channel(url) as channel:
        found = []
        while (got := channel.basic_get(queue, auto_ack=True))[0] is not None:
            found.append((got[1], envelope.decode_command(got[2])))
        return found


def commands_in(url: str, queue: str) -> list[SubmitTask | CancelTask]:
    return [message.command for _, message in messages_in(url, queue)]


def task_ids_in(url: str, queue: str) -> set[TaskId]:
    with broker_channel(url) as channel:
        count = channel.queue_declare(queue, passive=True).method.message_count
        channel.basic_qos(prefetch_count=1000)
        found = set()
        for method, _, body in channel.consume(queue, auto_ack=True, inactivity_timeout=10):
            assert method is not None, f"{count} messages are missing in {queue}"
            found.add(envelope.decode_command(body).command.id)
            count -= 1
            if count == 0:
                break
        return found


@contextmanager
def error_within(seconds: float) -> Iterator[Callable[[], str]]:
    """Expect `PublishUnconfirmed` in time; gives a function that tells its text."""
    began = time.monotonic()
    with pytest.raises(PublishUnconfirmed) as caught:
        yield lambda: str(caught.value)
    assert time.monotonic() - began < seconds + MARGIN_SECONDS


def test_a_submitted_task_is_in_the_work_queue_and_in_the_projections_queue(
    producer: Submitter, amqp_url: str
) -> None:
    task_id = producer.submit("report", {"selection_id": 88}, owner=7, description="Sales", traceparent=TRACEPARENT)

    for queue in (TASKS_QUEUE, PROJECTIONS_QUEUE):
        [(properties, message)] = messages_in(amqp_url, queue.name)
        command = message.command
        assert isinstance(command, SubmitTask)
        assert (command.id, command.name, command.owner, command.description) == (task_id, "report", 7, "Sales")
        assert command.parameters == {"selection_id": 88}
        assert message.traceparent == TRACEPARENT
        assert (properties.delivery_mode, properties.type) == (2, "SubmitTask")
        assert properties.content_type == envelope.CONTENT_TYPE


def test_a_wish_to_cancel_reaches_the_projections_queue(producer: Submitter, amqp_url: str) -> None:
    task_id = new_task_id()
    producer.cancel(task_id, requested_by=7, reason="not needed")

    [command] = commands_in(amqp_url, PROJECTIONS_QUEUE.name)
    assert isinstance(command, CancelTask)
    assert (command.id, command.requested_by, command.reason) == (task_id, 7, "not needed")
    assert not command.force
    assert commands_in(amqp_url, TASKS_QUEUE.name) == []


def test_a_wish_to_cancel_by_force_says_so(producer: Submitter, amqp_url: str) -> None:
    producer.cancel(new_task_id(), force=True)

    [command] = commands_in(amqp_url, PROJECTIONS_QUEUE.name)
    assert isinstance(command, CancelTask)
    assert command.force


def test_a_submission_says_whether_the_task_may_be_cancelled(producer: Submitter, amqp_url: str) -> None:
    producer.submit("report", {"selection_id": 88})
    producer.submit("noop")

    wanted = commands_in(amqp_url, TASKS_QUEUE.name)
    assert [command.cancellation for command in wanted if isinstance(command, SubmitTask)] == [1, 0]


@pytest.mark.parametrize(
    "fields",
    [lambda: {"start_at": datetime.now(UTC) + timedelta(hours=1)}, lambda: {"delay_seconds": 3600}],
    ids=["start", "delay"],
)
def test_a_task_for_later_reaches_the_projections_only(
    fields: Callable[[], dict[str, Any]], producer: Submitter, amqp_url: str
) -> None:
    task_id = producer.submit("noop", **fields())

    [command] = commands_in(amqp_url, PROJECTIONS_QUEUE.name)
    assert isinstance(command, SubmitTask)
    assert command.id == task_id
    assert command.start_at is not None
    assert abs(command.start_at - datetime.now(UTC) - timedelta(hours=1)) < timedelta(minutes=5)
    assert commands_in(amqp_url, TASKS_QUEUE.name) == []


@pytest.mark.parametrize(
    "fields",
    [{"start_at": datetime.now(UTC) - timedelta(seconds=1)}, {"delay_seconds": 0}, {}],
    ids=["start", "delay", "neither"],
)
def test_a_task_whose_time_has_come_already_is_submitted_like_any_other(
    fields: dict[str, Any], producer: Submitter, amqp_url: str
) -> None:
    producer.submit("noop", **fields)

    for queue in (TASKS_QUEUE, PROJECTIONS_QUEUE):
        [command] = commands_in(amqp_url, queue.name)
        assert isinstance(command, SubmitTask)
        assert command.start_at is None


def test_a_double_click_is_one_task_and_returns_its_id(producer: Submitter, amqp_url: str) -> None:
    clicks = [
        producer.submit("report", {"selection_id": number}, owner=7, deduplication_key="form 12") for number in (1, 2)
    ]
    others = [
        producer.submit("report", {"selection_id": 1}, owner=8, deduplication_key="form 12"),
        producer.submit("report", {"selection_id": 1}, owner=7, deduplication_key="form 13"),
        producer.submit("report", {"selection_id": 1}, owner=7, database_tag="crm", deduplication_key="form 12"),
        producer.submit("noop", owner=7, deduplication_key="form 12"),
    ]

    assert clicks[0] == clicks[1]
    assert len({clicks[0], *others}) == 5
    assert [command.id for command in commands_in(amqp_url, TASKS_QUEUE.name)] == [*clicks, *others]


def test_keys_of_yesterday_and_of_other_releases_name_the_same_task() -> None:
    request = TaskRequest(name="report", owner=7, deduplication_key="form 12")

    assert str(request.task_id) == "eb0af5eb-d77e-5323-aa45-e7b9ac1ed2b1"
    assert replace(request, description="again").task_id == request.task_id
    assert request.task_id.version == 5


def test_many_tasks_are_submitted_at_once_and_their_ids_come_back_in_order(
    producer: Submitter, amqp_url: str
) -> None:
    requests = [TaskRequest(name="noop") for _ in range(1200)]

    assert producer.submit_many(requests) == [request.task_id for request in requests]
    assert task_ids_in(amqp_url, TASKS_QUEUE.name) == {request.task_id for request in requests}
    assert producer.submit_many([]) == []


def test_submitting_twice_with_one_task_id_sends_two_messages_about_one_task(
    producer: Submitter, amqp_url: str
) -> None:
    task_id = new_task_id()

    assert producer.submit("noop", task_id=task_id) == producer.submit("noop", task_id=task_id) == task_id
    assert [command.id for command in commands_in(amqp_url, TASKS_QUEUE.name)] == [task_id, task_id]


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"parameters": {"selection_id": "many"}}, "selection_id"),
        ({"parameters": {"selection_id": 1, "colour": "red"}}, "colour"),
        ({"parameters": {"selection_id": 1, "factor": float("nan")}}, "factor"),
        ({"parameters": {"selection_id": 1, "title": "a\0b"}}, "title"),
        ({"parameters": {"selection_id": 1, "title": "\ud800"}}, "JSON"),
        ({"parameters": {"selection_id": object()}}, "JSON"),
        ({"owner": 2**31}, "owner"),
        ({"owner": "me"}, "owner"),
        ({"details_table": 2**15}, "details_table"),
        ({"description": "a\0b"}, "description"),
        ({"description": "\ud800"}, "JSON"),
        ({"description": "x" * 70_000}, "70"),
        ({"request": 5}, "request"),
        ({"start_at": datetime(2030, 1, 1)}, "start_at.* time zone"),
        ({"start_at": "tomorrow"}, "start_at.* time zone"),
        ({"start_at": datetime.max.replace(tzinfo=UTC)}, "9999"),
        ({"start_at": datetime.now(UTC), "delay_seconds": 5}, "exclude each other"),
        ({"delay_seconds": -1}, "delay_seconds.* 0 or more"),
        ({"delay_seconds": float("nan")}, "delay_seconds"),
        ({"delay_seconds": 1e300}, "delay_seconds"),
        ({"delay_seconds": "soon"}, "delay_seconds"),
        ({"deduplication_key": ""}, "deduplication_key.* not empty"),
        ({"deduplication_key": 12}, "deduplication_key"),
        ({"deduplication_key": "\ud800"}, "deduplication_key.* JSON"),
        ({"deduplication_key": "form 12", "task_id": new_task_id()}, "leave out `task_id`"),
    ],
)
def test_what_does_not_fit_is_refused_before_publishing(
    client: str, amqp_url: str, fields: dict[str, Any], names: str
) -> None:
    # Nothing is bound yet: had it been published, the error would be another one.
    with open_producer(client, amqp_url) as producer, pytest.raises(InvalidParameters, match=names):
        producer.submit("report", **({"parameters": {"selection_id": 1}} | fields))


def test_a_wish_to_cancel_that_no_reader_could_read_is_refused(producer: Submitter) -> None:
    with pytest.raises(
        InvalidCancellation, match="`requested_by` must be a whole number from -2147483648 to 2147483647"
    ):
        producer.cancel(new_task_id(), requested_by=2**31)
    with pytest.raises(InvalidCancellation, match="reason"):
        producer.cancel(new_task_id(), reason="\0")


def test_an_unknown_task_is_refused_and_the_known_ones_are_named(producer: Submitter) -> None:
    with pytest.raises(UnknownTask, match="noop, report"):
        producer.submit("no-such-task")


def test_one_bad_request_of_many_refuses_all(producer: Submitter, amqp_url: str) -> None:
    producer.submit("noop")
    with pytest.raises(UnknownTask):
        producer.submit_many([TaskRequest(name="noop"), TaskRequest(name="no-such-task")])
    assert len(commands_in(amqp_url, TASKS_QUEUE.name)) == 1


def test_parameters_too_large_for_a_message_are_refused_without_a_payload_store(producer: Submitter) -> None:
    with pytest.raises(PayloadTooLarge, match="BATCHTASK_PAYLOAD_URL"):
        producer.submit("report", {"selection_id": 1, "title": "x" * 70_000})


def test_parameters_too_large_for_a_message_go_to_the_payload_store(
    client: str, amqp_url: str, tmp_path: Path
) -> None:
    parameters = {"selection_id": 1, "title": "x" * 70_000}
    with open_producer(client, amqp_url, payload_url=str(tmp_path)) as producer:
        producer.submit("report", parameters)

    [command] = commands_in(amqp_url, TASKS_QUEUE.name)
    assert isinstance(command, SubmitTask)
    assert command.parameters == {}
    assert command.payload_ref is not None
    assert PayloadStore(str(tmp_path)).fetch(command.payload_ref) == parameters


def test_a_second_submission_under_one_id_leaves_the_large_parameters_of_the_first_alone(
    client: str, amqp_url: str, tmp_path: Path
) -> None:
    given = [{"selection_id": number, "title": "x" * 70_000} for number in (1, 2)]
    with open_producer(client, amqp_url, payload_url=str(tmp_path)) as producer:
        for parameters in given:
            producer.submit("report", parameters, deduplication_key="form 12")

    found = [command for command in commands_in(amqp_url, TASKS_QUEUE.name) if isinstance(command, SubmitTask)]
    store = PayloadStore(str(tmp_path))
    assert [store.fetch(command.payload_ref) for command in found if command.payload_ref] == given


def test_a_payload_store_that_cannot_be_written_refuses(client: str, amqp_url: str, tmp_path: Path) -> None:
    blocked = tmp_path / "a-file"
    blocked.touch()
    with open_producer(client, amqp_url, payload_url=str(blocked)) as producer, pytest.raises(PayloadUnwritable):
        producer.submit("report", {"selection_id": 1, "title": "x" * 70_000})


def test_without_a_bound_queue_the_message_is_returned(producer: Submitter, amqp_url: str) -> None:
    producer.submit("noop")  # declares and binds
    unbind(amqp_url, SUBMIT_KEY)
    unbind(amqp_url, CANCEL_KEY)

    with pytest.raises(PublishReturned, match="batchtask migrate"):
        producer.submit("noop")
    with pytest.raises(PublishReturned):
        producer.cancel(new_task_id())


def test_of_many_returned_messages_none_passes_for_confirmed(producer: Submitter, amqp_url: str) -> None:
    producer.submit("noop")
    unbind(amqp_url, SUBMIT_KEY)
    twice = TaskRequest(name="noop")
    requests = [twice, twice, *(TaskRequest(name="noop") for _ in range(600))]

    with pytest.raises(SubmitManyFailed) as caught:
        producer.submit_many(requests)
    assert caught.value.confirmed == ()
    assert set(caught.value.failed) == {request.task_id for request in requests}
    assert all(isinstance(error, PublishReturned) for error in caught.value.failed.values())


def test_queues_that_differ_are_told_at_once_and_used_once_mended(client: str, amqp_url: str) -> None:
    with broker_channel(amqp_url) as channel:
        channel.queue_declare(TASKS_QUEUE.name, durable=True)
    with open_producer(client, amqp_url, submit_seconds=30) as producer:
        began = time.monotonic()
        for _ in range(2):
            with pytest.raises(TopologyMismatch, match=TASKS_QUEUE.name):
                producer.submit("noop")
        assert time.monotonic() - began < 10

        with broker_channel(amqp_url) as channel:
            channel.queue_delete(TASKS_QUEUE.name)
        task_id = producer.submit("noop")
    assert task_ids_in(amqp_url, TASKS_QUEUE.name) == {task_id}


def test_a_channel_that_the_broker_closes_is_opened_again_within_the_submit(
    producer: Submitter, amqp_url: str
) -> None:
    producer.submit("noop")
    with broker_channel(amqp_url) as channel:
        channel.exchange_delete(COMMANDS.name)

    producer.submit("noop")
    assert len(commands_in(amqp_url, TASKS_QUEUE.name)) == 2


def test_a_closed_producer_opens_again_when_it_is_used(producer: Submitter, amqp_url: str) -> None:
    producer.close()
    first = producer.submit("noop")
    producer.close()
    producer.close()
    second = producer.submit("noop")

    assert task_ids_in(amqp_url, TASKS_QUEUE.name) == {first, second}


def test_many_threads_share_one_producer(producer: Submitter, amqp_url: str) -> None:
    with ThreadPoolExecutor(16) as threads:
        task_ids = list(threads.map(lambda _: producer.submit("noop"), range(320)))

    assert len(set(task_ids)) == 320
    assert task_ids_in(amqp_url, TASKS_QUEUE.name) == set(task_ids)


# Brokers that cannot be used.


def with_login(url: str, login: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=f"{login}@{parts.hostname}:{parts.port}").geturl()


def test_a_refused_login_is_told_with_what_to_correct(connecting_client: str, amqp_url: str) -> None:
    url = with_login(amqp_url, "nobody:wrong")
    with open_producer(connecting_client, url, submit_seconds=0.5) as producer:
        with error_within(0.5) as text:
            producer.submit("noop")
        assert "refused the login of 'nobody'" in text()
        assert "BATCHTASK_AMQP_URL" in text()


def test_a_virtual_host_that_is_missing_is_named(connecting_client: str, amqp_url: str) -> None:
    url = urlsplit(amqp_url)._replace(path="/no%2Fwhere").geturl()
    with open_producer(connecting_client, url, submit_seconds=0.5) as producer:
        with error_within(0.5) as text:
            producer.submit("noop")
        assert "no virtual host 'no/where'" in text()


def test_without_a_broker_a_submit_ends_at_its_deadline(connecting_client: str) -> None:
    port = free_port()
    url = f"amqp://guest:guest@127.0.0.1:{port}/"
    with open_producer(connecting_client, url, submit_seconds=0.5) as producer:
        with error_within(0.5) as text:
            producer.submit("noop")
        assert f"nothing at 127.0.0.1:{port} speaks AMQP" in text()
        with pytest.raises(SubmitManyFailed) as caught:
            producer.submit_many([TaskRequest(name="noop"), TaskRequest(name="noop")])
        assert (len(caught.value.failed), caught.value.confirmed) == (2, ())


def test_a_server_that_never_answers_does_not_hold_a_submit_longer_than_its_deadline(connecting_client: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"amqp://guest:guest@127.0.0.1:{silent.getsockname()[1]}/"
        with open_producer(connecting_client, url, submit_seconds=0.5) as producer, error_within(0.5):
            producer.submit("noop")


def test_closing_releases_a_submit_that_waits_in_another_thread(connecting_client: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, ThreadPoolExecutor(1) as threads:
        url = f"amqp://guest:guest@127.0.0.1:{silent.getsockname()[1]}/"
        with open_producer(connecting_client, url, submit_seconds=30) as producer, error_within(5):
            waiting = threads.submit(producer.submit, "noop")
            silent.accept()[0].close()  # it has begun
            producer.close()
            waiting.result(10)


@pytest.mark.parametrize("url", ["amqp://127.0.0.1:port/", "amqp://[::1/"])
def test_a_url_that_cannot_be_read_is_refused_at_once(connecting_client: str, url: str) -> None:
    before = threading.active_count()
    with (
        pytest.raises(BrokerUnavailable, match="BATCHTASK_AMQP_URL"),
        open_producer(connecting_client, url) as producer,
    ):
        producer.submit("noop")
    assert threading.active_count() <= before  # one of an earlier test may have ended meanwhile


# A broker of the test's own, to be killed.


@pytest.fixture
def own_broker() -> Iterator[RabbitMQ]:
    """A broker that is not running yet."""
    with tempfile.TemporaryDirectory(prefix="batchtask-", ignore_cleanup_errors=True) as directory:
        installation = broker_installation(Path(directory), ENVIRON, print)
        broker = RabbitMQ(installation=installation, directory=Path(directory))
        yield broker
        broker.stop()


class Flood:
    """A thread that submits hundreds of tasks again and again, until a submission fails after `end_with_failure`."""

    def __init__(self, producer: Submitter) -> None:
        self._producer = producer
        self._ends_with_failure = False
        self.confirmed: set[TaskId] = set()
        self.failed: list[TaskRequest] = []
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        last = False
        while not last:
            requests = [TaskRequest(name="noop") for _ in range(200)]
            try:
                self.confirmed |= set(self._producer.submit_many(requests))
            except SubmitManyFailed as error:
                last = self._ends_with_failure
                self.confirmed |= set(error.confirmed)
                self.failed += [request for request in requests if request.task_id in error.failed]

    def wait_confirmed(self, count: int) -> None:
        eventually(lambda: len(self.confirmed) >= count, seconds=HANG_SECONDS)

    def end_with_failure(self) -> None:
        self._ends_with_failure = True
        self._thread.join(HANG_SECONDS)
        assert not self._thread.is_alive()


def more_requests(count: int) -> list[TaskRequest]:
    return [TaskRequest(name="noop") for _ in range(count)]


def submit_until_confirmed(producer: Submitter, requests: Sequence[TaskRequest]) -> set[TaskId]:
    """Do what the error says: submit again what was not confirmed, until all of it is."""
    confirmed: set[TaskId] = set()
    deadline = time.monotonic() + HANG_SECONDS
    while time.monotonic() < deadline:
        try:
            return confirmed | set(producer.submit_many(requests))
        except SubmitManyFailed as error:
            confirmed |= set(error.confirmed)
            requests = [request for request in requests if request.task_id in error.failed]
    raise AssertionError(f"{len(requests)} tasks were never confirmed")


def test_an_alarm_and_a_kill_of_the_broker_lose_nothing_that_was_confirmed(own_broker: RabbitMQ) -> None:
    own_broker.configuration = "vm_memory_high_watermark.absolute = 1MB"
    own_broker.start()
    with ExitStack() as stack:
        producers = [
            stack.enter_context(open_producer(client, own_broker.amqp_url, submit_seconds=1.5))
            for client in SUBMITTERS
        ]
        threads = stack.enter_context(ThreadPoolExecutor(len(producers)))

        # An alarm: the first submit cannot know of it, the second is not even sent.
        for _ in range(2):
            for waiting in [threads.submit(producer.submit, "noop") for producer in producers]:
                with error_within(1.5) as text:
                    waiting.result()
                assert "alarm" in text()

        # The broker comes back without the alarm, and goes again in the middle of work.
        own_broker.configuration = ""
        own_broker.restart()
        floods = [Flood(producer) for producer in producers]
        for flood in floods:
            flood.wait_confirmed(1000)
        own_broker.kill()
        for flood in floods:
            flood.end_with_failure()

        # It comes back while they submit the rest.
        again = [
            threads.submit(submit_until_confirmed, producer, [*flood.failed, *more_requests(2000)])
            for producer, flood in zip(producers, floods, strict=True)
        ]
        own_broker.start()
        confirmed = {task_id for flood in floods for task_id in flood.confirmed}
        confirmed |= {task_id for waiting in again for task_id in waiting.result(HANG_SECONDS)}

    for queue in (TASKS_QUEUE, PROJECTIONS_QUEUE):
        assert confirmed <= task_ids_in(own_broker.amqp_url, queue.name)


# What only one of them can be asked.

FORK = """
    import os, sys
    from batchtask.definitions import Registry, TaskContext, task
    from batchtask.settings import Settings
    from producer.blocking import Producer

    @task("noop")
    def noop(context: TaskContext) -> None:
        "Do nothing."

    with Producer(Settings(amqp_url=sys.argv[1]), registry=Registry([noop])) as producer:
        print(producer.submit("noop"), flush=True)
        if os.fork() == 0:
            print(producer.submit("noop"), flush=True)
            os._exit(0)
        os.wait()
        print(producer.submit("noop"), flush=True)
"""


def test_the_blocking_producer_works_in_a_forked_child_and_on_in_its_parent(amqp_url: str) -> None:
    script = "\n".join(line.removeprefix("    ") for line in FORK.splitlines())
    command = [sys.executable, "-c", script, amqp_url]
    run = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

    assert (run.returncode, run.stderr) == (0, "")
    assert {str(task_id) for task_id in task_ids_in(amqp_url, TASKS_QUEUE.name)} == set(run.stdout.split())
    assert len(run.stdout.split()) == 3


def test_a_given_connection_stays_open_and_is_not_harmed_by_queues_that_differ(amqp_url: str) -> None:
    with broker_channel(amqp_url) as channel:
        channel.queue_declare(TASKS_QUEUE.name, durable=True)
    submitter = AioSubmitter(Settings(amqp_url=amqp_url), REGISTRY, shared=True)
    with submitter:
        with pytest.raises(TopologyMismatch):
            submitter.submit("noop")
        submitter.close()
        assert submitter.connection is not None
        assert submitter.run(declare_private_queue(submitter.connection))


async def declare_private_queue(connection: Any) -> str:
    async with connection.channel() as channel:
        queue = await channel.declare_queue(exclusive=True, robust=False)
        return str(queue.name)


def test_a_cancelled_submit_leaves_the_async_producer_usable(amqp_url: str) -> None:
    async def cancel_one_of_two() -> None:
        producer = submitter.producer
        await producer.submit("noop")
        many = [TaskRequest(name="noop") for _ in range(600)]
        given_up = asyncio.create_task(producer.submit_many(many))
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.gather(given_up, return_exceptions=True)
        assert given_up.cancelled()
        await producer.submit("noop")

    with AioSubmitter(Settings(amqp_url=amqp_url), REGISTRY) as submitter:
        submitter.run(cancel_one_of_two())
