"""Formulas as pictures, so that an exported page shows them without a script from elsewhere.

matplotlib's own typesetter knows most of TeX's mathematics; what it does not know is spelt another way first.
"""

import base64
import io
import re

from workbench.views.tags import tag

SIZE = 12
"""Points."""
SPELT = {r"\bmod": r"\;\mathrm{mod}\;", r"\dots": r"\ldots"}
"""Commands that the typesetter lacks, and what stands for them."""
FORMULA = re.compile(r"\$\$(?P<block>[^$]+)\$\$|\$(?P<inline>[^$]+)\$")


def set_formulas(markdown: str) -> str:
    """`markdown` with every formula between dollars as an image, its TeX as the alternative text.

    Raises ValueError if one of them cannot be set.
    """
    return FORMULA.sub(
        lambda found: formula_html(found["block"] or found["inline"], block=bool(found["block"])), markdown
    )


def formula_html(tex: str, *, block: bool = False) -> str:
    """One formula as an image: on the line of the text, or on a line of its own."""
    from matplotlib import rc_context
    from matplotlib.font_manager import FontProperties
    from matplotlib.mathtext import math_to_image

    words = " ".join(tex.split())
    for command, spelling in SPELT.items():
        words = words.replace(command, spelling)
    if block:
        words = words.replace(r"\frac", r"\dfrac")
    picture = io.BytesIO()
    size = SIZE * (1.15 if block else 1)
    with rc_context({"svg.fonttype": "path", "mathtext.fontset": "cm"}):
        try:
            depth = math_to_image(f"${words}$", picture, FontProperties(size=size), dpi=72, format="svg")
        except ValueError as error:
            raise ValueError(f"formula: cannot be set: {tex.strip()!r}; write it with simpler commands") from error
    uri = "data:image/svg+xml;base64," + base64.b64encode(picture.getvalue()).decode("ascii")
    image = tag(
        "img", src=uri, alt=" ".join(tex.split()), style=f"vertical-align:{-depth:.1f}pt;margin:0;display:inline"
    )
    return f'<p style="margin:6px 0 6px 24px">{image}</p>' if block else image
