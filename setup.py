"""What pyproject.toml cannot say: the C module, and one wheel for every CPython from 3.10 on (the limited API)."""

import sysconfig

from setuptools import setup

FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))  # has no limited API yet

setup(
    cffi_modules=["build_ffi.py:ffibuilder"],
    options={} if FREE_THREADED else {"bdist_wheel": {"py_limited_api": "cp310"}},
)
