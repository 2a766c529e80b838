"""Packs of small pictures."""

import hashlib

from blake3 import blake3

from tasks.common import documents, manifest, paths
from tasks.common.params.pixels import PixelSettings
from tasks.imaging import pack

SETTINGS = PixelSettings(size=[16, 24], color="grey", window=None)


def build(images):
    """What preprocess does: a pack of the readable images, its receipt and its table."""
    facts = pack.prepare_all(images, SETTINGS)
    usable = sorted(facts.index[facts["reason"].isna()])
    receipt = pack.write(usable, SETTINGS)
    table = images.set_index("image_id").reindex(usable).reset_index()
    table = table.assign(status="ok", row=range(len(table)), label="a", batch=0)
    documents.write_json(paths.PACK, receipt)
    manifest.write(table, paths.IMAGES, manifest.IMAGES)
    return receipt, table


def digest_of(pixels):
    """What a receipt says of these pixels, from the pixels themselves."""
    each = [blake3(image.tobytes()).hexdigest() for image in pixels]
    return hashlib.sha256((str(list(pixels.shape)) + "".join(each)).encode()).hexdigest()


def home():
    (folder,) = (paths.state() / "packs").iterdir()
    return folder
