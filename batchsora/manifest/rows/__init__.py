"""What headers and cells mean: one set of rules, for single rows and for whole columns."""
