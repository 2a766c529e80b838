import platform

from tasks.compression import cpu


def test_integer_instructions_are_read_where_linux_tells_them(tmp_path, monkeypatch):
    text = "flags\t\t: fpu avx2 avx512_vnni sse\nbogomips: 1\n\nflags\t\t: fpu avx2 avx512_vnni\n"
    (tmp_path / "cpuinfo").write_text(text)
    monkeypatch.setattr(cpu, "CPUINFO", tmp_path / "cpuinfo")
    found = {"machine": platform.machine(), "integer": ["avx2", "avx512_vnni"]}
    assert cpu.instruction_set() == found
    (tmp_path / "cpuinfo").write_text("Features\t: fp asimddp i8mm\n")
    assert cpu.instruction_set()["integer"] == ["asimddp", "i8mm"]
    monkeypatch.setattr(cpu, "CPUINFO", tmp_path / "none")
    assert cpu.instruction_set()["integer"] == []
