"""The palette as seen by normal and by colour-blind eyes."""

import itertools
import re
from importlib import resources

import numpy as np
import pytest

from mmser.labels import EMOTIONS
from mmser.report.palette import PALETTE, UNCERTAIN, style_of

# Machado, Oliveira and Fernandes (2009), severity 1.0, on linear RGB.
VISIONS = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def linear(color):
    channels = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def lab(rgb):
    xyz = TO_XYZ @ np.clip(rgb, 0, 1) / np.array([0.9505, 1, 1.089])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def contrast(a, b):
    dark, light = sorted(float(TO_XYZ[1] @ linear(c)) for c in (a, b))
    return (light + 0.05) / (dark + 0.05)


def test_every_emotion_and_uncertain_has_its_own_letter_and_symbol():
    assert set(PALETTE) == {*EMOTIONS, UNCERTAIN}
    assert len({style.letter for style in PALETTE.values()}) == len(PALETTE)
    assert len({style.symbol for style in PALETTE.values()}) == len(PALETTE)
    assert style_of("boredom") == PALETTE[UNCERTAIN]


def test_every_color_stands_out_from_its_page():
    css = resources.files("mmser.report").joinpath("templates", "report.css").read_text()
    pages = re.findall(r"--page: (#[0-9a-f]{6});", css)
    assert len(pages) == 2  # light, then dark
    for mode, page in zip(("color_light", "color_dark"), pages, strict=True):
        check_contrast(mode, page)


def check_contrast(mode, page):
    for label, style in PALETTE.items():
        assert contrast(getattr(style, mode), page) >= 3, label


@pytest.mark.parametrize("mode", ["color_light", "color_dark"])
@pytest.mark.parametrize("vision", VISIONS)
def test_any_two_colors_differ_for_any_eye(mode, vision):
    seen = {k: lab(VISIONS[vision] @ linear(getattr(s, mode))) for k, s in PALETTE.items()}
    for a, b in itertools.combinations(seen, 2):
        assert np.linalg.norm(seen[a] - seen[b]) >= 10, (a, b)  # CIE76; about 2.3 is just noticeable
