"""The table at the end of a training."""

import json
from pathlib import Path

from mmser.training.run import Trained
from mmser.training.summary import summary


def test_the_best_validation_is_the_one_with_the_highest_score_be_it_zero_or_unknown(tmp_path: Path):
    for scores, best in (([-4.0, 0.0, -1.0], 4), ([None, -2.0, None], 4), ([None], 2), ([-3.0, -1.0], 4)):
        rows = [
            {"step": 2 * n, "validation_uar": 10.0 * n, "validation_score": s}
            for n, s in enumerate(scores, 1)
        ]
        (tmp_path / "joint.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
        trained = Trained(model=tmp_path, mark=None, license="CC0-1.0")
        assert f"uar {5 * best} (step {best})" in summary(tmp_path, ["joint"], trained, 60.0)
