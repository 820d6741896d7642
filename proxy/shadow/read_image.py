"""Images by header and pixels: another compression of the same picture is the same."""

from __future__ import annotations

import hashlib
import io
import warnings

from PIL import Image, ImageSequence

from figway.compare.canonical.json import NotThisFormat, Value
from figway.compare.limits import Budget, CompareError

MOST_PIXELS = 8_000_000
"""Of all frames together, which bounds the memory and the time that an image takes."""
MOST_FRAMES = 64
_ORIENTATION = 0x0112
_PIXELS_A_STEP = 256


def read_image(body: bytes, budget: Budget) -> Value:
    """Format, size, orientation, colour profile, and each frame's pixels by their hash.

    Raises:
        NotThisFormat: it cannot be read as an image.
        CompareError: `too_large`, or the budget's own.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(body)) as image:
                return _image(image, budget)
    except CompareError:
        raise
    except Exception as error:
        # Decoders of many formats raise types of their own for data that is broken.
        raise NotThisFormat(f"not an image: {error}"[:200]) from error


def _image(image: Image.Image, budget: Budget) -> Value:
    width, height = image.size
    frames: int = getattr(image, "n_frames", 1)
    if frames > MOST_FRAMES or width * height * frames > MOST_PIXELS:
        raise CompareError("too_large", f"{frames} frames of {width} by {height} pixels")
    budget.spend(width * height * frames // _PIXELS_A_STEP)
    found: dict[str, Value] = {
        "format": image.format or "",
        "width": width,
        "height": height,
        "orientation": int(image.getexif().get(_ORIENTATION, 1)),
        "frames": [_frame(frame) for frame in ImageSequence.Iterator(image)],
    }
    if profile := image.info.get("icc_profile"):
        found["profile"] = _hash(profile)
    if frames > 1:
        found["loop"] = image.info.get("loop", 1)
    return found


def _frame(frame: Image.Image) -> Value:
    found: dict[str, Value] = {"pixels": _hash(frame.convert("RGBA").tobytes())}
    if duration := frame.info.get("duration"):
        found["milliseconds"] = duration
    return found


def _hash(data: bytes) -> str:
    return f"sha256 {hashlib.sha256(data).hexdigest()}"
