"""The pictures: ``python -m docs.pictures`` draws them, as far as can be from what a software card really does."""
