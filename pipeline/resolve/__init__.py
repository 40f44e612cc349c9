"""What a config leaves open, decided once from what was opened: network, folding, compiling, precision, halo, processes, plan."""
