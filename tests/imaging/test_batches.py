import os

from tasks import paths
from tasks.imaging import batches


def test_a_file_is_read_whole_where_the_system_reads_in_pieces(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    paths.RAW.mkdir(parents=True)
    content = bytes(range(256))
    (paths.RAW / "a.png").write_bytes(content)
    (paths.RAW / "empty.png").write_bytes(b"")
    real = os.read
    monkeypatch.setattr(batches.os, "read", lambda file, size: real(file, min(size, 100)))
    found = batches.read_files([("1", "a.png"), ("2", "empty.png"), ("3-1", "a.png")])
    assert found == {"a.png": content, "empty.png": b""}
