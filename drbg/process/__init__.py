"""The process: forks, clones of a virtual machine and Ctrl-C."""
