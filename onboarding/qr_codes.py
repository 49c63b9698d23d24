"""QR codes as SVG, drawn here: no picture is loaded from elsewhere, and none needs a script."""

import segno


def draw_qr_code(text: str) -> str:
    """Return `text` as the SVG element of a QR code, black on nothing, to be put into a page as it is.

    It has no size of its own: the style sheet gives it one. Correction level M: a camera copes with a smudged screen.
    """
    code = segno.make(text, error="m", micro=False)
    return str(code.svg_inline(omitsize=True, svgclass="qr-code", lineclass=None, border=2))
