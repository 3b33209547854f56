"""The benchmark: quilt_func and its peers on the same work, each measured in its own process."""
