"""Reading photographs and masks from disk, and what counts as crack in a stored mask."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from src.errors import UserError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"})

UInt8Array = npt.NDArray[np.uint8]
Float32Array = npt.NDArray[np.float32]

cv2.setNumThreads(0)  # loader workers and trials share the cores; OpenCV's own threads would fight over them


def list_images(folder: Path) -> list[Path]:
    """The image files directly in ``folder``, by name; other files are left out."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)


def read_image(path: Path) -> UInt8Array:
    """RGB photograph, (H, W, 3) uint8. An unreadable file is a ``UserError`` that names it."""
    return cv2.cvtColor(_decode(path, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)


def read_mask(path: Path) -> UInt8Array:
    """Crack mask, (H, W) uint8 in {0, 1}. An unreadable file is a ``UserError`` that names it."""
    return binarise(_decode(path, cv2.IMREAD_COLOR))


def binarise(mask: UInt8Array) -> UInt8Array:
    """Crack = brighter than 127, or above 0 where the whole mask holds only 0 and 1; (H, W[, 3]) to (H, W) in {0, 1}.

    A threshold above 127 is what 8-bit masks with antialiased or JPEG-blurred edges need: at > 0 their cracks grow.
    """
    grey = mask.max(axis=2) if mask.ndim == 3 else mask
    threshold = 0 if grey.max(initial=0) <= 1 else 127
    return (grey > threshold).astype(np.uint8)


def _decode(path: Path, flags: int) -> UInt8Array:
    try:
        encoded = np.fromfile(path, dtype=np.uint8)
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror or error}.") from error
    # an empty buffer makes imdecode raise instead of returning None
    decoded = cv2.imdecode(encoded, flags) if encoded.size else None
    if decoded is None:
        raise UserError(f"Cannot decode {path}: it is not an image that OpenCV reads, or it is damaged.")
    return decoded.astype(np.uint8, copy=False)
