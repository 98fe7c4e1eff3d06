"""Collection from a unit's database: what is drawn, how far, what is due, what is loaded."""

from datetime import date, timedelta

import pytest
from sqlalchemy import create_engine, text

from hanma.upload import catalogue, collect

TODAY = date(2026, 11, 21)  # a Saturday
TABLES = catalogue.load("jiangsu").tables
DAILY, WEEKLY = ["risk", "hazard", "hidden_danger"], ["company", "department", "person", "regulation", "training", "risk_map"]


@pytest.fixture
def source(tmp_path):
    url = f"sqlite:///{tmp_path / 'safety.db'}"
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("create table points (no text, name text, day text)"))
        for day in range(1, 4):
            connection.execute(text("insert into points values (:no, 'x', :day)"), {"no": f"R{day}", "day": f"2026-11-0{day}"})
    queries = {
        "risk": "select no as riskNo, no as ID, name as riskName, day as updateDate from points where day >= :since order by no",
        "hazard": "select nonsense from points",
        "company": "select no as ID from points",
    }
    opened = collect.Source(url, queries)
    yield opened
    opened.close()
    engine.dispose()


def test_an_incremental_query_gives_the_last_day_again(source):
    drawn = [row.cells["riskNo"] for row in source.rows("risk", date(2026, 11, 2))]
    assert drawn == ["R2", "R3"]
    assert [row.cells["riskNo"] for row in source.rows("risk")] == ["R1", "R2", "R3"]


def test_a_query_without_since_is_whole(source):
    assert source.incremental("risk") and not source.incremental("company")
    assert len(list(source.rows("company", TODAY))) == 3


def test_a_bad_query_says_which_and_why_without_the_address(source, tmp_path):
    with pytest.raises(collect.CollectError, match="hazard.*nonsense") as told:
        list(source.rows("hazard"))
    assert str(tmp_path) not in str(told.value)
    with pytest.raises(collect.CollectError, match="training"):
        list(source.rows("training"))


def test_an_address_of_no_database_is_refused_without_showing_it():
    with pytest.raises(collect.CollectError) as told:
        collect.Source("nonsense://user:secret@host/x", {})
    assert "secret" not in str(told.value)


def test_daily_tables_are_due_each_day_and_weekly_ones_from_monday():
    marks = {}
    asked = [lambda key: marks.get(key, collect.Mark())]
    assert sorted(collect.due(TABLES.values(), asked[0], TODAY)) == sorted(DAILY + WEEKLY)
    marks.update({key: collect.Mark(run_day=TODAY) for key in TABLES})
    assert collect.due(TABLES.values(), asked[0], TODAY) == []
    assert sorted(collect.due(TABLES.values(), asked[0], TODAY + timedelta(days=1))) == sorted(DAILY)
    assert sorted(collect.due(TABLES.values(), asked[0], TODAY + timedelta(days=2))) == sorted(DAILY + WEEKLY)


def test_marks_outlive_the_process_and_keep_sites_apart(tmp_path):
    url = f"sqlite:///{tmp_path / 'outbox.db'}"
    engine = create_engine(url)
    mark = collect.Mark(TODAY, TODAY, None)
    collect.Marks(engine, "a").set("risk", mark)
    engine.dispose()
    engine = create_engine(url)
    assert collect.Marks(engine, "a").get("risk") == mark
    assert collect.Marks(engine, "b").get("risk") == collect.Mark()
    engine.dispose()


def test_the_target_gets_the_five_common_fields_and_one_row_an_id(tmp_path):
    url = f"sqlite:///{tmp_path / 'target.db'}"
    target = collect.Target(url)
    body = {"riskNo": "R1", "riskType": 0, "ID": "1", "updateDate": "2026-11-20"}
    target.load(TABLES["risk"], "I", "2026112100000001", [body])
    target.load(TABLES["risk"], "U", "2026112100000002", [body | {"riskName": "锅炉"}])
    target.close()
    engine = create_engine(url)
    with engine.connect() as connection:
        rows = connection.execute(text("select * from risk")).mappings().all()
    engine.dispose()
    assert len(rows) == 1
    wanted = {"ID": "1", "batchNo": "2026112100000002", "txCode": "06", "busType": "U", "riskName": "锅炉", "riskType": "0"}
    assert {key: rows[0][key] for key in wanted} == wanted
