"""Values of `params.yaml` that belong together: how much time a better model is worth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FAST: Mapping[str, Any] = {
    "model.backbone": "EfficientNetLite0",
    "augment.test_views": 0,
}
QUALITY: Mapping[str, Any] = {
    "model.backbone": "EfficientNetLite2",
    "augment.test_views": 4,
}
PRESETS = {"fast": FAST, "quality": QUALITY}
