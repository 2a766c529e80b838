"""A server on this machine that speaks NBIA's protocol and misbehaves on demand.

Resources, fields, zip members and status codes are those of github CBIIT/NBIA-TCIA, `restAPI/v4`.
"""

from __future__ import annotations

import hashlib
import io
import json
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import numpy as np

from worlds.dicom_files import make_dicom

WELL = "well"
TRICKLE_SECONDS = 0.05


def make_series(number: int, images: int = 2, **attributes: str) -> Series:
    """A series of a patient of its own, its pixels drawn from its number."""
    rng = np.random.default_rng(number)
    attributes = {
        "PatientID": f"PLANTED-{number}",
        "Modality": "CT",
        "BodyPartExamined": "CHEST",
        "SeriesInstanceUID": f"1.2.840.99.{number}",
        "StudyInstanceUID": f"1.2.840.98.{number}",
    } | attributes
    files = [
        make_dicom(
            rng.integers(0, 4096, (16, 16), np.uint16),
            SOPInstanceUID=f"1.2.840.99.{number}.{image + 1}",
            **attributes,
        )
        for image in range(images)
    ]
    return Series(files, attributes)


@dataclass
class Series:
    files: list[bytes]
    attributes: dict[str, str]

    @property
    def uid(self) -> str:
        return self.attributes["SeriesInstanceUID"]

    def row(self) -> dict[str, object]:
        about = "https://doi.org/10.7937/tiny"
        return self.attributes | {
            "Collection": "Tiny Set",
            "ImageCount": len(self.files),
            "FileSize": sum(map(len, self.files)),
            "LicenseName": "Creative Commons Attribution 4.0 International License",
            "LicenseURI": "https://creativecommons.org/licenses/by/4.0/",
            "DataDescriptionURI": about,
        }

    def zip(self, mischief: str = WELL) -> bytes:
        """What getImageWithMD5Hash sends: numbered files, then `md5hashes.csv`."""
        members = {f"{n:08d}.dcm": content for n, content in enumerate(self.files, 1)}
        digests = {name: hashlib.md5(content).hexdigest() for name, content in members.items()}
        if mischief == "wrong md5":
            digests["00000001.dcm"] = hashlib.md5(b"another").hexdigest()
        if mischief == "a file missing":
            del members["00000001.dcm"], digests["00000001.dcm"]
        if mischief == "path out of the folder":
            members["../escaped.dcm"] = members.pop("00000001.dcm")
            digests["../escaped.dcm"] = digests.pop("00000001.dcm")
        if mischief == "bomb":
            members["00000001.dcm"] = bytes(8 << 20)
            digests["00000001.dcm"] = hashlib.md5(members["00000001.dcm"]).hexdigest()
        lines = ["Filename,MD5Hash", *(f"{name},{digest}" for name, digest in digests.items())]
        if mischief != "no md5hashes.csv":  # what NBIA sends when it fails midway
            members["md5hashes.csv"] = ("\n".join(lines) + "\n").encode()
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        return buffer.getvalue()


@dataclass
class BadServer:
    """What it has, and how it behaves.

    `mischief` is by series UID, by file name or by `getSeries`: a list is used up attempt by
    attempt, a text goes on for ever. `asked` counts the requests in the same way.
    """

    series: list[Series] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    mischief: dict[str, list[str] | str] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    queries: list[dict[str, str]] = field(default_factory=list)
    url: str = ""

    def next_mischief(self, key: str) -> str:
        self.asked[key] += 1
        planned = self.mischief.get(key, [])
        if isinstance(planned, str):
            return planned
        return planned.pop(0) if planned else WELL

    def answer(self, resource: str, query: dict[str, str]) -> tuple[str, bytes, str] | None:
        """Key, body and mischief of one request; None for what is not there."""
        if resource == "getSeries":
            self.queries.append(query)
            rows = [one.row() for one in self.series]
            asked = {name: value for name, value in query.items() if name != "format"}
            rows = [row for row in rows if all(row[name] == asked[name] for name in asked)]
            mischief = self.next_mischief(resource)
            return resource, json.dumps(rows).encode() if rows else b"", mischief
        if resource == "getImageWithMD5Hash":
            uid = query["SeriesInstanceUID"]
            mischief = self.next_mischief(uid)
            return uid, next(one.zip(mischief) for one in self.series if one.uid == uid), mischief
        if resource in self.files:
            return resource, self.files[resource], self.next_mischief(resource)
        return None


@contextmanager
def serving(bad: BadServer) -> Iterator[BadServer]:
    """Serve `bad` on a free port of 127.0.0.1 and set its `url`."""
    handler = type("Handler", (_Handler,), {"bad": bad})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    bad.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield bad
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    bad: BadServer

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.close_connection = True
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        found = self.bad.answer(parts.path.rpartition("/")[2], query)
        if found is None:
            self.send_error(404)
            return
        _, body, mischief = found
        # The client may have gone: that is what these tests are about.
        with suppress(BrokenPipeError, ConnectionResetError):
            self._misbehave(body, mischief)

    def _misbehave(self, body: bytes, mischief: str) -> None:
        if mischief == "no answer":
            return
        if mischief.split()[0] in ("400", "403", "404", "410", "429", "500", "503"):
            self.send_response(int(mischief.split()[0]))
            wait = {"429": "1", "503 for an hour": "3600"}.get(mischief)
            if wait:
                self.send_header("Retry-After", wait)
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif mischief == "cut":
            self._send(body[: len(body) // 2], announced=len(body))
        elif mischief == "chunks cut":
            self._send_chunks(body[: len(body) // 2], end=b"")
        elif mischief == "truncated":
            self._send(body[: len(body) // 2], announced=len(body) // 2)
        elif mischief == "garbage":
            self._send(b"<html>We are down for maintenance.</html>", announced=41)
        elif mischief == "trickle":
            self._trickle(body)
        else:
            self._send_chunks(body)

    def _send(self, body: bytes, announced: int) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(announced))
        self.end_headers()
        self.wfile.write(body)

    def _send_chunks(self, body: bytes, end: bytes = b"0\r\n\r\n") -> None:
        """As NBIA does, which makes its zips while it sends them."""
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for at in range(0, len(body), 1 << 16):
            part = body[at : at + (1 << 16)]
            self.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
        self.wfile.write(end)

    def _trickle(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        for byte in body:
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            time.sleep(TRICKLE_SECONDS)
