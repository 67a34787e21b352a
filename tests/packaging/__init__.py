"""What users get: the files that ``make wheel`` makes, installed where there is no checkout and no compiler."""
