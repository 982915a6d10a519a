"""What several test files build or check with: plain modules, imported as `support.<name>`."""

import pytest

pytest.register_assert_rewrite("support.episodes", "support.kafka_records")  # their asserts show the values, too
