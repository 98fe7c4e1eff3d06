"""asyncio's Task and TaskQueue in Python, for virtual time: the C ones stamp tasks with the host's own ticks.

They keep the interface `asyncio.core` works with (coro, data, state, ph_key, push, pop, peek, remove) and
compare times on the ring of 2^30, so that a wrap sorts right on the 64-bit port too.
"""

_core = None
_time = None


def install(core, time, io_queue):
    """Let asyncio use these, the given time module's ticks and io_queue() for streams."""
    global _core, _time
    _core, _time = core, time
    core.ticks = time.ticks_ms
    core.ticks_diff = time.ticks_diff
    core.ticks_add = time.ticks_add
    core.TaskQueue = TaskQueue
    core.Task = Task
    core.IOQueue = io_queue
    core.new_event_loop()


class TaskQueue:
    """Tasks sorted by their time; those of one time in the order they came."""

    def __init__(self):
        self._first = None

    def peek(self):
        """Return the first task, or None."""
        return self._first

    def push(self, task, at=None):
        """Queue a task for a tick count, or for now."""
        task.data = None
        task.ph_key = _time.ticks_ms() if at is None else at
        before, after = None, self._first
        while after is not None and _time.ticks_diff(after.ph_key, task.ph_key) <= 0:
            before, after = after, after.next
        task.next = after
        if before is None:
            self._first = task
        else:
            before.next = task

    def pop(self):
        """Take the first task off; IndexError when there is none."""
        task = self._first
        if task is None:
            raise IndexError("empty heap")
        self._first, task.next = task.next, None
        return task

    def remove(self, task):
        """Take a task off, wherever it stands."""
        if self._first is task:
            self.pop()
            return
        before = self._first
        while before is not None and before.next is not task:
            before = before.next
        if before is not None:
            before.next, task.next = task.next, None


class Task:
    """A coroutine on its way.

    state: True while it runs, a TaskQueue while others wait for it, None when done, False when that was seen.
    """

    def __init__(self, coro, context=None):
        self.coro = coro
        self.data = None  # what it waits on, the exception to throw into it, or how it ended
        self.state = True
        self.ph_key = 0
        self.next = None

    def __iter__(self):
        if not self.state:
            self.state = False
        elif self.state is True:
            self.state = TaskQueue()
        elif not isinstance(self.state, TaskQueue):
            raise RuntimeError("can't wait")
        return self

    def __next__(self):
        if not self.state:
            raise self.data
        self.state.push(_core.cur_task)
        _core.cur_task.data = self

    def done(self):
        """Return whether it has ended."""
        return not self.state

    def cancel(self):
        """Throw CancelledError into it; return False when it has ended already."""
        if not self.state:
            return False
        if self is _core.cur_task:
            raise RuntimeError("can't cancel self")
        task = self
        while isinstance(task.data, Task):
            task = task.data
        queue = _core._task_queue
        if hasattr(task.data, "remove"):
            task.data.remove(task)
            queue.push(task)
        elif _time.ticks_diff(task.ph_key, _time.ticks_ms()) > 0:
            queue.remove(task)
            queue.push(task)
        task.data = _core.CancelledError
        return True
