"""Sources that time the same work again and again with the CPU's counter."""
