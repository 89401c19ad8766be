"""Work on a Dask cluster: one function applied to many pieces near the data, and its results merged there.

Dask is an extra, and is imported when a cluster is asked for. What a function returns travels; what it
reads does not. A piece whose worker dies is given to another one, and so are results that died with it,
so the outcome is the same.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Generic, TypeVar

from concentra.errors import ConcentraError, UsageProblem

Untyped = Any
"""Something of `distributed`, which has types for some of its functions only."""

Piece = TypeVar("Piece")
Result = TypeVar("Result")

CONNECT_TIMEOUT_S = 10
"""How long to wait for a scheduler, and for its first worker."""
RETRIES = 2
"""How often a piece is tried again after an error: an object store may fail once. Dead workers do not count
here but against `distributed.scheduler.allowed-failures` of the cluster, which is 3."""
LOOPBACK = "127.0.0.1"
FAN_IN = 8
"""Results merged by one task."""


class DaskMissing(ConcentraError):
    """The extra that brings Dask is not installed."""

    def __init__(self) -> None:
        super().__init__("the engine dask needs packages that are not installed")
        self.hint = "pip install 'concentra[scale]'"


class SchedulerUnreachable(ConcentraError):
    """No scheduler answers, or it has no workers."""

    def __init__(self, scheduler: str, reason: str) -> None:
        super().__init__(f"the scheduler {scheduler} cannot be used: {reason}")
        self.scheduler = scheduler
        self.hint = "leave --scheduler out to start workers on this machine"


class WorkersFailed(ConcentraError):
    """The workers could not do the work, and trying again did not help."""

    def __init__(self, reason: str, hint: str) -> None:
        super().__init__(f"the workers failed: {reason}")
        self.hint = hint


class Refused(Exception):
    """What a `ConcentraError` of a worker says; exceptions with attributes of their own do not travel."""

    def __init__(self, message: str, hint: str | None, usage: bool) -> None:  # noqa: FBT001 - pickle gives it by place
        super().__init__(message, hint, usage)
        self.message, self.hint, self.usage = message, hint, usage


@dataclass(frozen=True, slots=True)
class _Told(Generic[Piece, Result]):
    """A function whose `ConcentraError`s travel."""

    function: Callable[[Piece], Result]

    def __call__(self, piece: Piece) -> Result:
        try:
            return self.function(piece)
        except ConcentraError as error:
            raise Refused(str(error), error.hint, isinstance(error, UsageProblem)) from None


class DaskCluster:
    """Workers that a scheduler knows."""

    def __init__(self, client: Untyped) -> None:
        self._client = client

    @property
    def threads(self) -> int:
        """How many pieces are worked on at the same time."""
        threads: Mapping[str, int] = self._client.nthreads()
        return max(1, sum(threads.values()))

    def merged(
        self,
        function: Callable[[Piece], Result],
        pieces: Sequence[Piece],
        merge: Callable[[Sequence[Result]], Result],
        *,
        progress: Callable[[Piece], None] = lambda _: None,
    ) -> Result:
        """Return the results of all pieces, merged on the workers in groups of `FAN_IN`.

        Parameters
        ----------
        function : callable
            Piece → result. It is sent to the workers, which must be able to import it.
        pieces : sequence
            What to work on, at least one; sent along, so they had better be small.
        merge : callable
            Results → one result. It must not matter in which order and groups they come.
        progress : callable
            Told each piece that is done.

        Raises
        ------
        ConcentraError
            What `function` raised, or why the workers could not do it.
        """
        distributed = _distributed()
        try:
            leaves = self._client.map(_Told(function), pieces, retries=RETRIES, pure=False)
            level = leaves
            while len(level) > 1:
                groups = [level[first : first + FAN_IN] for first in range(0, len(level), FAN_IN)]
                level = [
                    self._client.submit(_Told(merge), group, retries=RETRIES, pure=False) for group in groups
                ]
            piece_of = {leaf.key: piece for leaf, piece in zip(leaves, pieces, strict=True)}
            for leaf in distributed.as_completed(leaves, loop=self._client.loop):
                if leaf.status != "finished":
                    leaf.result()  # which raises what went wrong
                progress(piece_of[leaf.key])
            result: Result = level[0].result()
        except Refused as error:
            told = (UsageProblem if error.usage else ConcentraError)(error.message)
            told.hint = error.hint
            raise told from error
        except distributed.KilledWorker as error:
            raise WorkersFailed(
                "several died over the same piece, most likely for want of memory",
                "give each thread of a worker 1 GiB of memory",
            ) from error
        except CancelledError as error:
            raise WorkersFailed("the connection to the scheduler was lost", "start again") from error
        except ImportError as error:
            raise WorkersFailed(
                str(error), "install the same version of concentra where the workers run: concentra[scale]"
            ) from error
        return result


@contextmanager
def connected(scheduler: str | None) -> Iterator[DaskCluster]:
    """Connect to a scheduler, or start workers on this machine, one a core; both end with the block.

    Parameters
    ----------
    scheduler : str, optional
        Its address, as ``tcp://192.0.2.1:8786``.

    Raises
    ------
    DaskMissing
        If the extra ``scale`` is not installed.
    SchedulerUnreachable
        If nothing answers there within `CONNECT_TIMEOUT_S`, or it has no workers by then.
    """
    distributed = _distributed()
    if scheduler is None:
        with (
            distributed.LocalCluster(
                n_workers=os.cpu_count(),
                threads_per_worker=1,
                host=LOOPBACK,
                dashboard_address=f"{LOOPBACK}:0",  # None would be port 8787 of every interface
                silence_logs=logging.CRITICAL,  # what matters is raised here
            ) as local,
            distributed.Client(local, set_as_default=False) as client,
        ):
            yield DaskCluster(client)
        return
    try:
        _greet(scheduler)
        client = distributed.Client(scheduler, timeout=CONNECT_TIMEOUT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise SchedulerUnreachable(scheduler, str(error) or f"no answer in {CONNECT_TIMEOUT_S} s") from error
    with client:
        try:
            client.wait_for_workers(1, timeout=CONNECT_TIMEOUT_S)
        except TimeoutError as error:
            raise SchedulerUnreachable(scheduler, f"it has no workers after {CONNECT_TIMEOUT_S} s") from error
        yield DaskCluster(client)


def _greet(scheduler: str) -> None:
    """Shake hands within the time limit: of a bad address or a silent one `Client` tells late, or never."""
    distributed = _distributed()
    security = distributed.Security().get_connection_args("client")

    async def greet() -> None:
        connecting = import_module("distributed.comm").connect(scheduler, CONNECT_TIMEOUT_S, **security)
        connection = await asyncio.wait_for(connecting, CONNECT_TIMEOUT_S)
        connection.abort()

    with ThreadPoolExecutor(1) as apart:  # since a notebook has a loop of its own in this thread
        apart.submit(asyncio.run, greet()).result()


def _distributed() -> Untyped:
    try:
        return import_module("distributed")
    except ImportError as error:
        raise DaskMissing from error
