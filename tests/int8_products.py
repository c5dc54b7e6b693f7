"""What tests of int8 models share: comments, and which need products that only VNNI makes exact."""

import numpy as np
import pytest

from worthit.datasets.errors import DeviceError
from worthit.models import int8_linear, registry
from worthit.models.contract import TOXIC

TEXTS = [
    "you stupid idiot",
    "thanks for the nice article about old music and the river",
    "the page",
    "",
] * 6
LABELS = {TOXIC: np.array([1, 0, 0, 0] * 6), ("a", "b", "c"): np.array([1, 2, 0, 0] * 6)}


def _able() -> bool:
    try:
        int8_linear.require("this test")
    except DeviceError:
        return False
    return True


multiplies = pytest.mark.skipif(not _able(), reason="needs exact int8 products")

#: the registered models, as parameters; one that cannot run here is skipped
MODELS = [
    pytest.param(name, marks=multiplies) if name in ("bert-int8", "llama-int8") else name
    for name in registry.MODELS
]
