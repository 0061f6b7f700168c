"""The IID track of SP 800-90B 5: permutation tests, chi-square tests and the longest repeated substring."""
