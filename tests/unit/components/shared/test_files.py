"""Whole files, digests, and refusals of the operating system in words."""

import errno
import os
import shutil

import pytest

from headrace.components.shared import files
from headrace.components.shared.errors import DataError, StorageError


def refused(error):
    with pytest.raises(StorageError) as caught, files.writing("/the/place"):
        raise error
    assert caught.value.http_status == 507
    return caught.value


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "quota is used up"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "permission is denied"),
    ],
)
def test_a_refusal_to_write_names_place_reason_and_way_out(code, words):
    error = refused(OSError(code, os.strerror(code)))
    assert "/the/place cannot be written" in error.message
    assert words in error.message
    assert "--home" in error.fix and "--resume" in error.fix


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("/x/FeatureStats.pb; No space left on device"),
        shutil.Error([("a", "b", "[Errno 28] No space left on device: 'b'")]),
    ],
)
def test_a_full_disk_is_recognised_in_errors_of_libraries(error):
    assert "the disk is full" in refused(error).message


def test_other_errors_pass_through_as_they_are():
    for error in (FileNotFoundError(2, "gone"), ValueError("wrong"), DataError("m", fix="f")):
        with pytest.raises(type(error)) as caught, files.writing("/the/place"):
            raise error
        assert caught.value is error


def test_a_file_appears_whole_or_not_at_all(tmp_path, monkeypatch):
    target = tmp_path / "folder" / "file.json"
    files.write_json(target, {"b": 1, "a": [2]})
    assert files.read_json(target) == {"a": [2], "b": 1}

    def fail(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("pathlib.Path.replace", fail)
    with pytest.raises(StorageError):
        files.write_json(target, {"a": "new"})
    assert files.read_json(target) == {"a": [2], "b": 1}


def test_a_failed_write_leaves_no_temporary_file(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("pathlib.Path.replace", fail)
    with pytest.raises(StorageError):
        files.write_text(tmp_path / "file", "text")
    assert list(tmp_path.iterdir()) == []


def test_digests_follow_names_and_content_and_nothing_else(tmp_path):
    def folder(name, **members):
        for member, text in members.items():
            path = tmp_path / name / member.replace("_", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return files.digest(tmp_path / name)

    first = folder("a", x="1", sub_y="2")
    os.utime(tmp_path / "a" / "x", (0, 0))
    assert folder("b", sub_y="2", x="1") == first == files.digest(tmp_path / "a")
    assert len({first, folder("c", x="1", y="2"), folder("d", x="1", sub_y="3")}) == 3


def test_the_digest_of_a_file_does_not_depend_on_its_name(tmp_path):
    for name in "ab":
        (tmp_path / name).write_text("same")
    assert files.digest(tmp_path / "a") == files.digest(tmp_path / "b")


def test_a_full_disk_is_recognised_wherever_it_is_met():
    error = files.disk_error(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/x/weights.h5"))
    assert error.message == "/x/weights.h5 cannot be written: the disk is full."
    assert "--resume latest" in error.fix
    assert files.disk_error(RuntimeError("x; No space left on device")) is not None


def test_an_error_about_something_else_than_the_disk_is_not_blamed_on_it():
    for error in (PermissionError(errno.EACCES, "no", "/etc/shadow"), FileExistsError(17, "x")):
        assert files.disk_error(error) is None
