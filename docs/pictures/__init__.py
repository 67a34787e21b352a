"""The documentation's pictures: ``python -m docs.pictures`` draws them, as far as can be from what a card really does."""
