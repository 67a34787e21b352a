"""The version, read by setuptools without importing the C module."""

__version__ = "0.1.0"
