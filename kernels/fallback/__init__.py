"""Python kernels that run where Rust is missing, in place of a specification in ``kernels.reference``.

Some equal a specification that is too slow for a million samples. Others have none, because what they time is Python's
own work: ``timing`` and ``rdseed``.
"""
