"""One window through the network before the leap: pictures, what the network sees, and a page of both."""
