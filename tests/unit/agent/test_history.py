"""What is looked up in the log before anybody decides."""

import pytest
from support.events import T0_MS, recommendation

from agent.history import newest_epoch
from stream.codec import JsonCodec
from stream.log import Record

CODEC = JsonCodec()


class Recommendations:
    """Recommendations of given versions, by partition; None is no record of ours."""

    def __init__(self, *versions):
        self._versions = versions

    def partitions(self):
        return range(len(self._versions))

    def end(self, topic, partition):
        assert topic == "recommendations"
        return len(self._versions[partition])

    def read(self, topic, partition, start, stop):
        for offset in range(start, stop):
            version = self._versions[partition][offset]
            value = b"{" if version is None else CODEC.encode(recommendation(policy_version=version))
            yield Record(topic, partition, offset, b"u", value, CODEC.headers, T0_MS)


@pytest.mark.parametrize(
    ("versions", "epoch"),
    [
        (([], []), None),
        ((["0.0"],), 0),
        ((["1.7", "2.0"], ["1.9"]), 2),
        ((["9.1"], ["10.0", "10.2"]), 10),  # numbers, not texts
        ((["3.0", None, "not a version"],), 3),
        ((["5.0"] + ["4.0"] * 2_000,), 4),  # only the newest are read
    ],
)
def test_the_epoch_is_the_highest_among_the_newest_recommendations(versions, epoch):
    assert newest_epoch(Recommendations(*versions)) == epoch
