"""bench/cluster/on_node.py: what travels between machines."""

from pathlib import Path

from worthit.bench.cluster import on_node


def test_a_folder_travels_with_its_sub_folders(tmp_path: Path) -> None:
    (tmp_path / "model" / "part").mkdir(parents=True)
    (tmp_path / "model" / "card.json").write_bytes(b"1")
    (tmp_path / "model" / "part" / "weights").write_bytes(b"2")
    content = on_node.files(tmp_path / "model")
    assert content == {"card.json": b"1", "part/weights": b"2"}
    on_node.write_files(content, tmp_path / "copy")
    assert on_node.files(tmp_path / "copy") == content
