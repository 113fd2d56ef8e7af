"""Past windows judged again: what the past says about a change, and what it cannot say."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from aims_pipelines.core.errors import BadInput, LedgerBroken
from aims_pipelines.core.replay import Basis, Effect, Outcome, Side
from aims_pipelines.core.verdict import Finding, Severity, Status, Verdict
from aims_pipelines.measure import from_bytes, to_bytes, without_rows
from aims_pipelines.stats.replay import DatasetReplay
from aims_pipelines.storage.dataset_tables import contents
from aims_pipelines.storage.ledger import EntryDraft

START = datetime(2026, 1, 1, tzinfo=UTC)
Tables = Callable[..., pa.Table]


def outcomes(found: DatasetReplay) -> list[str]:
    return [window.after.outcome.value for window in found.windows]


def effects(found: DatasetReplay) -> list[str]:
    return [window.effect.value for window in found.windows]


def statuses(side: Side | None) -> dict[str, tuple[Status | None, bool]]:
    assert side is not None
    return {answer.check: (answer.status, answer.gates) for answer in side.answers}


def basis(side: Side | None, check: str) -> Basis:
    assert side is not None
    answer = side.answer(check)
    assert answer is not None
    return answer.basis


@pytest.fixture
def past(scene: Any, table: Tables) -> Any:
    """Five windows: two good ones, one with a third of its amounts missing, a shifted one, a short one."""
    for window in (
        table(1),
        table(2),
        table(3, missing=0.3),
        table(4, shift=1.0),
        table(5, rows=300),
    ):
        scene.judge(window)
    return scene


@pytest.mark.parametrize("with_rows", [False, True])
def test_under_unchanged_rules_every_window_gets_the_answers_that_it_got(past: Any, with_rows: bool) -> None:
    found = past.replay(with_rows=with_rows)
    assert outcomes(found) == ["pass", "pass", "fail", "fail", "pass"]
    assert [window.version for window in found.windows] == [1, 2, None, None, 3]
    for window in found.windows:
        assert statuses(window.now) == statuses(window.then)
        assert all(answer.basis is Basis.REPLAYED for answer in window.now.answers)
    assert found.status is Status.PASS


def test_a_tighter_limit_newly_blocks_the_one_window_that_breaks_it(past: Any) -> None:
    found = past.replay(set=("min_rows=350",))
    assert found.changes == ("min_rows: 50 → 350",)
    assert effects(found) == ["none", "none", "none", "none", "newly blocked"]
    (change,) = found.windows[4].changes
    assert (change.check, change.effect) == ("completeness", Effect.BLOCKED)
    assert (change.answer.problems[0].observed, change.answer.problems[0].limit) == (300, 350)
    assert found.status is Status.FAIL


def test_a_looser_limit_lets_the_window_through_that_it_refused(scene: Any, table: Tables) -> None:
    for rows in (60, 40, 55):
        scene.judge(table(rows, rows=rows))
    found = scene.replay(set=("min_rows=30", "max_row_loss=0.9"))
    assert effects(found) == ["none", "newly let through", "none"]
    (change,) = found.windows[1].changes
    assert (change.check, change.effect) == ("completeness", Effect.RELEASED)
    assert (change.answer.problems[0].observed, change.answer.problems[0].limit) == (40, 50)
    assert found.status is Status.PASS


def test_a_check_that_is_to_warn_only_lets_through_what_it_alone_refused(past: Any) -> None:
    found = past.replay(stage=("drift=warn",))
    assert effects(found) == ["none", "none", "none", "newly let through", "none"]
    (change,) = found.windows[3].changes
    assert (change.check, change.effect) == ("drift", Effect.RELEASED)


def test_a_check_that_lets_go_of_a_window_which_another_keeps_out_is_named_all_the_same(past: Any) -> None:
    window = past.replay(stage=("drift=warn",)).windows[2]
    assert [(change.check, change.effect) for change in window.changes] == [("drift", Effect.RELEASED)]
    assert window.effect is Effect.NONE


def test_before_a_check_is_switched_from_warn_to_block_the_past_says_what_it_would_have_blocked(
    scene: Any, table: Tables
) -> None:
    scene.policy(stages="completeness: warn, drift: warn")
    for window in (table(1), table(2, missing=0.02), table(3)):
        scene.judge(window)
    found = scene.replay(stage=("completeness=block",))
    assert found.changes == ("completeness: warn → block",)
    assert effects(found) == ["none", "newly blocked", "none"]
    assert found.false_alarms.refused == 1


def test_without_a_proposal_the_records_as_they_are_now_are_held_against_what_was_decided(past: Any) -> None:
    past.policy(limits="max_row_loss: 0.1")
    found = past.replay()
    assert effects(found) == ["none", "none", "none", "none", "newly blocked"]
    assert found.windows[4].proposed is None


def test_a_window_is_judged_against_what_was_current_then(past: Any, table: Tables) -> None:
    past.judge(table(6, rows=400))
    found = past.replay(set=("max_row_loss=0.1",))
    # 300 rows after 400 are a loss; 400 after 300 are none, though 400 stood at the start.
    assert effects(found) == ["none", "none", "none", "none", "newly blocked", "none"]


def test_another_reference_is_the_one_that_there_was_then(scene: Any, table: Tables) -> None:
    scene.policy(limits="drift_effect: 0.5, drift_reference: previous")
    for n, shift in enumerate((0.0, 0.15, 0.3, 0.45, 0.6)):
        scene.judge(table(n + 1, rows=3000, shift=shift))
    found = scene.replay(set=("drift_reference=first",))
    assert [window.then.outcome for window in found.windows] == [Outcome.PASS] * 5
    assert effects(found)[0] == "none"
    assert effects(found)[-1] == "newly blocked"


def test_pooled_windows_get_the_answers_that_they_got(scene: Any, table: Tables) -> None:
    scene.policy(inconclusive="pool", limits="drift_effect: 0.22, max_row_loss: 1.0")
    scene.judge(table(1, rows=900))
    for n in range(2, 7):
        scene.judge(table(n, rows=150))
    found = scene.replay()
    told = [window.then.outcome for window in found.windows]
    assert Outcome.INCONCLUSIVE in told  # refused for want of rows, and pooled with those after it
    for window in found.windows:
        assert statuses(window.now) == statuses(window.then)
        mine, theirs = (side.answer("drift") for side in (window.now, window.then))
        assert [item.reason for item in mine.problems] == [item.reason for item in theirs.problems]


def test_each_partition_has_a_current_version_of_its_own(scene: Any, table: Tables) -> None:
    for n, (partition, rows) in enumerate([("a", 400), ("b", 100), ("a", 390), ("b", 95)]):
        scene.judge(table(n, rows=rows), partition=partition)
    found = scene.replay(set=("max_row_loss=0.1",))
    assert [window.partition for window in found.windows] == ["a", "b", "a", "b"]
    assert effects(found) == ["none"] * 4


def test_another_dataset_is_compared_with_as_it_was_then(scene: Any, table: Tables) -> None:
    scene.record(id="holdout")
    scene.record(more="disjoint_from: [holdout]")
    scene.judge(table(7), dataset="holdout")
    scene.judge(table(1))
    scene.judge(table(1, rows=399), dataset="holdout")  # nearly all rows of the window above, published later
    scene.judge(table(2))
    found = scene.replay(set=("max_duplicate_rows=0.001",))
    assert [statuses(window.now)["leakage"] for window in found.windows] == [(Status.PASS, True)] * 2
    assert effects(found) == ["none", "none"]


def test_the_same_rows_judged_again_count_as_one_window_of_the_estimate(scene: Any, table: Tables) -> None:
    for _ in range(3):
        scene.judge(table(1))
    found = scene.replay(set=("min_rows=500",))
    assert len(found.windows) == 3
    assert (found.false_alarms.refused, found.false_alarms.windows) == (1, 1)


def test_windows_before_the_period_are_left_out_and_still_serve_as_reference(past: Any) -> None:
    since = past.replay().windows[3].at
    found = past.replay(since=since)
    assert [window.version for window in found.windows] == [None, 3]
    assert outcomes(found) == ["fail", "pass"]


def test_nothing_is_told_where_nothing_was_judged(scene: Any) -> None:
    found = scene.replay(set=("min_rows=1",), budget=0.5)
    assert found.windows == ()
    assert found.status is Status.INCONCLUSIVE


def test_an_unknown_dataset_is_bad_input_with_a_suggestion(past: Any) -> None:
    with pytest.raises(BadInput, match="Did you mean 'orders'"):
        past.replay(dataset="order")


def test_a_replay_writes_nothing(past: Any) -> None:
    def state() -> dict[str, bytes]:
        files = (path for path in past.folder.rglob("*") if path.is_file() and path.suffix != ".db-shm")
        return {str(path): path.read_bytes() for path in files if not path.name.endswith(("-wal", "-shm"))}

    before = state()
    past.replay(set=("drift_effect=0.3",), with_rows=True)
    assert state() == before


def test_answers_of_the_assets_own_checks_are_taken_as_they_were_given(scene: Any, table: Tables) -> None:
    finding = Finding(target="", measure="shop", status=Status.FAIL, reason="the shop was shut")
    own = Verdict(check="shop_open", version="1", findings=(finding,), severity=Severity.ERROR)
    scene.judge(table(1), own=(own,))
    (window,) = scene.replay(set=("min_rows=60",)).windows
    assert statuses(window.proposed)["shop_open"] == (Status.FAIL, True)
    assert basis(window.proposed, "shop_open") is Basis.RECORDED
    assert window.after.outcome is Outcome.FAIL


def test_a_draft_policy_can_be_tried_and_is_called_one(past: Any, tmp_path: Path) -> None:
    file = tmp_path / "draft.yaml"
    text = (past.folder / "governance" / "policy.yaml").read_text()
    file.write_text(
        text.replace("in_force", "draft").replace("2020-01-01", "2030-01-01").replace("50", "350")
    )
    found = past.replay(file=file)
    assert effects(found)[4] == "newly blocked"
    assert any("not in force but draft" in note for note in found.notes)


class TestRows:
    """What cannot be told from profiles."""

    @pytest.fixture
    def wordy(self, scene: Any, table: Tables) -> Any:
        """Three good windows and one that lacks amounts; each holds more distinct texts than a profile names."""
        scene.keeps_rows = True
        scene.policy(stages="drift: warn")
        for n, missing in enumerate((0.0, 0.0, 0.0, 0.4), 1):
            scene.judge(table(n, rows=4500, notes=4500, missing=missing))
        return scene

    def test_a_check_that_needs_rows_is_never_a_replayed_pass(self, wordy: Any) -> None:
        found = wordy.replay()
        first = found.windows[0].now
        assert {answer.check for answer in first.answers if answer.basis is Basis.RECORDED} == {
            "completeness",
            "personal_data",
        }
        # The last window lacks amounts, which the profile knows: that is enough to refuse it.
        assert basis(found.windows[3].now, "completeness") is Basis.REPLAYED
        assert [item.check for item in found.unplayed] == ["completeness", "personal_data"]
        assert "'note'" in found.unplayed[0].reason
        assert (
            found.status is Status.PASS
        )  # record, policy and methods are those of then, so the answers stand

    def test_once_the_record_has_changed_its_answer_of_then_stands_no_longer(self, wordy: Any) -> None:
        wordy.record(note='pattern: "[0-9]+-[0-9]{1,4}"')
        found = wordy.replay()
        assert outcomes(found) == ["unknown", "unknown", "unknown", "fail"]
        assert basis(found.windows[0].now, "validity") is Basis.UNKNOWN
        assert found.status is Status.INCONCLUSIVE

    def test_stored_rows_tell_it_if_they_may_be_read(self, wordy: Any) -> None:
        wordy.record(note='pattern: "[0-9]+-[0-9]{1,3}"')
        found = wordy.replay(with_rows=True)
        assert effects(found) == ["newly blocked"] * 3 + ["none"]
        assert found.unplayed == ()
        assert "note" in {item.target for item in found.windows[0].now.answer("validity").problems}

    def test_a_proposed_limit_leaves_answers_alone_that_do_not_rest_on_it(self, wordy: Any) -> None:
        found = wordy.replay(set=("drift_effect=0.2",))
        assert basis(found.windows[0].proposed, "completeness") is Basis.RECORDED
        assert found.status is Status.PASS
        found = wordy.replay(set=("min_rows=60",))  # completeness rests on it
        assert basis(found.windows[0].proposed, "completeness") is Basis.UNKNOWN
        assert basis(found.windows[0].now, "completeness") is Basis.RECORDED
        assert found.status is Status.INCONCLUSIVE
        found = wordy.replay(set=("min_rows=6000",))  # broken whatever the texts are
        assert effects(found) == ["newly blocked"] * 3 + ["none"]

    def test_rows_that_were_deleted_or_changed_are_not_read(self, wordy: Any) -> None:
        wordy.record(note='pattern: "[0-9]+-[0-9]{1,3}"')
        first, second = (wordy.judged[n].digest.removeprefix("sha256:") for n in (0, 1))
        files = wordy.folder / ".aims" / "data" / "orders" / "_v"
        (files / f"{first}.parquet").unlink()
        (files / f"{second}.parquet").write_bytes(b"PAR1")
        found = wordy.replay(with_rows=True)
        assert effects(found)[0] == "unknown"
        assert effects(found)[2] == "newly blocked"
        reasons = [window.now.answer("validity").note for window in found.windows[:2]]
        assert "cannot be read (No such file or directory)" in reasons[0]

    def test_quarantined_rows_are_held_against_the_digest(self, wordy: Any) -> None:
        import pyarrow.parquet as pq

        wordy.record(note='pattern: "[0-9]+-[0-9]{1,4}"')
        assert "validity" not in {item.check for item in wordy.replay(with_rows=True).unplayed}
        project = wordy.project
        (item,) = project.store.quarantine_list("orders")
        place = project.locations.store / item.path
        pq.write_table(pq.read_table(place).slice(1), place)
        found = wordy.replay(with_rows=True)
        assert "not those that were judged" in found.windows[3].now.answer("validity").note

    def test_hashes_of_rows_that_are_gone_silence_only_what_needs_them(self, past: Any) -> None:
        project = past.project
        with project.database.write() as connection:
            for row in connection.execute(contents.select()).all():
                profile = to_bytes(without_rows(from_bytes(row.profile)))
                connection.execute(
                    contents.update().where(contents.c.digest == row.digest).values(profile=profile)
                )
        found = past.replay(set=("drift_effect=0.2",))
        assert {item.check for item in found.unplayed} == {"uniqueness"}
        assert basis(found.windows[1].proposed, "drift") is Basis.REPLAYED
        assert found.status is Status.PASS


class TestProfiles:
    """Profiles that are gone, damaged, or made by other groups."""

    def damage(self, scene: Any, place: int, profile: bytes | None) -> None:
        project, digest = scene.project, scene.judged[place].digest
        with project.database.write() as connection:
            chosen = contents.c.digest == digest
            if profile is None:
                connection.execute(contents.delete().where(chosen))
            else:
                connection.execute(contents.update().where(chosen).values(profile=profile))

    @pytest.mark.parametrize(
        ("profile", "says"),
        [(None, "is not in the store"), (b"AIMSPROF", "is damaged"), (b"", "is damaged")],
    )
    def test_a_profile_that_is_gone_or_damaged_is_named_and_never_passes(
        self, past: Any, profile: bytes | None, says: str
    ) -> None:
        self.damage(past, 1, profile)
        found = past.replay(set=("min_rows=60",))
        window = found.windows[1]
        assert window.after.outcome is Outcome.UNKNOWN
        assert all(says in answer.note for answer in window.after.answers)
        assert found.status is Status.INCONCLUSIVE

    def test_a_profile_that_is_gone_is_made_again_from_stored_rows(self, scene: Any, table: Tables) -> None:
        scene.keeps_rows = True
        scene.judge(table(1))
        scene.judge(table(2))
        self.damage(scene, 0, None)
        assert outcomes(scene.replay(set=("min_rows=60",))) == ["unknown", "unknown"]
        found = scene.replay(set=("min_rows=60",), with_rows=True)
        assert outcomes(found) == ["pass", "pass"]
        assert all(answer.basis is Basis.REPLAYED for answer in found.windows[1].after.answers)

    def test_without_the_profile_of_the_reference_no_window_is_judged_without_one(self, past: Any) -> None:
        self.damage(past, 0, None)
        found = past.replay(set=("min_rows=60",))
        assert {window.after.outcome for window in found.windows[:2]} == {Outcome.UNKNOWN}

    def test_a_stage_is_switched_on_the_answers_of_then_even_if_profiles_are_gone(self, past: Any) -> None:
        for place in range(5):
            self.damage(past, place, None)
        found = past.replay(stage=("drift=warn",))
        assert effects(found) == ["none", "none", "none", "newly let through", "none"]
        assert {answer.basis for window in found.windows for answer in window.after.answers} == {
            Basis.RECORDED
        }

    @pytest.mark.parametrize(
        ("before", "after", "says"),
        [
            ("", "protected: [{column: colour}]", "was not made by the groups of 'colour'"),
            (
                "protected: [{column: amount, bands: [100]}]",
                "protected: [{column: amount, bands: [90, 110]}]",
                "was made by other bands of 'amount'",
            ),
        ],
    )
    def test_other_groups_than_those_of_the_record_need_rows(
        self, scene: Any, table: Tables, before: str, after: str, says: str
    ) -> None:
        scene.keeps_rows = True
        scene.record(more=before)
        scene.judge(table(1, rows=2000))
        scene.judge(table(2, rows=2000))
        scene.record(more=after)
        found = scene.replay()
        assert outcomes(found) == ["unknown", "unknown"]
        assert says in found.unplayed[0].reason
        found = scene.replay(with_rows=True)
        assert outcomes(found) == ["pass", "pass"]
        assert found.windows[1].now.answer("representation").status is Status.PASS

    def test_groups_that_the_record_no_longer_declares_are_not_looked_into(
        self, scene: Any, table: Tables
    ) -> None:
        scene.record(more="protected: [{column: colour}]")
        scene.judge(table(1, rows=2000))
        scene.judge(table(2, rows=2000))
        scene.record()
        found = scene.replay()
        assert statuses(found.windows[1].now)["representation"] == (None, False)
        assert outcomes(found) == ["pass", "pass"]


def test_a_proposal_that_changes_nothing_says_so(past: Any) -> None:
    found = past.replay(set=("min_rows=50",), stage=("drift=block",))
    assert found.notes == ("The proposal changes nothing for this dataset.",)
    assert found.status is Status.PASS


def test_a_project_without_a_ledger_gets_none_by_a_replay(scene: Any) -> None:
    assert scene.replay().windows == ()
    assert not (scene.folder / ".aims").exists()


def test_an_entry_that_this_package_did_not_write_is_not_replayed(past: Any) -> None:
    draft = EntryDraft(
        kind="observation",
        actor="somebody",
        subject_kind="dataset",
        subject_id="orders",
        digests={"content": "sha256:" + "0" * 64},
        body={"event": "judged", "judgement": {"status": "fail"}},
        at=START,
    )
    past.project.ledger.append([draft])
    with pytest.raises(LedgerBroken, match="did not write"):
        past.replay()


def test_an_edited_ledger_is_not_replayed(past: Any) -> None:
    import sqlite3

    with sqlite3.connect(past.folder / ".aims" / "aims.db") as raw:
        raw.execute("DROP TRIGGER ledger_entry_no_update")
        raw.execute(
            "UPDATE ledger_entry SET line = replace(line, '\"rows\":400', '\"rows\":401') WHERE seq = 3"
        )
    with pytest.raises(LedgerBroken, match="entry 3"):
        past.replay()
