"""QR codes that a content policy without inline styles lets through."""

from onboarding.qr_codes import draw_qr_code


def test_a_code_is_one_svg_element_without_styles_scripts_or_addresses():
    code = draw_qr_code("https://fanout.example.com/s/0a1b2c3d/hello/")

    assert code.startswith("<svg")
    assert 'class="qr-code"' in code
    assert "viewBox" in code
    for forbidden in ("style", "script", "xlink", "width=", "fanout.example.com"):
        assert forbidden not in code


def test_other_texts_have_other_codes():
    assert draw_qr_code("a") != draw_qr_code("b")
