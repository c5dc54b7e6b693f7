"""Prints the description of this machine as JSON: python -m worthit.bench.cluster.description

A process of its own, because Ray sets the number of threads of its workers, which is part of it.
"""

import json
import os
import subprocess
import sys
from typing import Any

from worthit.bench.instruments import machine

#: which Ray sets in its workers
_OF_RAY = ("OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES")


def of_node() -> dict[str, Any]:
    """`machine` and `devices` of the node that this process of Ray runs on."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "worthit.bench.cluster.description"],
        env={name: value for name, value in os.environ.items() if name not in _OF_RAY},
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    described: dict[str, Any] = json.loads(done.stdout)
    return described


if __name__ == "__main__":
    print(json.dumps({"machine": machine.describe(), "devices": machine.present_devices()}))
