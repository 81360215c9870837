"""Sources that changed under a project whose model is live."""

import polars as pl

BASELINE = "version 1"


def test_a_missing_file(project, refused):
    project.rows.rename(project.folder / "row.csv")
    refused("rows.csv does not exist", "Correct `path` in project.yaml", "Did you mean 'row.csv'?")


def test_a_table_without_rows(project, refused, rows):
    project.write(rows.head(0))
    refused("Source 'rows' has no rows left", "Check the source")


def test_a_file_without_content(project, refused):
    project.rows.write_text("")
    refused("rows.csv is empty", "Provide a file with rows")


def test_a_wrong_delimiter(project, refused, rows):
    project.write(rows, separator=";")
    refused("rows.csv has one column", "when split at ','", "Set `delimiter: ';'`")


def test_another_encoding(project, refused, rows):
    text = rows.with_columns(kind=pl.lit("größe")).write_csv()
    project.rows.write_bytes(text.encode("latin1"))
    refused("rows.csv is not UTF-8: byte 0xf6 in line 2", "iconv -f latin1 -t utf-8")


def test_a_renamed_column(project, refused, rows):
    project.write(rows.rename({"a": "alpha"}))
    refused("a (train): Column is gone", "Read the reports of these steps")


def test_a_renamed_column_that_a_rule_names(project, refused, rows):
    project.write(rows.rename({"at": "att"}))
    refused(
        "sources.rows.clean.timestamps names column 'at'",
        "add a `rename`",
        "Did you mean 'att'?",
    )


def test_a_renamed_label(project, refused, rows):
    project.write(rows.rename({"y": "yy"}))
    refused("no column 'y', which label.column names", "Did you mean 'yy'?")


def test_a_retyped_column(project, refused, rows):
    project.write(rows.with_columns(a=pl.format("{} EUR", "a")))
    refused("a (train): Type changed", "Read the reports of these steps")


def test_a_column_without_values(project, refused, rows):
    project.write(rows.with_columns(a=pl.lit(None)))
    refused("Feature 'a' has no value in any of 400 rows", "features.exclude")


def test_duplicate_keys(project, refused, rows):
    project.write(pl.concat([rows, rows.head(3)]))
    refused("6 rows share their key id, for example {'id': 0}", "on_duplicate: first")


def test_times_that_cannot_be_read(project, refused, rows):
    at = pl.when(pl.col("id") == 6).then(pl.lit("last tuesday")).otherwise("at").alias("at")
    project.write(rows.with_columns(at))
    refused(
        "Source 'rows', column 'at', row 7: 'last tuesday' is not a time in format ISO 8601",
        "(1 of 400 values)",
        "null_values",
    )


def test_a_label_of_one_class(project, refused, rows):
    project.write(rows.with_columns(y=pl.lit(1)))
    refused("Label 'y': only the value 1 occurs", "nothing to learn", "Check the label's")


def test_a_label_with_a_third_class(project, refused, rows):
    project.write(rows.with_columns(y=pl.col("id") % 3))
    refused("Label 'y': values 0, 1, 2; a binary label is 0 or 1", "label.task: regression")


def test_labels_that_are_missing(project, refused, rows):
    project.write(rows.with_columns(y=pl.when(pl.col("id") > 9).then("y")))
    refused("Label 'y': 10 of 400 values are missing", "Drop unlabelled rows with `where`")


def test_an_infinite_value(project, refused, rows):
    project.write(rows.with_columns(b=pl.when(pl.col("id") != 4).then("b").otherwise(float("inf"))))
    refused("Feature 'b', row 5: inf is infinite", "Correct the source")


def test_nan_values_beyond_the_limit(project, refused, rows):
    project.write(
        rows.with_columns(b=pl.when(pl.col("id") % 2 == 0).then("b").otherwise(float("nan")))
    )
    refused(
        "b (train): Too many missing values",
        "Read the reports",
        options=["--set", "validation.max_missing={b: 0.1}"],
    )
