"""Two checkouts of the project run the same jobs, and every file of their stores is compared."""
