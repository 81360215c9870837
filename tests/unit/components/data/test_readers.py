"""Reading sources: every format, and what is said when a source is not what was promised."""

import io
import sys
import zipfile

import polars as pl
import pytest

from headrace.components.data.ingest import readers
from headrace.components.shared.config.data import Source
from headrace.components.shared.errors import ConfigError, SourceError

ROWS = pl.DataFrame({"a": [1, 2], "b": ["x", None]})


def source(**keys):
    return Source.parse(keys, where="test")


def read(**keys):
    return readers.read("rows", source(**keys))[0]


def refused(**keys):
    with pytest.raises(SourceError) as caught:
        read(**keys)
    assert caught.value.fix
    return caught.value


def zipped(path, **members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return str(path)


def test_csv(tmp_path):
    (tmp_path / "r.csv").write_text("a,b\n1,x\n2,NA\n")
    assert read(path=str(tmp_path / "r.csv")).equals(ROWS)


def test_csv_inside_a_zip(tmp_path):
    path = zipped(tmp_path / "r.csv.zip", **{"r.csv": "a,b\n1,x\n2,\n"})
    assert read(path=path).equals(ROWS)


def test_csv_with_lines_before_the_header_and_another_delimiter(tmp_path):
    (tmp_path / "r.csv").write_text("made by a tool\na;b\n1;x\n2;\n")
    assert read(path=str(tmp_path / "r.csv"), skip_lines=1, delimiter=";").equals(ROWS)


def test_a_late_value_of_another_kind_is_seen(tmp_path):
    (tmp_path / "r.csv").write_text("a\n" + "1\n" * 5000 + "1.5\n")
    assert read(path=str(tmp_path / "r.csv"))["a"].dtype == pl.Float64


def test_parquet_and_json_lines(tmp_path):
    ROWS.write_parquet(tmp_path / "r.parquet")
    ROWS.write_ndjson(tmp_path / "r.jsonl")
    assert read(path=str(tmp_path / "r.parquet"), format="parquet").equals(ROWS)
    assert read(path=str(tmp_path / "r.jsonl"), format="jsonl").equals(ROWS)


def test_a_glob_a_folder_and_their_order(tmp_path):
    for day, value in (("02", 2), ("01", 1), ("03", 3)):
        (tmp_path / f"{day}.csv").write_text(f"a\n{value}\n")
    assert read(path=str(tmp_path / "*.csv"))["a"].to_list() == [1, 2, 3]
    assert read(path=str(tmp_path))["a"].to_list() == [1, 2, 3]


def test_files_may_order_their_columns_differently_and_mix_whole_and_broken_numbers(tmp_path):
    (tmp_path / "1.csv").write_text("a,b\n1,x\n")
    (tmp_path / "2.csv").write_text("b,a\ny,2.5\n")
    found = read(path=str(tmp_path / "*.csv"))
    assert found.to_dict(as_series=False) == {"a": [1.0, 2.5], "b": ["x", "y"]}


def test_files_with_different_columns_are_named_with_the_columns(tmp_path):
    (tmp_path / "1.csv").write_text("a,b\n1,x\n")
    (tmp_path / "2.csv").write_text("a,c\n1,x\n")
    message = refused(path=str(tmp_path / "*.csv")).message
    assert "2.csv" in message and "1.csv" in message
    assert "different columns: b, c" in message


def test_files_whose_types_cannot_be_joined_are_named_with_the_column(tmp_path):
    pl.DataFrame({"a": [1], "k": [[1]]}).write_parquet(tmp_path / "1.parquet")
    pl.DataFrame({"a": [1], "k": ["text"]}).write_parquet(tmp_path / "2.parquet")
    message = refused(path=str(tmp_path / "*.parquet"), format="parquet").message
    assert "2.parquet" in message
    assert "'k' is String in" in message and "List(Int64) in" in message


def test_a_package_file_is_read_without_importing_the_package(tmp_path, monkeypatch):
    package = tmp_path / "noisy_package"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "r.csv").write_text("a,b\n1,x\n2,\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert read(path="package://noisy_package/r.csv").equals(ROWS)
    assert "noisy_package" not in sys.modules


def test_a_package_that_is_not_installed_and_a_file_it_lacks():
    with pytest.raises(ConfigError, match="'no_such_package' is not installed"):
        readers.locate("package://no_such_package/r.csv")
    with pytest.raises(SourceError, match=r"there is no none\.csv in polars"):
        readers.locate("package://polars/none.csv")


def test_a_missing_file_suggests_the_nearest_neighbour(tmp_path):
    (tmp_path / "flights.csv").write_text("a\n1\n")
    error = refused(path=str(tmp_path / "flihgts.csv"))
    assert "does not exist" in error.message
    assert "Did you mean 'flights.csv'?" in error.fix


@pytest.mark.parametrize("text", ["", " \n\n"])
def test_an_empty_file_is_refused(tmp_path, text):
    (tmp_path / "r.csv").write_text(text)
    assert "r.csv is empty" in refused(path=str(tmp_path / "r.csv")).message


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_a_wrong_delimiter_names_the_right_one(tmp_path, delimiter):
    (tmp_path / "r.csv").write_text(delimiter.join("ab") + "\n" + delimiter.join("12") + "\n")
    error = refused(path=str(tmp_path / "r.csv"))
    assert "has one column" in error.message
    assert f"delimiter: {delimiter!r}" in error.fix


def test_text_that_is_not_utf8_names_line_and_byte(tmp_path):
    (tmp_path / "r.csv").write_bytes("a,b\n1,x\n2,é\n".encode("latin1"))
    error = refused(path=str(tmp_path / "r.csv"))
    assert "not UTF-8: byte 0xe9 in line 3" in error.message
    assert "iconv" in error.fix


@pytest.mark.parametrize(
    ("format", "data"),
    [
        ("csv", b"a,b\n1,2\n1,2,3,4\n"),
        ("parquet", b"a,b\n1,2\n"),
        ("jsonl", b'{"a": 1}\n{"a": \n'),
    ],
)
def test_content_of_another_format_says_so(tmp_path, format, data):
    (tmp_path / "r").write_bytes(data)
    error = refused(path=str(tmp_path / "r"), format=format)
    assert f"r is not valid {format}" in error.message
    assert "format" in error.fix


def test_a_zip_must_hold_one_file(tmp_path):
    path = zipped(tmp_path / "r.zip", one="a\n1\n", two="a\n1\n")
    assert "holds 2 files; one was expected" in refused(path=path).message


def test_a_damaged_zip_is_named(tmp_path):
    (tmp_path / "r.zip").write_bytes(b"PK not really")
    assert "r.zip cannot be read" in refused(path=str(tmp_path / "r.zip")).message


def test_columns_with_a_type_rule_keep_their_text_until_the_rule_is_applied(tmp_path):
    (tmp_path / "r.csv").write_text("zip\n01234\n")
    found = read(path=str(tmp_path / "r.csv"), clean={"types": {"zip": "string"}})
    assert found["zip"].to_list() == ["01234"]


def test_a_byte_order_mark_is_not_part_of_the_first_column(tmp_path):
    (tmp_path / "r.csv").write_bytes(b"\xef\xbb\xbfa,b\n1,x\n2,\n")
    assert read(path=str(tmp_path / "r.csv")).columns == ["a", "b"]


def test_a_type_rule_may_name_a_column_that_is_not_there(tmp_path):
    """The cleaning says so afterwards, with the nearest name."""
    (tmp_path / "r.csv").write_text("a\n1\n")
    assert read(path=str(tmp_path / "r.csv"), clean={"types": {"b": "int"}}).columns == ["a"]


def test_origins_are_the_bytes_that_were_read(tmp_path):
    path = zipped(tmp_path / "r.zip", **{"inner.csv": "a\n1\n"})
    (content,) = readers.read("rows", source(path=path))[1]
    assert content.origin == f"{path}:inner.csv"
    assert io.BytesIO(content.data).read() == b"a\n1\n"
