import pytest

from headrace.components.shared.errors import ConfigError, StorageError
from headrace.pipelines.local.home import Home, new_run_id
from headrace.pipelines.local.records import RunRecord, State, TaskRecord, now, write_record


@pytest.fixture
def home(tmp_path):
    place = Home(tmp_path / "home")
    place.prepare()
    return place


def add_run(home, run_id, state=State.SUCCEEDED, **fields):
    run = RunRecord(
        run_id=run_id, pipeline="p", home=str(home.path), state=state, started=now(), **fields
    )
    write_record(run)
    return run


def test_run_ids_sort_by_time():
    ids = [new_run_id() for _ in range(200)]
    fractions = [run_id[:-2] for run_id in ids]
    assert fractions == sorted(fractions)
    assert len({len(run_id) for run_id in ids}) == 1


def test_a_run_is_found_by_id_prefix_and_latest(home):
    for run_id in ("20260101-000000-aaaaaa", "20260101-000000-aaaabb", "20260102-000000-cccccc"):
        add_run(home, run_id)

    assert home.find("latest").run_id == "20260102-000000-cccccc"
    assert home.find("20260102").run_id == "20260102-000000-cccccc"
    assert home.find("20260101-000000-aaaaaa").run_id == "20260101-000000-aaaaaa"
    with pytest.raises(ConfigError, match="More than one run starts with `20260101`"):
        home.find("20260101")
    with pytest.raises(ConfigError, match="No run starts with `x`") as caught:
        home.find("x")
    assert "20260102-000000-cccccc" in caught.value.fix


def test_an_empty_home_has_no_latest(home):
    with pytest.raises(ConfigError, match="No run starts with `latest`"):
        home.find("latest")


def test_a_run_without_its_process_is_interrupted(home):
    run_id = "20260101-000000-aaaaaa"
    task = TaskRecord(name="t", component="t", state=State.RUNNING)
    add_run(home, run_id, State.RUNNING, tasks={"t": task})

    assert home.read(run_id).state is State.INTERRUPTED
    assert home.read(run_id).tasks["t"].state is State.INTERRUPTED
    with home.owned(run_id):
        assert home.read(run_id).state is State.RUNNING
        assert home.read(run_id).tasks["t"].state is State.RUNNING
    assert home.read(run_id).state is State.INTERRUPTED


def test_a_run_has_one_owner(home):
    with home.owned("20260101-000000-aaaaaa"):
        with (
            pytest.raises(ConfigError, match="still going on"),
            home.owned("20260101-000000-aaaaaa"),
        ):
            pass
        with home.owned("20260101-000000-bbbbbb"):
            pass


def test_nothing_is_cleaned_while_a_run_goes_on(home):
    with (
        home.owned("20260101-000000-aaaaaa"),
        pytest.raises(ConfigError, match="A run is going on"),
        home.exclusive(),
    ):
        pass
    with home.exclusive(), pytest.raises(ConfigError, match="is being cleaned"), home.shared():
        pass


def test_an_unreadable_record_is_named(home):
    add_run(home, "20260101-000000-aaaaaa")
    (home.runs / "20260101-000000-aaaaaa" / "run.json").write_text("{half")

    with pytest.raises(StorageError, match=r"run\.json cannot be read"):
        home.find("latest")


def test_a_home_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(StorageError, match="Runs cannot be kept"):
        Home(tmp_path / "file" / "home").prepare()
