"""The project's own code: loaded afresh, and blamed by line."""

import sys

import pytest

from headrace.components.shared import project_code
from headrace.components.shared.errors import DataError, ProjectCodeError


def call(name="run", **code):
    files = {f"{stem}.py": text for stem, text in code.items()}
    with project_code.importable(files) as folder:
        function = project_code.load_function(folder, "main.py", name)
        with project_code.blamed_on(folder, "main.py", hint="A hint."):
            return function()


def refused(**keys):
    with pytest.raises(ProjectCodeError) as caught:
        call(**keys)
    return caught.value


def test_project_files_can_import_each_other_and_are_gone_afterwards():
    before = list(sys.path)
    code = {"main": "from helper import x\ndef run(): return x\n", "helper": "x = 5\n"}
    assert call(**code) == 5
    assert sys.path == before
    assert not {"main", "helper"} & set(sys.modules)


def test_two_projects_in_one_process_do_not_mix():
    assert call(main="def run(): return 1\n") == 1
    assert call(main="def run(): return 2\n") == 2


def test_the_line_that_raised_is_shown():
    error = refused(main="def run():\n    a = 1\n    return a / 0\n")
    assert "main.py:3 in run raised ZeroDivisionError" in error.message
    assert "`return a / 0`" in error.message
    assert error.fix == "Correct main.py. A hint."


def test_the_deepest_line_of_the_project_is_shown_not_the_librarys():
    code = {
        "main": "import helper\ndef run():\n    return helper.parse()\n",
        "helper": "import json\ndef parse():\n    return json.loads('{')\n",
    }
    error = refused(**code)
    assert "helper.py:3 in parse raised JSONDecodeError" in error.message


def test_a_syntax_error_names_line_and_text():
    error = refused(main="x = 1\ndef run(:\n    pass\n")
    assert "main.py:2 raised SyntaxError at `def run(:`" in error.message


def test_an_import_that_fails_is_blamed_on_its_line():
    error = refused(main="x = 1\nimport no_such_library\n")
    assert "main.py:2" in error.message
    assert "no_such_library" in error.message


def test_a_function_that_is_missing_gets_the_nearest_name():
    error = refused(main="def runn(): pass\n")
    assert "main.py has no function `run`" in error.message
    assert "'runn'" in error.fix


def test_an_error_with_its_own_advice_is_left_alone():
    with (
        pytest.raises(DataError, match="mine"),
        project_code.importable({}) as folder,
        project_code.blamed_on(folder, "main.py"),
    ):
        raise DataError("mine", fix="do")


def test_a_long_message_is_cut_to_its_first_line():
    error = refused(main="def run():\n    raise ValueError('a' * 999 + chr(10) + 'b' * 9)\n")
    assert "a" * 400 in error.message
    assert "a" * 401 not in error.message and "bbb" not in error.message
