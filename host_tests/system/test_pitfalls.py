"""The twenty pitfalls against the whole terminal, a life each: nothing lost, a stop obeyed, the relay still, the recovery told."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from host_tests.sim.faults import FAULTS, PITFALLS
from host_tests.system.harness import staged_tree
from host_tests.system.pitfalls import AGAIN_MS, CASES, END_MS, live

pytestmark = pytest.mark.slow

_AT_ONCE_S = 4  # with three lost notifications of its arrival; without, far below a second
_HERE = (29.56, 106.57)
_NEAR = 0.02  # degrees: a cell's error


def _chosen():
    for case in CASES:
        for family in case.families():
            yield pytest.param(case, family, id=f"{case.number}-{case.fault}-{family}")


@pytest.fixture(scope="module")
def lives(request, tmp_path_factory, micropython32):
    """All the lives that this run asks for, two at a time: {(case, family): future}."""
    staged_tree()
    asked = [item.callspec.params for item in request.session.items if item.module is request.module and hasattr(item, "callspec")]
    pool = ThreadPoolExecutor(2)
    directory = tmp_path_factory.mktemp("lives")
    found = {}
    for number, one in enumerate(asked):
        case, family = one["case"], one["family"]
        found[case, family] = pool.submit(live, directory / str(number), micropython32, family, case)
    yield found
    pool.shutdown(cancel_futures=True)


def test_every_pitfall_of_the_simulator_is_tried():
    assert sorted(map(str, (case.key() for case in CASES))) == sorted(str(row[:2]) for row in PITFALLS)
    assert {number for number, _, _ in PITFALLS} == set(range(1, 21))


@pytest.mark.parametrize(("case", "family"), list(_chosen()))
def test_a_pitfall_costs_no_record_no_stop_and_no_movement_of_the_relay(lives, case, family):
    life = lives[case, family].result()
    story = f"{life.edges}\n{life.told()}\n{life.outcome.console()[-2000:]}"
    _struck(case, life, story)
    _obeyed(case, life, story)
    _complete(life, story)
    _told(case, life, story)
    if case.number == 18:
        _somewhere_true(case, life, story)


def _struck(case, life, story):
    """A fault that never came about proves nothing."""
    if case.fault and FAULTS[case.fault][0] and not case.first:
        assert case.fault not in life.outcome.result["faults"], story


def _obeyed(case, life, story):
    """The first stop at once where the session lives, an order of the same kind in time where it does not, later ones as ever."""
    assert [level for _, level in life.edges] == [0, 1, 0, 1, 0], story
    assert life.waited_s() is not None and life.waited_s() <= case.waits_s, (life.waited_s(), story)
    assert life.stopped_s() <= (_AT_ONCE_S if case.lives else case.waits_s), (life.stopped_s(), story)
    assert [life.outcome.answer(name)[1]["code"] for name in ("on", "again", "end")] == [200] * 3, story
    on, off = [ms for ms, _ in life.edges[-2:]]
    assert on - AGAIN_MS < 1000 and off - END_MS < 1000, story


def _complete(life, story):
    """All that was made has come, named without a gap, and nothing waits in the terminal."""
    names = life.names()
    assert names == [(1, 1 + k) for k in range(len(names))], story
    assert life.switchings() == [(1, "order"), (0, "order")] * 2, story
    assert life.left_on_flash == [], story


def _told(case, life, story):
    told = life.told()
    if case.counters:
        assert [name for name in case.counters if told.get(name, 0) > 0], (case.counters, story)
    if case.lives:
        assert life.logins == 1 and "drops" not in told, story
    assert "deaths" not in told and life.outcome.result["reset"] is None, story


def _somewhere_true(case, life, story):
    """No place is told that is none; the cell's, whose coordinates have changed places, is told the right way round."""
    for _, latitude, longitude in life.places():
        assert abs(float(latitude) - _HERE[0]) < _NEAR and abs(float(longitude) - _HERE[1]) < _NEAR, story
    sources = {source for source, _, _ in life.places()}
    assert sources == (set() if case.fault == "lbs_zero" else {"cell"}), story
