"""Python kernels that run where Rust is missing, in place of a specification in ``kernels.reference``.

Some equal a specification that is too slow for a million samples. ``timing`` and ``rdseed`` have no specification:
``timing`` times Python's own work, and Python cannot execute RDSEED.
"""
