"""The outbox alone, on SQLite: states, corrections, parents, leases, batches, retention. Nothing is sent."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, text

from hanma.upload import outbox
from hanma.upload.outbox import content
from hanma.upload.privacy import Vault
from hanma.upload.record import Attachment
from host_tests.upload.sending_world import hazard, prepared, table_of

CHINA = timezone(timedelta(hours=8))
NOON_MS = int(datetime(2026, 11, 21, 12, tzinfo=CHINA).timestamp() * 1000)
DAY_MS = 86_400_000
ID = "440500199001011234"
PHOTO = b"\xff\xd8 a picture " * 50


class Clock:
    """Says what it is told."""

    def __init__(self):
        self.ms = NOON_MS

    def __call__(self):
        return self.ms


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def open_store(tmp_path, clock):
    """Opens stores on one file; closes them."""
    stores = []

    def opened(key=b"k" * 32, **more):
        more = {"site": "site", "clock": clock, "table_of": table_of} | more
        stores.append(outbox.open(f"sqlite:///{tmp_path / 'outbox.db'}", Vault(key), **more))
        return stores[-1]

    yield opened
    for store in stores:
        store.close()


@pytest.fixture
def store(open_store):
    return open_store()


def claim(store, limit=1, platform="shantou", **more):
    return store.claim("me", platform, limit, **more)


def accept(store, limit=1):
    items = claim(store, limit)
    return [store.settle(item, "accepted", "0", "成功") for item in items]


def state(store, record_id):
    [line] = store.find(ids=[record_id])
    return line.state


# Bodies


@settings(max_examples=40)
@given(
    st.recursive(
        st.none() | st.integers() | st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",))),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=8,
    )
)
def test_a_body_comes_back_as_it_was_put(value):
    photo = Attachment('张 "三".jpg', data=b"\0\1\2", media="image/jpeg")
    body = {"value": value, "photo": photo, "bare": Attachment("", data=b"x")}
    text_of, files = content.split(body)
    assert content.parse(text_of, dict(enumerate(files))) == body
    on_wire = content.parse(content.join(text_of, dict(enumerate(files))), {})
    assert on_wire == body | {"photo": "data:image/jpeg;base64,AAEC", "bare": "eA=="}


def test_a_text_that_looks_like_a_hole_is_no_hole():
    text_of, files = content.split({"a": '\\u00000||x"', "b": '"\\u00000||"'})
    assert content.join(text_of, dict(enumerate(files))) == text_of
    with pytest.raises(ValueError, match="NUL"):
        content.split({"a": "\0000||x"})


# Putting


def test_a_new_record_is_queued_and_the_same_again_is_nothing(store):
    put = store.put(prepared("gate", ID, photo=PHOTO))
    assert put.outcome == "new"
    assert store.put(prepared("gate", ID, photo=PHOTO)) == outbox.Put("same", put.id)
    assert store.counts()["queued"] == 1


def test_the_same_again_is_nothing_after_acceptance_too(store):
    put = store.put(prepared("gate", ID))
    accept(store)
    assert store.put(prepared("gate", ID)) == outbox.Put("same", put.id)


def test_another_picture_is_another_content(store):
    store.put(prepared("gate", ID, photo=PHOTO))
    assert store.put(prepared("gate", ID, photo=PHOTO + b"!")).outcome == "correction"


def test_a_correction_replaces_nothing_until_it_is_confirmed(store):
    first = store.put(prepared("gate", ID, name="张三"))
    held = store.put(prepared("gate", ID, name="张四", photo=PHOTO))
    assert held.outcome == "correction"
    assert (state(store, first.id), state(store, held.id)) == ("queued", "held")
    assert store.body(first.id)["name"] == "张三"
    assert store.confirm(held.id) == first.id
    assert store.body(first.id)["name"] == "张四"
    assert store.body(first.id)["photo"].data == PHOTO
    assert store.find(state="held") == []


def test_a_confirmed_correction_of_what_was_accepted_is_sent_as_a_change(store):
    store.put(prepared("gate", ID, name="张三"))
    accept(store)
    store.confirm(store.put(prepared("gate", ID, name="张四")).id)
    [item] = claim(store)
    assert (item.operation, item.body()["name"]) == ("U", "张四")


def test_other_content_while_the_record_is_in_the_air_is_busy(store):
    first = store.put(prepared("gate", ID, name="张三"))
    held = store.put(prepared("gate", ID, name="张四"))
    [item] = claim(store)
    assert store.put(prepared("gate", ID, name="张五")) == outbox.Put("busy", first.id)
    with pytest.raises(outbox.OutboxError, match="on its way"):
        store.confirm(held.id)
    store.settle(item, "refused", "1", "no")
    assert store.confirm(held.id) == first.id


def test_a_correction_may_be_dropped(store):
    first = store.put(prepared("gate", ID, name="张三"))
    store.drop(store.put(prepared("gate", ID, name="张四")).id)
    assert [line.id for line in store.find()] == [first.id]
    with pytest.raises(outbox.OutboxError):
        store.drop(first.id)


def test_the_same_identity_at_another_site_is_another_record(open_store):
    open_store().put(prepared("gate", ID))
    other = open_store(site="elsewhere")
    assert other.put(prepared("gate", ID)).outcome == "new"
    assert other.counts()["queued"] == 1


def test_many_are_put_with_few_commits_and_in_order(store):
    puts = list(store.put_all(prepared("gate", f"{number}") for number in range(200)))
    assert [put.outcome for put in puts] == ["new"] * 200
    assert [put.id for put in puts] == sorted(put.id for put in puts)


def test_what_was_there_before_is_adopted_as_accepted(store):
    child = store.put(prepared("worker_enter", "w", parents=[("team", "t")]))
    assert store.adopt([prepared("team", "t"), prepared("gate", ID)]) == {"new": 2}
    assert store.adopt([prepared("team", "t")]) == {"known": 1}
    assert store.state("gate", (ID,), "shantou") == "accepted"
    assert state(store, child.id) == "queued"


@pytest.mark.parametrize("became", ["queued", "refused", "uncertain"])
def test_what_is_on_hand_and_adopted_is_never_sent(store, became):
    put = store.put(prepared("gate", ID, photo=PHOTO))
    child = store.put(prepared("worker_enter", "w", parents=[("gate", ID)]))
    if became != "queued":
        [item] = claim(store)
        store.settle(item, became)
    assert store.adopt([prepared("gate", ID, photo=b"")]) == {"taken": 1}
    assert state(store, put.id) == "accepted" and state(store, child.id) == "queued"
    assert store.body(put.id)["photo"].data == b""
    assert [item.id for item in claim(store, 9)] == [child.id] and store.counts()["held"] == 0


def test_what_waits_for_its_parent_and_is_adopted_waits_no_more(store):
    child = store.put(prepared("worker_enter", "w", parents=[("team", "t")]))
    assert store.adopt([prepared("worker_enter", "w")]) == {"taken": 1}
    store.put(prepared("team", "t"))
    assert state(store, child.id) == "accepted" and [item.table for item in claim(store, 9)] == ["team"]


def test_another_content_that_was_on_hand_is_held_for_the_clerk_when_its_record_is_adopted(store):
    put = store.put(prepared("gate", ID, photo=PHOTO, temperature="36.5"))
    assert store.adopt([prepared("gate", ID, temperature="36.1")]) == {"taken": 1}
    assert store.body(put.id)["temperature"] == "36.1" and claim(store) == []
    [held] = store.find(state="held")
    store.confirm(held.id)
    [item] = claim(store)
    assert item.operation == "U" and item.body()["temperature"] == "36.5" and item.body()["photo"].data == PHOTO


def test_what_is_on_its_way_or_a_confirmed_correction_is_not_adopted(store):
    store.put(prepared("gate", ID))
    [item] = claim(store)
    assert store.adopt([prepared("gate", ID)]) == {"busy": 1}
    store.settle(item, "accepted")
    store.confirm(store.put(prepared("gate", ID, temperature="36.1")).id)
    assert store.adopt([prepared("gate", ID)]) == {"known": 1}
    assert [item.operation for item in claim(store)] == ["U"]


def test_the_pictures_of_what_is_decided_to_be_accepted_are_gone(store):
    put = store.put(prepared("gate", ID, photo=PHOTO))
    store.settle(claim(store)[0], "uncertain")
    store.decide(put.id, "accepted")
    assert store.body(put.id)["photo"].data == b""


# Parents


def test_a_child_waits_for_an_unknown_parent_and_says_so(store):
    child = store.put(prepared("worker_enter", "w", parents=[("team", "t")]))
    assert store.find(ids=[child.id])[0].waits_for == (("team", "", None),)
    assert claim(store) == []


@pytest.mark.parametrize("answer", ["refused", "uncertain"])
def test_a_child_names_the_parent_that_holds_it_up_and_its_state(store, answer):
    store.put(prepared("team", "t", label="班组甲"))
    child = store.put(prepared("worker_enter", "w", parents=[("team", "t")]))
    [item] = claim(store)
    store.settle(item, answer)
    assert store.find(ids=[child.id])[0].waits_for == (("team", "班组甲", answer),)


def test_a_child_of_two_is_let_go_by_the_second(store):
    child = store.put(prepared("worker_enter", "w", parents=[("team", "a"), ("team", "b")]))
    store.put(prepared("team", "a"))
    store.put(prepared("team", "b"))
    accept(store)
    assert state(store, child.id) == "waiting"
    accept(store)
    assert state(store, child.id) == "queued"


def test_a_child_of_what_is_registered_does_not_wait_for_its_correction(store):
    store.put(prepared("team", "t", name="甲"))
    accept(store)
    store.confirm(store.put(prepared("team", "t", name="乙")).id)
    child = store.put(prepared("worker_enter", "w", parents=[("team", "t")]))
    assert state(store, child.id) == "queued"


# Claims and answers


def test_what_is_claimed_is_sending_for_everyone_before_the_claim_returns(store, open_store):
    put = store.put(prepared("gate", ID))
    [item] = claim(store)
    assert (item.id, item.attempt, item.operation) == (put.id, 1, "I")
    assert state(open_store(), put.id) == "sending"
    assert claim(open_store()) == []


def test_todays_newest_and_the_oldest_of_before_take_turns(store):
    for number in range(4):
        store.put(prepared("gate", f"live {number}", happened_ms=NOON_MS + number))
        store.put(prepared("gate", f"old {number}", happened_ms=NOON_MS - 9 * DAY_MS + number))
    order = [claim(store)[0].body()["id"] for _ in range(8)]
    live, old = [one for one in order if one[0] == "l"], [one for one in order if one[0] == "o"]
    assert live == ["live 3", "live 2", "live 1", "live 0"]
    assert old == ["old 0", "old 1", "old 2", "old 3"]
    assert {one[0] for one in order[:2]} == {"l", "o"}


@pytest.mark.parametrize("age_ms", [0, 5 * DAY_MS])
def test_where_only_one_kind_is_there_a_claim_is_filled_with_it(store, age_ms):
    for number in range(6):
        store.put(prepared("gate", f"{number}", happened_ms=NOON_MS - age_ms))
    assert len(claim(store, 5)) == 5


def test_a_record_queued_again_is_left_until_its_time(store, clock):
    store.put(prepared("gate", ID))
    [item] = claim(store)
    assert store.settle(item, "queued", "5", "later", again_ms=NOON_MS + 1000) == "queued"
    assert (claim(store), store.due_ms("shantou")) == ([], NOON_MS + 1000)
    clock.ms += 1000
    assert claim(store)[0].attempt == 2


def test_tables_can_be_left_out_of_a_claim(store):
    store.put(prepared("gate", ID))
    store.put(prepared("dust", "d"))
    assert [item.table for item in claim(store, 5, but=("gate",))] == ["dust"]
    assert store.due_ms("shantou", ("gate",)) is None


@pytest.mark.parametrize(("table", "after", "twice"), [("gate", "uncertain", 0), ("dust", "queued", 1)])
def test_a_lease_that_ran_out_is_treated_by_the_tables_rule(store, clock, table, after, twice):
    put = store.put(prepared(table, "a"))
    claim(store, lease_ms=1000)
    assert store.recover() == []
    clock.ms += 1000
    assert store.recover() == [(put.id, after)]
    assert store.counts()["possible_duplicates"] == twice
    assert [moment.state for moment in store.history(put.id)] == ["queued", "sending", after]


def test_an_acceptance_that_comes_late_still_counts(store, clock):
    put = store.put(prepared("gate", ID))
    [item] = claim(store, lease_ms=1000)
    clock.ms += 1000
    store.recover()
    assert store.settle(item, "accepted", "0", "") == "accepted"
    assert state(store, put.id) == "accepted"


def test_any_other_answer_that_comes_late_changes_nothing(store, clock):
    put = store.put(prepared("dust", "a"))
    [late] = claim(store, lease_ms=1000)
    clock.ms += 1000
    store.recover()
    claim(store)
    assert store.settle(late, "refused", "9", "no") == "sending"
    assert state(store, put.id) == "sending"


def test_a_late_acceptance_of_the_former_content_leaves_the_correction_queued(store, clock):
    put = store.put(prepared("gate", ID, name="张三"))
    [late] = claim(store, lease_ms=1000)
    clock.ms += 1000
    store.recover()
    store.confirm(store.put(prepared("gate", ID, name="张四")).id)
    assert store.settle(late, "accepted", "0", "") == "queued"
    [item] = claim(store)
    assert (item.id, item.operation, item.body()["name"]) == (put.id, "U", "张四")


@pytest.mark.parametrize(("word", "twice"), [("queued", 1), ("accepted", 0), ("refused", 0)])
def test_the_clerk_decides_about_an_uncertain_record(store, word, twice):
    put = store.put(prepared("gate", ID))
    [item] = claim(store)
    store.settle(item, "uncertain")
    store.decide(put.id, word, "asked by phone")
    assert state(store, put.id) == word
    assert store.counts()["possible_duplicates"] == twice
    assert store.history(put.id)[-1].message == "asked by phone"


def test_the_clerk_cannot_decide_what_is_in_the_air_or_send_the_accepted_again(store):
    put = store.put(prepared("gate", ID))
    [item] = claim(store)
    with pytest.raises(outbox.OutboxError, match="on its way"):
        store.decide(put.id, "queued")
    store.settle(item, "accepted")
    with pytest.raises(outbox.OutboxError, match="accepted"):
        store.decide(put.id, "queued")


def test_an_accepted_record_answers_for_its_identity(store):
    assert store.state("gate", (ID,), "shantou") is None
    store.put(prepared("gate", ID))
    assert store.state("gate", (ID,), "shantou") == "queued"
    accept(store)
    assert store.state("gate", (ID,), "shantou") == "accepted"


def test_one_look_at_a_table_tells_the_same_as_asking_for_each_record(store):
    for number, name in (("1", "张三"), ("2", "李四"), ("3", "王五")):
        store.put(replace(prepared("gate", number, name=name), known_as=((None,),)))
    accept(store)
    [item] = claim(store)
    store.settle(item, "refused")
    store.put(prepared("gate", "3", name="王六"))
    store.put(prepared("worker_out", "4"))
    told = store.states("gate", "shantou")
    asked = [("1",), ("2",), ("3",), ("4",), (None,)]
    assert [told(one) for one in asked] == [store.state("gate", one, "shantou") for one in asked]
    assert {told(one) for one in asked} == {"accepted", "refused", "queued", None}


# Many at once


def test_claims_asked_for_together_get_different_records_in_one_commit(store):
    for number in range(20):
        store.put(prepared("gate", f"{number}"))
    futures = [store.claim_later("me", "shantou", 1) for _ in range(20)]
    got = [future.result()[0].id for future in futures]
    assert sorted(got) == [line.id for line in store.find()]


def test_one_bad_step_does_not_spoil_its_group(store):
    store.put(prepared("gate", ID))
    barrier = threading.Barrier(3)

    def ask(step):
        barrier.wait()
        return step()

    with ThreadPoolExecutor(3) as pool:
        bad = pool.submit(ask, lambda: store.confirm(999))
        good = [pool.submit(ask, lambda number=number: store.put(prepared("gate", f"n{number}"))) for number in range(2)]
        with pytest.raises(outbox.OutboxError):
            bad.result()
        assert {future.result().outcome for future in good} == {"new"}


def test_a_closed_outbox_takes_nothing_more(open_store):
    store = open_store()
    store.close()
    with pytest.raises(Exception, match="closed"):
        store.put(prepared("gate", ID))


# Batches


def test_batch_numbers_are_the_day_and_eight_digits_and_go_on_after_a_restart(open_store):
    day = date(2026, 11, 21)
    assert open_store().next_batch_no("jiangsu", day) == "2026112100000001"
    assert open_store().next_batch_no("jiangsu", day) == "2026112100000002"
    assert open_store().next_batch_no("jiangsu", day + timedelta(days=1)) == "2026112200000001"


def test_a_batch_holds_one_operation_and_is_claimed_again_whole_under_its_number(store, clock):
    for number in range(3):
        store.put(hazard(f"h{number}"))
    first = claim(store, 50, "jiangsu", batch=True, lease_ms=1000)
    assert {item.batch_no for item in first} == {"2026112100000001"}
    store.put(hazard("later"))
    clock.ms += 1000
    store.recover()
    again = claim(store, 50, "jiangsu", batch=True)
    assert [item.id for item in again] == [item.id for item in first]
    assert {item.batch_no for item in again} == {"2026112100000001"}
    assert store.counts()["possible_duplicates"] == 3


def test_a_batch_is_filled_whatever_the_age_of_its_rows(store):
    for number in range(9):
        store.put(hazard(f"h{number}"))
    assert [len(claim(store, 6, "jiangsu", batch=True)) for _ in range(3)] == [6, 3, 0]


def test_new_changed_and_deleted_rows_are_never_in_one_batch(store):
    for number in range(3):
        store.put(hazard(f"h{number}"))
    for item in claim(store, 50, "jiangsu", batch=True):
        store.settle(item, "accepted", "1", "success")
    store.confirm(store.put(hazard("h0", name="x")).id)
    store.confirm(store.put(hazard("h1"), deletion=True).id)
    store.put(hazard("h3"))
    batches = [claim(store, 50, "jiangsu", batch=True) for _ in range(3)]
    assert sorted(items[0].operation for items in batches) == ["D", "I", "U"]
    assert [len(items) for items in batches] == [1, 1, 1]


def test_what_was_deleted_is_unknown_again_and_new_the_next_time(store):
    store.put(hazard("h"))
    [item] = claim(store, 50, "jiangsu", batch=True)
    store.settle(item, "accepted", "1", "")
    store.confirm(store.put(hazard("h"), deletion=True).id)
    [item] = claim(store, 50, "jiangsu", batch=True)
    assert item.operation == "D"
    store.settle(item, "accepted", "1", "")
    assert store.state("hazard", ("h",), "jiangsu") is None
    store.confirm(store.put(hazard("h", name="y")).id)
    assert claim(store, 50, "jiangsu", batch=True)[0].operation == "I"


def test_only_what_was_accepted_can_be_deleted(store):
    with pytest.raises(outbox.OutboxError, match="never accepted"):
        store.put(hazard("h"), deletion=True)


# What is kept


def test_pictures_are_gone_with_the_acceptance_and_kept_before(store):
    put = store.put(prepared("gate", ID, photo=PHOTO))
    assert store.body(put.id)["photo"].data == PHOTO
    accept(store)
    assert store.body(put.id)["photo"].data == b""


def test_each_kind_goes_when_its_days_are_over(open_store, clock):
    store = open_store(retention={"face": 2})
    put = store.put(prepared("gate", ID, photo=PHOTO, name="张三", temperature=36.5))
    accept(store)
    assert store.body(put.id)["photo"].data == PHOTO
    clock.ms += 8 * DAY_MS
    gone = store.purge()
    assert (gone["face"], gone["health"], gone["name"]) == (2, 1, 0)  # the picture, and its name in the body
    assert set(store.body(put.id)) == {"id", "name"}
    clock.ms += 400 * DAY_MS
    store.purge()
    assert store.body(put.id) == {}
    assert store.put(prepared("gate", ID, photo=PHOTO, name="张三", temperature=36.5)).outcome == "same"


def test_what_is_not_accepted_is_kept_whatever_its_age(store, clock):
    put = store.put(prepared("gate", ID, photo=PHOTO))
    clock.ms += 1000 * DAY_MS
    store.purge()
    assert store.body(put.id)["photo"].data == PHOTO


def test_nothing_private_is_in_the_database_in_clear(store, tmp_path):
    store.put(prepared("gate", ID, name="张三丰", photo=PHOTO, label="考勤 张**"))
    [item] = claim(store)
    store.settle(item, "refused", "9", f"身份证 {ID} 的张三丰没有进场")
    assert "张三丰" in store.find()[0].message
    store.close()
    data = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    for private in (ID.encode(), "张三丰".encode(), PHOTO, b"YSBwaWN0dXJl"):
        assert private not in data


def test_an_outbox_opens_only_with_its_own_key(open_store):
    open_store()
    with pytest.raises(outbox.OutboxError, match="another key"):
        open_store(key=b"x" * 32)


def test_the_database_survives_without_its_last_reader(open_store, tmp_path):
    """What was put is in the file whatever became of the process: here another connection reads it before any close."""
    store = open_store()
    store.put(prepared("gate", ID))
    engine = create_engine(f"sqlite:///{tmp_path / 'outbox.db'}")
    with engine.connect() as connection:
        assert connection.scalar(text("select count(*) from record where state = 'queued'")) == 1
        assert connection.scalar(text("pragma journal_mode")) == "wal"
    engine.dispose()


def test_other_databases_are_refused(tmp_path):
    for url in ("mysql://h/d", "sqlite://"):
        with pytest.raises(ValueError, match="sqlite:///FILE"):
            outbox.open(url, Vault(b"k" * 32))
