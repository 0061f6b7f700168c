"""The non-IID track: the estimators of SP 800-90B 6.3 and a conditioning component's output (3.1.5)."""
