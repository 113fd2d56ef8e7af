"""Reference projects that use the product as any project would."""
