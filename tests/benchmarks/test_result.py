from __future__ import annotations

import pytest

from benchmarks.result import report


@pytest.mark.parametrize(
    ("figure", "at_most", "status"),
    [(0.8, False, 0), (0.79, False, 1), (0.81, True, 1), (0.8, True, 0), (float("nan"), False, 1)],
)
def test_status_says_whether_the_goal_is_met(capsys, figure, at_most, status):
    with pytest.raises(SystemExit) as ended:
        report("preprocess", figure, 0.8, at_most=at_most)
    assert ended.value.code == status
    assert capsys.readouterr().out.startswith(f"RESULT preprocess {figure:.3g} goal ")
