"""The lab: boot a QEMU guest with real ALSA drivers and run the contract suite in it.

Run it as ``python -m tests.kernel``; see README.md beside this file.
"""
