"""Labels of realms and of what they have."""

from realms.errors import InvalidLabel
from realms.models import MAX_LABEL_CHARACTERS


def clean_label(label: str) -> str:
    """Return `label` without the blanks around it.

    Raises:
        InvalidLabel: it is longer than `MAX_LABEL_CHARACTERS` or holds a character that can't be shown.
    """
    label = label.strip()
    if len(label) > MAX_LABEL_CHARACTERS:
        raise InvalidLabel(f"the label has {len(label)} characters; {MAX_LABEL_CHARACTERS} fit")
    if not label.isprintable():
        raise InvalidLabel("the label holds a control character")
    return label
