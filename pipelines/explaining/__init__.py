"""`adx explain`: what a declaration becomes, who depends on it, which policies judge it, what was rolled out of it."""
