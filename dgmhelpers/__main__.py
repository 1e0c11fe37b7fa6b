"""``python -m dgmhelpers``: see :mod:`dgmhelpers.cli`."""

import sys

from dgmhelpers.cli import main

if __name__ == "__main__":
    sys.exit(main())
