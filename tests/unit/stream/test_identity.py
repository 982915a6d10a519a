"""Names that follow from events: the same on every machine and in every run, and different where they must be."""

from hashlib import blake2b

import pytest

from stream.identity import decision_id, decision_seed


def test_a_decision_has_the_same_id_and_seed_on_every_machine():
    written = (2).to_bytes(8, "big") + b"u1" + (2).to_bytes(8, "big") + b"i1"
    assert decision_id("u1", "i1") == blake2b(written, digest_size=16).hexdigest() == "f82837a0d44610cead734b35f9a04028"
    assert decision_seed(0, "f82837a0d44610cead734b35f9a04028") == 5_322_956_149_399_102


@pytest.mark.parametrize("other", [("u1i", "1"), ("u", "1i1"), ("i1", "u1"), ("u1", "i1 "), ("", "u1i1")])
def test_where_the_user_ends_and_the_impression_begins_is_part_of_the_id(other):
    assert decision_id(*other) != decision_id("u1", "i1")


def test_a_seed_differs_by_run_and_by_decision_and_is_exact_in_any_json_reader():
    decisions = [decision_id("u1", f"i{number}") for number in range(1_000)]
    seeds = {decision_seed(run, decision) for run in (0, 1) for decision in decisions}
    assert len(seeds) == 2_000
    assert all(0 <= seed < 2**53 for seed in seeds)
    mean = sum(seeds) / len(seeds) / 2**53
    assert abs(mean - 0.5) < 5 * (1 / 12 / len(seeds)) ** 0.5  # of uniform numbers, five standard errors


def test_ids_of_any_script_have_a_name():
    assert decision_id("用户", "印象") != decision_id("用", "户印象")
