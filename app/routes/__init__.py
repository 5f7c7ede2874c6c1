"""One file for each protocol: what a request becomes, and what it gets back."""
