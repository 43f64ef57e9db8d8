"""``python -m lamp_cli`` is ``lamp``."""

from .cli.app import main

if __name__ == "__main__":
    main()
