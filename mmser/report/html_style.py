"""The emotions' colours and textures as CSS variables and SVG patterns for the HTML report."""

from collections.abc import Sequence

from mmser.report.palette import UNCERTAIN, style_of

# A texture per emotion, drawn in the page's colour over the emotion's own: classes stay apart without colour.
# Each tile is 8 x 8 pixels.
_TEXTURES = {
    "anger": '<path d="M-2 2l4-4M0 8l8-8M6 10l4-4"/>',
    "disgust": '<path d="M0 0l8 8M8 0l-8 8"/>',
    "fear": '<path d="M2 0v8M6 0v8"/>',
    "happiness": '<circle cx="2" cy="2" r=".9"/><circle cx="6" cy="6" r=".9"/>',
    "neutral": "",
    "sadness": '<path d="M0 2h8M0 6h8"/>',
    "surprise": '<path d="M4 0v8M0 4h8"/>',
}


def relative_luminance(color: str) -> float:
    """Return the WCAG relative luminance, in [0, 1], of `#rrggbb`."""
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str) -> float:
    """Return the WCAG contrast ratio, from 1 to 21, of two `#rrggbb` colours."""
    light, dark = sorted((relative_luminance(first), relative_luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def ink_on(color: str) -> str:
    """Return near-black or white, whichever reads better on `color`."""
    return max(("#000000", "#ffffff"), key=lambda ink: contrast(ink, color))


def emotion_css(labels: Sequence[str]) -> str:
    """Return variables `--e0`… (colour) and `--i0`… (ink on it), and classes `.e0`… that carry them.

    The index after the last label is "uncertain".
    """
    styles = [style_of(label) for label in (*labels, UNCERTAIN)]
    light = "".join(f"--e{i}:{s.color_light};--i{i}:{ink_on(s.color_light)};" for i, s in enumerate(styles))
    dark = "".join(f"--e{i}:{s.color_dark};--i{i}:{ink_on(s.color_dark)};" for i, s in enumerate(styles))
    classes = "".join(
        f".e{i}{{--c:var(--e{i});--ci:var(--i{i})}}.f{i}{{fill:url(#p{i})}}" for i in range(len(styles))
    )
    # Paper is white whatever the reader's screen prefers.
    return f":root{{{light}}}\n@media screen and (prefers-color-scheme: dark){{:root{{{dark}}}}}\n{classes}\n"


def patterns(labels: Sequence[str]) -> str:
    """Return one SVG `<pattern>` per label, `p0`…, then "uncertain" and "withheld" hatching."""
    tiles = [
        _pattern(
            f"p{i}",
            f"e{i}",
            f'<rect width="8" height="8" class="tile"/><g class="texture">{_TEXTURES.get(label, "")}</g>',
        )
        for i, label in enumerate(labels)
    ]
    hatch = '<path d="M-2 2l4-4M0 8l8-8M6 10l4-4"/>'
    tiles.append(_pattern(f"p{len(labels)}", "hatch unsure", hatch))
    tiles.append(_pattern("withheld", "hatch held", hatch))
    return "\n".join(tiles)


def _pattern(name: str, css_class: str, content: str) -> str:
    frame = f'<pattern id="{name}" class="{css_class}" width="8" height="8" patternUnits="userSpaceOnUse">'
    return f"{frame}{content}</pattern>"
