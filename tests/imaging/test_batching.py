import os

from worlds.pack import SETTINGS

from tasks.common import paths
from tasks.imaging import batching


def test_a_file_is_read_whole_where_the_system_reads_in_pieces(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    paths.RAW.mkdir(parents=True)
    content = bytes(range(256))
    (paths.RAW / "a.png").write_bytes(content)
    (paths.RAW / "empty.png").write_bytes(b"")
    real = os.read
    monkeypatch.setattr(batching.os, "read", lambda file, size: real(file, min(size, 100)))
    files = [f"{paths.RAW}/{name}" for name in ("a.png", "empty.png")]
    found = batching.read_files([("1", files[0]), ("2", files[1]), ("3-1", files[0])])
    assert found == {files[0]: content, files[1]: b""}


def test_frames_beyond_a_batch_read_their_file_again_and_no_batch_is_large(monkeypatch):
    monkeypatch.setattr(batching, "MOST_BYTES", 3000)
    frames = [(f"b-{number}", "b.dcm", 2000) for number in range(3)]
    images = [("a", "a.png", 100), *frames, ("c", "c.png", 5000), ("d", "d.png", 10)]
    cut = list(batching.in_batches(images, SETTINGS))  # a prepared image has 384 bytes
    assert [[image_id for image_id, _ in batch] for batch in cut] == [
        ["a", "b-0"],
        ["b-1", "b-2"],
        ["c"],
        ["d"],
    ]
