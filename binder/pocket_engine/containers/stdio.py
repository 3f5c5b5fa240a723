"""Standard input, output and error of one program: pipes, or a terminal; threads carry what it writes into a log."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import struct
import termios
import threading

from .logs import STDERR, STDOUT, ContainerLog

PIECE = 1 << 16  # bytes read at once
PATIENCE = 5.0  # seconds for the last output of a program that has ended


class Stdio:
    """Made before the program starts, so that input can wait for it. log None: what it writes is thrown away."""

    def __init__(self, log: ContainerLog | None, *, tty: bool, stdin: bool):
        self.log, self.tty = log, tty
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._read: dict[int, int] = {}  # our end -> stream
        self._over = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self.child: list[int | None] = [None, None, None]
        self._input: int | None = None
        if tty:
            self._terminal()
        else:
            self._pipes(stdin)

    def _terminal(self) -> None:
        master, slave = os.openpty()
        os.set_blocking(master, False)
        self.child = [slave, slave, slave]
        self._input = master
        self._read = {master: STDOUT}

    def _pipes(self, stdin: bool) -> None:
        if stdin:
            theirs, self._input = os.pipe2(os.O_CLOEXEC)
            os.set_blocking(self._input, False)
            self.child[0] = theirs
        for number in (STDOUT, STDERR):
            if self.log is None:
                self.child[number] = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
            else:
                ours, self.child[number] = os.pipe2(os.O_CLOEXEC)
                self._read[ours] = number

    def started(self) -> None:
        """The program has its ends: close them here, and begin to read."""
        self._close_child()
        for file, stream in self._read.items():
            thread = threading.Thread(target=self._carry, args=(file, stream), name="output", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _close_child(self) -> None:
        for file in {file for file in self.child if file is not None}:
            os.close(file)
        self.child = [None, None, None]

    def _carry(self, file: int, stream: int) -> None:
        poll = select.poll()
        poll.register(file, select.POLLIN)
        poll.register(self._over, select.POLLIN)
        while True:
            ready = {found for found, _ in poll.poll()}
            if file not in ready:  # it has ended, and all of its output is read
                return
            try:
                data = os.read(file, PIECE)
            except BlockingIOError:
                continue
            except OSError:  # EIO: nobody has the terminal open any more
                return
            if not data:
                return
            if self.log is not None:
                self.log.write(stream, data)

    def offer(self, data: bytes) -> int:
        """Input for the program, without waiting. Returns how many bytes were taken; raises BrokenPipeError at the end."""
        with self._lock:
            if self._input is None:
                raise BrokenPipeError
            try:
                return os.write(self._input, data)
            except BlockingIOError:
                return 0
            except OSError:
                raise BrokenPipeError from None

    def end_input(self) -> None:
        """The program reads an end of file, once it has read the rest. Nothing for a terminal, as in Docker."""
        with self._lock:
            if self._input is not None and not self.tty:
                os.close(self._input)
                self._input = None

    def resize(self, height: int, width: int) -> None:
        """The terminal's new size, in characters. Nothing where there is no terminal."""
        with self._lock:
            if self.tty and self._input is not None:
                with contextlib.suppress(OSError):
                    fcntl.ioctl(self._input, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def finish(self) -> None:
        """The program has ended, or was never started: wait until its output is in the log, and close everything."""
        os.eventfd_write(self._over, 1)
        for thread in self._threads:
            thread.join(PATIENCE)
        self._close_child()
        stuck = any(thread.is_alive() for thread in self._threads)
        with self._lock:
            ends = set(self._read) | ({self._input} if self._input is not None else set())
            self._input = None
        if not stuck:  # a number must not be used again while a thread may still read from it
            for file in (*ends, self._over):
                os.close(file)
        self._read = {}
