"""The version, read by setuptools without importing the C module."""

VERSION = "0.1.0"
