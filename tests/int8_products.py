"""Which tests need int8 products that are exact, as those of x86 processors with VNNI are."""

import pytest

from worthit.datasets.errors import DeviceError
from worthit.models import int8_linear, registry


def _able() -> bool:
    try:
        int8_linear.require("this test")
    except DeviceError:
        return False
    return True


multiplies = pytest.mark.skipif(not _able(), reason="needs exact int8 products")

#: the registered models, as parameters; one that cannot run here is skipped
MODELS = [
    pytest.param(name, marks=multiplies) if name == "llama-int8" else name
    for name in registry.MODELS
]
