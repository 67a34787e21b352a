"""What the site needs from Sphinx beside autodoc."""
