"""How the data are divided, and what is known of them."""
