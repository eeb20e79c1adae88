"""Speed and memory of the lab, measured; run by `make bench`. No test asserts on these figures."""
