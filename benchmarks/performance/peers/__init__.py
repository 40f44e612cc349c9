"""Tools that people use instead, each as its own documentation tells; they may live in another environment."""
