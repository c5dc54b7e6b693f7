"""Comments and a Ray cluster to score them on."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from tests import scored_comments

#: options by which a few hundred comments are several parts of several batches
SMALL = ("--batch-size", "16", "--part-rows", "32")


class VirtualCluster:
    """Nodes of one CPU each on this machine."""

    def __init__(self, nodes: int) -> None:
        from ray.cluster_utils import Cluster

        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        small = {"object_store_memory": 80_000_000}
        soon = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 500}
        head = {"num_cpus": 0, "include_dashboard": False, "_system_config": soon, **small}
        self._cluster = Cluster(initialize_head=True, head_node_args=head)
        self.address = str(self._cluster.address)
        self._nodes = [self._cluster.add_node(num_cpus=1, **small) for _ in range(nodes)]

    def kill_a_worker(self) -> None:
        """Kill a process that scores, as a machine out of memory does."""
        mine = psutil.Process().children(recursive=True)
        workers = [one for one in mine if "MapWorker" in " ".join(one.cmdline())]
        assert workers
        workers[0].kill()

    def kill_a_node(self) -> None:
        self._cluster.remove_node(self._nodes.pop(), allow_graceful=False)

    def stop(self) -> None:
        self._cluster.shutdown()


@contextmanager
def running(nodes: int) -> Iterator[VirtualCluster]:
    cluster = VirtualCluster(nodes)
    try:
        yield cluster
    finally:
        cluster.stop()


def odd_csv(folder: Path, comments: int) -> Path:
    """Semicolons, cp1252, line breaks and NULs in texts, and rows without text."""
    texts = scored_comments.made_comments()
    lines = ["id;text;note"]
    for number in range(comments):
        text = texts[number % len(texts)] or ""
        text = f"caf\xe9 \u2013 {text}\n\0 twice" if number % 7 == 0 else text
        quoted = text.replace('"', '""')
        lines.append(f'{number};"{quoted}";n{number}')
    file = folder / "odd.csv"
    file.write_bytes(("\r\n".join(lines) + "\r\n").encode("cp1252"))
    return file


def mixed_folder(folder: Path) -> Path:
    """Files of three formats; of Parquet with row groups that fit neither parts nor batches."""
    folder.mkdir()
    for number, rows in enumerate((150, 0)):
        kinds = pa.array([f"k{row % 3}" for row in range(rows)]).dictionary_encode()
        table = pa.table({"text": pa.array(_texts(rows), pa.string()), "kind": kinds})
        pq.write_table(table, folder / f"{number}.parquet", row_group_size=23)
    lines = [f'"{text or ""}",c{row}' for row, text in enumerate(_texts(75))]
    (folder / "2.csv").write_text("\n".join(["text,kind", *lines]), "utf-8")
    objects = [{"kind": f"j{row}", "text": text} for row, text in enumerate(_texts(40))]
    (folder / "3.jsonl").write_text("\n".join(map(json.dumps, objects)), "utf-8")
    return folder


def _texts(count: int) -> list[str | None]:
    texts = scored_comments.made_comments()
    return [texts[row % len(texts)] for row in range(count)]


def on_parts(patched: Any, acts: dict[int, Callable[[], None]]) -> None:
    """Do something each time that the driver has so many parts."""
    from worthit.models.cluster import scoring

    receive, seen = scoring._parts, [0]

    def receiving(block: pa.Table) -> Iterator[Any]:
        for part in receive(block):
            seen[0] += 1
            acts.pop(seen[0], lambda: None)()
            yield part

    patched.setattr(scoring, "_parts", receiving)


def press_ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)
