"""What docs/reliability.md promises: the long runs, and the page that their figures make."""
