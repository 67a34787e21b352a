"""A small initramfs: a static busybox, the modules that reach the root over 9p, and an init script."""

from __future__ import annotations

import lzma
from collections.abc import Iterator, Sequence
from pathlib import Path

_MODULES = ("virtio_pci", "virtio_console", "9pnet_virtio", "9p", "overlay")
_FILE, _DIRECTORY = 0o100000, 0o040000


class _Archive:
    """A cpio archive of the kernel's kind ("newc"), in memory."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._inode = 0

    def add(self, name: str, data: bytes = b"", mode: int = _FILE | 0o755) -> None:
        self._inode += 1
        encoded = name.encode() + b"\0"
        fields = (self._inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(encoded), 0)
        header = b"070701" + b"".join(b"%08X" % field for field in fields)
        self._parts += [_padded(header + encoded), _padded(data)]

    def add_directory(self, name: str) -> None:
        self.add(name, mode=_DIRECTORY | 0o755)

    def finish(self) -> bytes:
        self.add("TRAILER!!!", mode=0)
        return b"".join(self._parts)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)


def _module_name(path: str) -> str:
    return path.rsplit("/", 1)[-1].split(".ko", 1)[0].replace("-", "_")


def _in_load_order(tree: Path, wanted: Sequence[str]) -> Iterator[Path]:
    """The files of the ``wanted`` modules of a module tree, each after those that it depends on."""
    needs: dict[str, tuple[str, list[str]]] = {}
    for line in (tree / "modules.dep").read_text().splitlines():
        path, _, rest = line.partition(":")
        needs[_module_name(path)] = (path, [_module_name(other) for other in rest.split()])
    builtin = {_module_name(line) for line in (tree / "modules.builtin").read_text().splitlines()}
    done: set[str] = set()

    def visit(name: str) -> Iterator[Path]:
        if name in done or name in builtin:
            return
        done.add(name)
        path, others = needs[name]
        for other in others:
            yield from visit(other)
        yield tree / path

    for name in wanted:
        yield from visit(name)


def build(busybox: Path, module_tree: Path, init: Path) -> bytes:
    """The archive; ``module_tree`` is a lib/modules/VERSION on which depmod has run."""
    archive = _Archive()
    for name in ("bin", "modules", "proc", "sys", "dev", "lower", "upper", "root"):
        archive.add_directory(name)
    archive.add("bin/busybox", busybox.read_bytes())
    archive.add("init", init.read_bytes())
    order: list[str] = []
    for path in _in_load_order(module_tree, _MODULES):
        data = path.read_bytes()
        name = f"{_module_name(path.name)}.ko"
        archive.add(f"modules/{name}", lzma.decompress(data) if path.suffix == ".xz" else data)
        order.append(name)
    archive.add("modules/order", "".join(f"{name}\n" for name in order).encode())
    return archive.finish()
