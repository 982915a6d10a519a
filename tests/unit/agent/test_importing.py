"""What takes seconds to import is imported beside something else, and once."""

import gc
import subprocess
import sys
import threading

import pytest

from agent.importing import imported_beside, without_collector


def test_the_collector_rests_inside_and_leaves_what_was_made_alone_afterwards():
    assert gc.isenabled()
    try:
        with without_collector():
            assert not gc.isenabled()
            kept = [[] for _ in range(1_000)]
        assert gc.isenabled()
        assert gc.get_freeze_count() >= len(kept)
    finally:
        gc.unfreeze()


def test_who_had_no_collector_has_none_afterwards():
    gc.disable()
    try:
        with without_collector():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
        gc.unfreeze()


def test_the_block_goes_on_while_a_module_is_imported_and_ends_when_it_is(tmp_path, monkeypatch):
    (tmp_path / "slow_module.py").write_text(
        "import slow_module_gate\nslow_module_gate.opened.wait(60)\nready = True\n"
    )
    (tmp_path / "slow_module_gate.py").write_text("import threading\nopened = threading.Event()\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import slow_module_gate  # noqa: PLC0415 - made just now

    with imported_beside("slow_module"):
        assert "import slow_module" in {thread.name for thread in threading.enumerate()}
        slow_module_gate.opened.set()
    assert sys.modules["slow_module"].ready


def test_it_is_waited_for_also_where_the_block_fails():
    with pytest.raises(KeyError), imported_beside("colorsys"):
        raise KeyError("colorsys")
    assert "colorsys" in sys.modules


def test_ray_is_started_before_anything_imports_what_takes_seconds():
    code = (
        "import sys, deploy.run; print([n for n in ('torch', 'ray.rllib', 'matplotlib', 'pandas') if n in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert found.stdout.strip() == "[]"
