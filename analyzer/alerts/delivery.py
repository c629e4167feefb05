"""Tells each target what waits for it, in order, until it is told; a slow one delays itself."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence

from analyzer.alerts.http import Later, Post, Refusal, send
from analyzer.alerts.outbox import Delivery, Outbox
from analyzer.alerts.targets.base import Message, Notify, Run, Target, TargetError
from collectors import extras

POLL = 0.2  # seconds between looks into the outbox
AT_ONCE = 1000  # deliveries looked at together

log = logging.getLogger("choreoscope.alerts")


class Deliverer:
    """A thread for each target."""

    def __init__(
        self,
        outbox: Outbox,
        targets: Sequence[Target],
        *,
        link_local: bool = False,
        digest_ns: int = 0,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._outbox, self._link_local, self._clock = outbox, link_local, clock
        self._digest_ns = digest_ns
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(
                target=self._run, args=(target,), name=f"alerts-{target.name}", daemon=True
            )
            for target in targets
        ]

    def start(self) -> None:
        """Begin to deliver."""
        for thread in self._threads:
            thread.start()

    def stop(self, grace: float = 5.0) -> None:
        """End after the delivery that is under way; what waits stays in the outbox."""
        self._stopping.set()
        until = time.monotonic() + grace
        for thread in self._threads:
            thread.join(max(0.1, until - time.monotonic()))

    def _run(self, target: Target) -> None:
        while not self._stopping.is_set():
            try:
                busy = self.turn(target)
            except Exception:
                log.exception("while delivering to %s", target.name)
                busy = False
            if not busy:
                self._stopping.wait(POLL)

    def turn(self, target: Target) -> bool:
        """Deliver what is due to one target; whether there was anything."""
        if self._gathering(target):
            return False
        due = self._outbox.due(target.name, self._clock(), AT_ONCE)
        stale = _stale(due, target.repeats)
        self._outbox.forget(stale)
        due = [one for one in due if one not in stale]
        for first in range(0, len(due), target.batch):
            if not self._deliver(target, due[first : first + target.batch]):
                break
        return bool(due)

    def _gathering(self, target: Target) -> bool:
        """Whether what there is waits for the next digest; machines are told at once."""
        if not self._digest_ns or not target.digests:
            return False
        return self._clock() - self._outbox.last_delivered(target.name) < self._digest_ns

    def _deliver(self, target: Target, deliveries: list[Delivery]) -> bool:
        """Whether to go on with the next ones."""
        now = self._clock()
        try:
            deliver(target.message([one.event for one in deliveries]), self._link_local)
        except Later as error:
            self._outbox.again(deliveries, now, str(error), int(error.after_s * 1e9))
            return False
        except TargetError as error:
            self._outbox.again(deliveries, now, str(error))
            return False
        except Refusal as error:
            if len(deliveries) > 1:  # one of them may be the culprit
                return all(self._deliver(target, [one]) for one in deliveries)
            self._outbox.refused(deliveries, now, str(error))
            return True
        self._outbox.delivered(deliveries, now)
        return True


def _stale(due: Sequence[Delivery], repeats: bool) -> list[Delivery]:
    """Repetitions that another one follows; all of them for a target that does not forget."""
    again = [one for one in due if one.event.change == "still"]
    last = {one.event.alert.incident.key: one.id for one in again} if repeats else {}
    return [one for one in again if last.get(one.event.alert.incident.key) != one.id]


def deliver(message: Message, link_local: bool = False) -> None:
    """Send one message. Raises Later, Refusal."""
    if isinstance(message, Post):
        send(message, link_local=link_local)
    elif isinstance(message, Run):
        _run(message)
    elif isinstance(message, Notify):
        _notify(message)
    else:
        sys.stdout.write(message.line + "\n")
        sys.stdout.flush()


def _run(message: Run) -> None:
    """Start the program in a group of its own, which ends with it."""
    try:
        program = subprocess.Popen(
            message.argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise Refusal(f"{message.argv[0]} cannot be started: {error.strerror}") from error
    try:
        _, said = program.communicate(message.stdin, timeout=message.timeout_s)
    except subprocess.TimeoutExpired:
        os.killpg(program.pid, signal.SIGKILL)
        program.communicate()
        raise Later(f"{message.argv[0]} took more than {message.timeout_s:.0f} s") from None
    if program.returncode:
        last = said.decode(errors="replace").strip()[-200:]
        raise Later(f"{message.argv[0]} ended with {program.returncode}: {last}")


def _notify(message: Notify) -> None:
    try:
        import apprise  # pyright: ignore[reportMissingImports] # an extra
    except ImportError:
        raise Refusal(f"apprise is not installed: {extras.how('apprise')}") from None
    found = apprise.Apprise()
    if not found.add(message.url):
        raise Refusal("apprise does not know this address")
    if not found.notify(title=message.title, body=message.text):
        raise Later("apprise could not deliver")
