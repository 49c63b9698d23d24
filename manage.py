#!/usr/bin/env python
"""Django's command line for this project."""

import gc
import os
import sys

#: Loading the product makes some 200,000 objects and no garbage: looking for it as often as Python does by itself would
#: take a tenth of the start.
OBJECTS_UNTIL_COLLECTION = 50_000


def main() -> None:
    """Run the command named on the command line."""
    gc.set_threshold(OBJECTS_UNTIL_COLLECTION, 50, 100)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fanoutcloud.settings")
    from django.core.management import execute_from_command_line

    from fanoutcloud.env import BadSetting

    try:
        execute_from_command_line(sys.argv)
    except BadSetting as error:
        sys.exit(f"Setting: {error}")


if __name__ == "__main__":
    main()
