"""The readable Python kernels: the executable specification that the Rust kernels are tested against."""
