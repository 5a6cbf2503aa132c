"""Files that are replaced in one step: there is always the old file or the new one."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import fastbp
from fastbp._model_file import atomic
from fastbp._model_file.atomic import replacing

OLD, NEW = b"old" * 1000, b"new" * 2000


@pytest.fixture
def path(tmp_path):
    return tmp_path / "file"


def replace(path, data=NEW):
    with replacing(str(path)) as file:
        file.write(data)


def names(path):
    return sorted(os.listdir(path.parent))


def test_a_new_file(path):
    replace(path)
    assert (path.read_bytes(), names(path)) == (NEW, ["file"])


def test_the_old_file_is_there_until_the_end(path):
    path.write_bytes(OLD)
    with replacing(str(path)) as file:
        file.write(NEW)
        assert (path.read_bytes(), names(path)) == (OLD, [".file.tmp", "file"])
    assert (path.read_bytes(), names(path)) == (NEW, ["file"])


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, OSError])
def test_an_error_leaves_the_old_file(path, error):
    path.write_bytes(OLD)
    with pytest.raises(error):  # noqa: SIM117, PT012
        with replacing(str(path)) as file:
            file.write(NEW)
            raise error
    assert (path.read_bytes(), names(path)) == (OLD, ["file"])


def test_file_and_folder_are_flushed_around_the_renaming(path, monkeypatch):
    calls = []

    def recorded(name):
        call = getattr(os, name)

        def record(*args):
            is_folder = name == "fsync" and os.path.isdir(f"/proc/self/fd/{args[0]}")
            calls.append(f"{name} folder" if is_folder else name)
            return call(*args)

        return record

    for name in ("fsync", "replace"):
        monkeypatch.setattr(os, name, recorded(name))
    replace(path)
    assert calls == ["fsync", "replace", "fsync folder"]


def failing(monkeypatch, name, code, when=lambda *args: True):
    """Let a function of the system fail."""
    module = fcntl if name == "flock" else os
    call = getattr(module, name)

    def fail(*args, **options):
        if when(*args):
            raise OSError(code, os.strerror(code))
        return call(*args, **options)

    monkeypatch.setattr(module, name, fail)


@pytest.mark.parametrize(
    ("name", "code"),
    [("fsync", errno.EIO), ("fsync", errno.ENOSPC), ("replace", errno.EACCES), ("flock", errno.EIO)],
)
def test_what_fails_is_an_os_error_and_leaves_the_old_file(path, monkeypatch, name, code):
    path.write_bytes(OLD)
    failing(monkeypatch, name, code)
    with pytest.raises(OSError, match=os.strerror(code)):
        replace(path)
    assert path.read_bytes() == OLD
    assert names(path) == (["file"] if name != "flock" else [".file.tmp", "file"])


def test_file_systems_without_locks_and_without_flushing_of_folders(path, monkeypatch):
    failing(monkeypatch, "flock", errno.ENOLCK)
    failing(monkeypatch, "fsync", errno.EINVAL, lambda file: os.path.isdir(f"/proc/self/fd/{file}"))
    replace(path)
    assert (path.read_bytes(), names(path)) == (NEW, ["file"])


def test_a_link_stays_and_its_target_is_replaced(path, tmp_path):
    (tmp_path / "folder").mkdir()
    target = tmp_path / "folder" / "target"
    target.write_bytes(OLD)
    path.symlink_to(Path("folder") / "target")
    replace(path)
    assert path.is_symlink()
    assert (target.read_bytes(), names(target), names(path)) == (NEW, ["target"], ["file", "folder"])


def test_a_link_to_nothing_is_filled(path, tmp_path):
    path.symlink_to("target")
    replace(path)
    assert (tmp_path / "target").read_bytes() == NEW


def test_modes(path):
    """That of the old file; otherwise that of any new file."""
    umask = os.umask(0o027)
    try:
        replace(path)
        assert path.stat().st_mode & 0o7777 == 0o640
        path.chmod(0o604)
        with replacing(str(path)) as file:
            assert os.fstat(file.fileno()).st_mode & 0o7777 == 0o604  # no one else reads what is written
        assert path.stat().st_mode & 0o7777 == 0o604
    finally:
        os.umask(umask)


@pytest.mark.parametrize("kind", ["folder", "pipe", "link to a folder"])
def test_what_is_no_file_is_not_replaced(path, kind):
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(path.parent)
    with pytest.raises(
        fastbp.ParameterError, match=f"^path is '{path}', which is not a file, expected a file or a n"
    ):
        replace(path)
    assert names(path) == ["file"]


def test_a_folder_that_is_missing(path):
    for folder in (path, path.parent):
        with pytest.raises(FileNotFoundError) as raised:
            replace(folder / "missing" / "file")
        assert raised.value.filename == str(folder / "missing" / "file")  # not the temporary one


@pytest.mark.parametrize("name", ["n" * 251, "n" * 255, "é" * 127, "\udcff"])
def test_names_of_any_length(path, name):
    path = path.parent / name
    replace(path)
    assert (path.read_bytes(), names(path)) == (NEW, [name])


def test_a_name_in_the_current_folder(path, monkeypatch):
    """Also if the block goes to another one."""
    monkeypatch.chdir(path.parent)
    with replacing("file") as file:
        os.chdir("/")
        file.write(NEW)
    assert (path.read_bytes(), names(path)) == (NEW, ["file"])


@pytest.mark.parametrize("leftover", ["file", "empty file", "hard link", "pipe"])
def test_leftovers_are_not_piled_up(path, leftover):
    temporary, other = path.parent / ".file.tmp", path.parent / "other"
    other.write_bytes(b"")
    if leftover == "hard link":
        temporary.hardlink_to(other)
    elif leftover == "pipe":
        os.mkfifo(temporary)
    else:
        temporary.write_bytes(2 * NEW if leftover == "file" else b"")
        temporary.chmod(0o600)
    replace(path)
    assert (path.read_bytes(), other.read_bytes(), names(path)) == (NEW, b"", ["file", "other"])


def test_a_link_in_the_place_of_the_temporary_file_is_not_followed(path):
    other = path.parent / "other"
    (path.parent / ".file.tmp").symlink_to(other)
    with pytest.raises(OSError, match="symbolic"):
        replace(path)
    assert not other.exists()


def test_threads_take_turns(path):
    """Each file is whole, and no call fails."""
    contents = [bytes([i]) * 50_000 for i in range(6)]
    errors, seen = [], set()

    def save(data):
        try:
            for _ in range(6):
                with replacing(str(path)) as file:
                    for first in range(0, len(data), 10_000):
                        file.write(data[first : first + 10_000])
        except BaseException as error:
            errors.append(error)

    replace(path, contents[0])
    threads = [threading.Thread(target=save, args=(data,)) for data in contents]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        seen.add(path.read_bytes())
    for thread in threads:
        thread.join()
    assert errors == []
    assert seen <= {*contents}
    assert names(path) == ["file"]


def test_a_signal_handler_in_the_middle_does_not_wait_for_itself(path):
    with replacing(str(path)) as file:
        with pytest.raises(fastbp.BusyError, match=r"^this thread is writing '.*\.file\.tmp'"):
            replace(path, OLD)
        replace(path.parent / "other", OLD)
        file.write(NEW)
    assert (path.read_bytes(), names(path)) == (NEW, ["file", "other"])


def test_an_interruption_after_the_renaming_leaves_the_file_of_another_thread(path, monkeypatch):
    def interrupted(folder):
        (path.parent / ".file.tmp").write_bytes(OLD)  # of another thread, which has begun
        raise KeyboardInterrupt

    monkeypatch.setattr(atomic, "_flush_folder", interrupted)
    with pytest.raises(KeyboardInterrupt):
        replace(path)
    assert (path.read_bytes(), names(path)) == (NEW, [".file.tmp", "file"])


def test_a_forked_child_does_not_keep_the_lock(path):
    """It shares the open file, which it may keep for long."""
    with replacing(str(path)) as file:
        child = os.fork()
        if child == 0:
            signal.pause()
        file.write(OLD)
        waiting = threading.Thread(target=replace, args=(path,))
        waiting.start()
        time.sleep(0.2)  # until it waits for the lock
    try:
        waiting.join(10)
        assert not waiting.is_alive()
        assert path.read_bytes() == NEW
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


KILLED = """
import os, signal, sys
from fastbp._model_file.atomic import replacing
with replacing(sys.argv[1]) as file:
    file.write(b"some")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_process_leaves_the_old_file_and_no_lock(path):
    path.write_bytes(OLD)
    killed = subprocess.run([sys.executable, "-P", "-c", KILLED, str(path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert (path.read_bytes(), names(path)) == (OLD, [".file.tmp", "file"])
    replace(path)
    assert (path.read_bytes(), names(path)) == (NEW, ["file"])


class Interruption:
    """A KeyboardInterrupt at the n-th line of the module that is run."""

    def __init__(self, n):
        self.n, self.lines = n, 0

    def enter(self, frame, event, argument):
        return self.step if frame.f_code.co_filename == atomic.__file__ else None

    def step(self, frame, event, argument):
        if event == "line":
            self.lines += 1
            if self.lines == self.n:
                sys.settrace(None)
                raise KeyboardInterrupt
        return self.step


@pytest.mark.filterwarnings(
    "ignore:unclosed file"
)  # interrupted before `with`: the file closes a moment later
def test_interruptions_at_every_line(path, monkeypatch):
    """The old file or the new one, and the next call works."""
    monkeypatch.setattr(os, "fsync", lambda file: None)
    n = lines = 1
    left = 0
    while lines == n:
        n += 1
        replace(path, OLD)
        interruption = Interruption(n)
        sys.settrace(interruption.enter)
        try:
            replace(path)
        except KeyboardInterrupt:
            pass
        finally:
            sys.settrace(None)
        lines = interruption.lines
        left += len(names(path)) - 1
        assert path.read_bytes() in (OLD, NEW), n
        assert names(path) in (["file"], [".file.tmp", "file"]), n
    assert n > 30
    assert left <= 8  # before the block that deletes the file, and in that block
    replace(path)
    assert (path.read_bytes(), names(path)) == (NEW, ["file"])
