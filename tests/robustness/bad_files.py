"""Files that are not what their names say: bytes of broken photographs, checkpoints, YAML and JSON."""

import io
import os
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image

SIDE = 64
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n"


class Trap:
    """What makes a folder when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.mkdir, (str(self.canary),)


def picture(kind: str, mode: str = "RGB", **options: Any) -> bytes:
    """A file of noise, which no decoder can guess the rest of."""
    noise = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 4), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(noise, "RGBA").convert(mode).save(stream, kind, **options)
    return stream.getvalue()


def png(width: int, height: int, pixels: bytes = b"") -> bytes:
    """A PNG that says it is so large; of the pixels there are these."""
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(pixels))]
    parts = [
        struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        for name, content in [*chunks, (b"IEND", b"")]
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def photographs() -> dict[str, tuple[str, bytes]]:
    """Of each bad photograph its suffix and its bytes."""
    jpeg, whole = picture("JPEG"), picture("PNG")
    found = {
        "empty": (".png", b""),
        "one byte": (".jpg", b"\xff"),
        "text": (".jpg", b"not a photograph\n"),
        "a web page": (".jpg", b"<!DOCTYPE html><html><body>404 Not Found</body></html>"),
        "a pointer of git lfs": (".jpg", LFS),
        "an SVG": (".png", b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"),
        "a GIF": (".png", picture("GIF", "P")),
        "PostScript": (".jpg", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n"),
        "a zip archive": (".png", b"PK\x05\x06" + bytes(18)),
        "the head of a PNG": (".png", whole[:33]),
        "a PNG with a wrong checksum": (".png", whole[:60] + bytes([whole[60] ^ 255]) + whole[61:]),
        "a PNG without its pixels": (".png", png(SIDE, SIDE)),
        "a PNG bomb of 50000 x 50000": (".png", png(50_000, 50_000, bytes(10_000_000))),
        "a PNG of no width": (".png", png(0, 8)),
        "a PNG of the largest size there is": (".png", png(2**31 - 1, 2**31 - 1)),
        "a JPEG that says 65500 x 65500": (".jpg", jpeg_of(jpeg, 65_500, 65_500)),
        "a JPEG of no height": (".jpg", jpeg_of(jpeg, SIDE, 0)),
        "a TIFF of floating point": (".tif", picture_of_floats()),
        "a TIFF in endless circles": (".tif", b"II*\0\x08\0\0\0\0\0\x08\0\0\0"),
    }
    for kind, suffix in {"JPEG": ".jpg", "PNG": ".png", "BMP": ".bmp", "TIFF": ".tif", "WEBP": ".webp"}.items():
        content = picture(kind)
        for share in (0.1, 0.5, 0.9, 0.99):
            found[f"{share:.0%} of a {kind}"] = (suffix, content[: int(len(content) * share)])
    return found


def jpeg_of(content: bytes, width: int, height: int) -> bytes:
    """A JPEG whose header says another size."""
    at = content.index(b"\xff\xc0") + 5
    return content[:at] + struct.pack(">HH", height, width) + content[at + 4 :]


def picture_of_floats() -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.ones((SIDE, SIDE), np.float32)).save(stream, "TIFF")
    return stream.getvalue()


class Given(NamedTuple):
    """What checkpoints are made of."""

    content: bytes
    """Of a good one."""
    payload: dict[str, Any]
    canary: Path
    """A folder that only code out of a checkpoint would make."""

    def share(self, share: float) -> bytes:
        return self.content[: int(len(self.content) * share)]

    def changed(self, **parts: object) -> bytes:
        return saved(self.payload | parts)

    def lacking(self, key: str) -> bytes:
        return saved({name: part for name, part in self.payload.items() if name != key})

    def overridden(self, *more: str) -> bytes:
        return self.changed(overrides=[*self.payload["overrides"], *more])

    def weights(self, change: Callable[[torch.Tensor], torch.Tensor]) -> bytes:
        return self.changed(model={name: change(value) for name, value in self.payload["model"].items()})


CHECKPOINTS: dict[str, Callable[[Given], bytes]] = {
    "empty": lambda _: b"",
    "text": lambda _: b"not a checkpoint\n",
    "a pointer of git lfs": lambda _: LFS,
    "a hundredth of one": lambda given: given.share(0.01),
    "half of one": lambda given: given.share(0.5),
    "one that ends early": lambda given: given.share(0.999),
    "a byte changed": lambda given: with_a_byte_changed(given.content),
    "pickled code": lambda given: pickle.dumps(Trap(given.canary)),
    "code in a torch file": lambda given: saved(Trap(given.canary)),
    "code in the weights": lambda given: given.changed(model=Trap(given.canary)),
    "code in the overrides": lambda given: given.changed(overrides=[Trap(given.canary)]),
    "a whole network": lambda _: saved(torch.nn.Linear(1, 1)),
    "bare weights": lambda given: saved(given.payload["model"]),
    "weights under another name": lambda given: saved({"state_dict": given.payload["model"], "epoch": 3}),
    "another format": lambda given: given.changed(format=1),
    "a format of words": lambda given: given.changed(format="x"),
    "weights of another shape": lambda given: given.weights(lambda value: value.reshape(-1)[:1]),
    "weights that are no numbers": lambda given: given.weights(lambda value: value * float("nan")),
    "weights that are no tensors": lambda given: given.changed(model={"a": 1, 2: "b"}),
    "weights in weights": lambda given: given.changed(model={"a": given.payload["model"]}),
    "sparse weights": lambda given: given.weights(lambda value: value.reshape(-1).to_sparse()),
    "weights of nothing": lambda given: given.weights(lambda value: value.to("meta")),
    "a scale of nothing": lambda given: given.changed(scale=[0.0, 0.0]),
    "half of the weights": lambda given: given.changed(model=dict(list(given.payload["model"].items())[::2])),
    "weights beside the network's": lambda given: given.changed(model=given.payload["model"] | {"x": torch.ones(1)}),
    "another architecture": lambda given: given.overridden("model=architectures/linknet", "model.encoder=resnet18"),
    "an unknown encoder": lambda given: given.overridden("model.encoder.name=resnet35"),
    "an encoder's files": lambda given: given.overridden("model.encoder.name=tu-local-dir:/etc"),
    "a key that is code": lambda given: given.overridden(f"+model._target_=os.mkdir({given.canary})"),
    "an override that reads the environment": lambda given: given.overridden("experiment_name=${oc.env:HOME}"),
    "an override that is none": lambda given: given.overridden("training"),
    "overrides that are numbers": lambda given: given.changed(overrides=[1]),
    "no overrides": lambda given: given.lacking("overrides"),
    "no weights": lambda given: given.lacking("model"),
    "a threshold of two": lambda given: given.changed(threshold="2"),
    "no scale": lambda given: given.changed(scale=[]),
    "no state of the optimizer": lambda given: given.changed(optimizer={}),
    "groups of another optimizer": lambda given: given.changed(optimizer={"state": {}, "param_groups": []}),
    "a state of other weights": lambda given: given.changed(
        optimizer=given.payload["optimizer"] | {"state": {0: {"x": 1}}}
    ),
    "no random state": lambda given: given.changed(random={}),
    "a random state that is none": lambda given: given.changed(random=dict.fromkeys(given.payload["random"], "x")),
    "a negative epoch": lambda given: given.changed(epoch=-1),
    "an epoch after the last": lambda given: given.changed(epoch=1000),
    "a batch of nothing": lambda given: given.changed(micro_batch=0),
    "compressed records": lambda given: compressed(given.content),
}
OF_A_RUN = (
    "another architecture",
    "an unknown encoder",
    "an encoder's files",
    "a key that is code",
    "an override that reads the environment",
    "an override that is none",
)
"""Those whose overrides are wrong: a run that goes on has the overrides of its command line."""
OF_A_TRAINING = (
    "no state of the optimizer",
    "groups of another optimizer",
    "a state of other weights",
    "no random state",
    "a random state that is none",
    "a batch of nothing",
    "an epoch after the last",
)
"""Those that only a training reads."""
OF_A_START = (
    "empty",
    "text",
    "a pointer of git lfs",
    "a hundredth of one",
    "half of one",
    "one that ends early",
    "a byte changed",
    "pickled code",
    "code in a torch file",
    "code in the weights",
    "a whole network",
    "weights that are no numbers",
    "weights that are no tensors",
    "weights of nothing",
    "no weights",
)
"""Those from which no training can start (``model.init_from``), which reads the weights alone."""


def checkpoint(name: str, good: Path, canary: Path) -> bytes:
    """One of ``CHECKPOINTS``."""
    return CHECKPOINTS[name](Given(good.read_bytes(), torch.load(good, weights_only=True), canary))


def with_a_byte_changed(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :]


def saved(payload: object) -> bytes:
    stream = io.BytesIO()
    torch.save(payload, stream)
    return stream.getvalue()


def compressed(content: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as new:
        for record in old.infolist():
            new.writestr(record.filename, old.read(record))
    return stream.getvalue()


def yaml_files(canary: Path) -> dict[str, str]:
    """Files that stand where one of overrides is asked for."""
    bomb = "- &a {x: 1}\n" + "".join(
        f"- &{name} {{<<: [{', '.join([f'*{below}'] * 9)}]}}\n"
        for below, name in zip("abcdefghi", "bcdefghij", strict=True)
    )
    return {
        "code": f"!!python/object/apply:os.mkdir ['{canary}']",
        "a function": "- !!python/name:os.system",
        "an unknown tag": "- !canary x",
        "a bomb of aliases": bomb,
        "a list in itself": "&x [*x]",
        "20000 brackets": "[" * 20_000,
        "a mapping": "training: {epochs: 3}",
        "numbers": "- 1\n- 2\n",
        "text": "training.epochs=3",
        "nothing": "",
        "no YAML": "- 'a",
        "a date that is none": "- 2020-99-99",
        "a megabyte": "- seed=1\n" * 120_000,
        "an unknown key": "- training.epoch=3",
    }
