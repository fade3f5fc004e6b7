"""What a batch is given: folders, globs, manifests, datasets of the Hub, by path or by URL."""
