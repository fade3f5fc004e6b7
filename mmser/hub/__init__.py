"""The Hugging Face Hub, as a client: what is fetched, what is committed, and what its errors mean."""
