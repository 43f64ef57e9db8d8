"""lamp: human motion and language, linked (LaMP, ICLR 2025)."""

__version__ = "0.1.0"
